<?php

declare(strict_types=1);

echo 'task done', $argc > 1 ? ' ' . implode(' ', array_slice($argv, 1)) : '', "\n";
