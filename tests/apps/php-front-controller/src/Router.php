<?php

declare(strict_types=1);

/** Routes with named parts, tried in the order in which they were added. */
final class Router
{
    /** @var list<array{string, string, callable}> */
    private array $routes = [];

    public function get(string $path, callable $action): void
    {
        $this->add('GET', $path, $action);
    }

    public function post(string $path, callable $action): void
    {
        $this->add('POST', $path, $action);
    }

    public function answer(string $method, string $path): void
    {
        try {
            [$action, $parts] = $this->find($method === 'HEAD' ? 'GET' : $method, $path);
            $action(...$parts);
        } catch (NotFound $problem) {
            http_response_code(404);
            header('Content-Type: text/plain; charset=utf-8');
            echo '404: ', $problem->getMessage(), "\n";
        }
    }

    private function add(string $method, string $path, callable $action): void
    {
        $pattern = '#^' . preg_replace('#\{\w+\}#', '([^/]+)', $path) . '$#';
        $this->routes[] = [$method, $pattern, $action];
    }

    /** @return array{callable, list<string>} */
    private function find(string $method, string $path): array
    {
        foreach ($this->routes as [$routeMethod, $pattern, $action]) {
            if ($routeMethod === $method && preg_match($pattern, $path, $found)) {
                return [$action, array_map('rawurldecode', array_slice($found, 1))];
            }
        }
        throw new NotFound("nothing at $path");
    }
}
