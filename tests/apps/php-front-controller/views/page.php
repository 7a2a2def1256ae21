<!doctype html>
<html lang="en">
<head>
    <meta charset="utf-8">
    <title><?= htmlspecialchars($title) ?></title>
    <link rel="stylesheet" href="/style.css">
</head>
<body>
    <h1><?= htmlspecialchars($title) ?></h1>
    <p>Made at <?= date('c') ?>.</p>
</body>
</html>
