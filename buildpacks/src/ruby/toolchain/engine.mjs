// The interpreter as joined by prepare.mjs, and the snapshot of it with an app loaded.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import wizer from '@bytecodealliance/wizer';

export const home = fileURLToPath(new URL('.', import.meta.url));

/** Starts the interpreter with `root` as its file system, where it runs /.virga/boot.rb, and writes what became of it to `out`. */
export function snapshot(root, out) {
  return spawnSync(
    wizer,
    [
      '--allow-wasi', '--wasm-bulk-memory=true', '--inherit-env=false', '--init-func', 'wizer.initialize',
      `--mapdir=/::${root}`, `-o=${out}`, join(home, 'engine/engine.wasm'),
    ],
    { env: { XDG_CACHE_HOME: join(home, 'cache'), HOME: join(home, 'cache') }, encoding: 'utf8', maxBuffer: 16 << 20 },
  );
}
