<?php

declare(strict_types=1);

spl_autoload_register(function (string $class): void {
    require __DIR__ . '/../src/' . $class . '.php';
});

$router = new Router();

$router->get('/', function (): void {
    header('Content-Type: text/plain; charset=utf-8');
    echo 'Hello from PHP on Virga, ', $_GET['name'] ?? 'world', "\n";
});

$router->get('/page/{name}', function (string $name): void {
    $title = "Page of $name";
    require __DIR__ . '/../views/page.php';
});

$router->get('/env/{name}', function (string $name): void {
    $value = getenv($name);
    if ($value === false) {
        throw new NotFound("no variable $name");
    }
    header('Content-Type: text/plain; charset=utf-8');
    echo $value;
});

$router->post('/echo', function (): void {
    header('Content-Type: ' . ($_SERVER['CONTENT_TYPE'] ?? 'application/octet-stream'));
    echo file_get_contents('php://input');
});

$router->get('/stream', function (): void {
    header('Content-Type: text/plain; charset=utf-8');
    while (ob_get_level() > 0) {
        ob_end_flush();
    }
    for ($i = 1; $i <= 5; $i++) {
        echo "chunk $i\n";
        flush();
    }
});

$router->get('/random', function (): void {
    header('Content-Type: text/plain; charset=utf-8');
    echo bin2hex(random_bytes(8)), sprintf('%08x', mt_rand()), "\n";
});

// Nothing of a PHP request outlives it but files: the count lies in one of this instance.
$router->get('/count', function (): void {
    $file = sys_get_temp_dir() . '/count';
    $count = (is_file($file) ? (int) file_get_contents($file) : 0) + 1;
    file_put_contents($file, (string) $count);
    header('Content-Type: text/plain; charset=utf-8');
    echo $count, "\n";
});

$router->post('/upload', function (): void {
    $file = $_FILES['file'] ?? null;
    if ($file === null || $file['error'] !== UPLOAD_ERR_OK) {
        http_response_code(400);
        echo "send a file\n";
        return;
    }
    header('Content-Type: application/json');
    echo json_encode(['name' => $file['name'], 'size' => $file['size'], 'sha256' => hash_file('sha256', $file['tmp_name'])]), "\n";
});

$router->get('/fail', function (): void {
    throw new RuntimeException('this one fails on purpose');
});

file_put_contents('php://stdout', $_SERVER['REQUEST_METHOD'] . ' ' . $_SERVER['REQUEST_URI'] . "\n");
$router->answer($_SERVER['REQUEST_METHOD'], parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) ?: '/');
