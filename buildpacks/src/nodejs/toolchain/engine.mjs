// The JavaScript engine as prepared by prepare.mjs, and the snapshot of it with an app's modules evaluated.
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const home = fileURLToPath(new URL('.', import.meta.url));
// Without `fetch-event`: a component made from a fetch event hangs at its second request.
export const FEATURES = ['stdio', 'random', 'clocks', 'http'];

/** Evaluates `folder`/app.js in the engine and writes the result as `folder`/snapshot.wasm. */
export function snapshot(folder) {
  copyFileSync(join(home, 'engine/initializer.js'), join(folder, 'initializer.js'));
  const order = join(folder, 'snapshot.json');
  writeFileSync(order, JSON.stringify({
    program: join(home, 'engine/engine.wasm'),
    code: join(home, 'engine/engine.code'),
    function: 'componentize.wizer',
    folder,
    environment: JSON.parse(readFileSync(join(home, 'engine/environment.json'), 'utf8')),
    input: '--initializer-script-path /initializer.js --strip-path-prefix / app.js',
    out: join(folder, 'snapshot.wasm'),
  }));
  return spawnSync(process.env.VIRGA, ['stage', 'snapshot', order], { encoding: 'utf8', maxBuffer: 16 << 20 });
}
