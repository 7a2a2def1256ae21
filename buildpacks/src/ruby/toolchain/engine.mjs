// The interpreter as joined by prepare.mjs, and the snapshot of it with an app loaded.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const home = fileURLToPath(new URL('.', import.meta.url));

/** Starts the interpreter with `root` as its file system, where it runs /.virga/boot.rb, and writes what became of it to `out`. */
export function snapshot(root, out) {
  const order = `${out}.json`;
  writeFileSync(order, JSON.stringify({
    program: join(home, 'engine/engine.wasm'),
    code: join(home, 'engine/engine.code'),
    function: 'wizer.initialize',
    folder: root,
    out,
  }));
  return spawnSync(process.env.VIRGA, ['stage', 'snapshot', order], { encoding: 'utf8', maxBuffer: 16 << 20 });
}
