// The JavaScript engine as prepared by prepare.mjs, and the snapshot of it with an app's modules evaluated.
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import wizer from '@bytecodealliance/wizer';

export const home = fileURLToPath(new URL('.', import.meta.url));
// Without `fetch-event`: a component made from a fetch event hangs at its second request.
export const FEATURES = ['stdio', 'random', 'clocks', 'http'];

/** Evaluates `folder`/app.js in the engine and writes the result as `folder`/snapshot.wasm. */
export function snapshot(folder) {
  copyFileSync(join(home, 'engine/initializer.js'), join(folder, 'initializer.js'));
  const environment = JSON.parse(readFileSync(join(home, 'engine/environment.json'), 'utf8'));
  return spawnSync(
    wizer,
    [
      '--allow-wasi', '--inherit-env=true', '--wasm-bulk-memory=true', '--init-func', 'componentize.wizer',
      `--mapdir=/::${folder}`, `-o=${join(folder, 'snapshot.wasm')}`, join(home, 'engine/engine.wasm'),
    ],
    {
      env: { ...environment, XDG_CACHE_HOME: join(home, 'cache'), HOME: join(home, 'cache') },
      input: '--initializer-script-path /initializer.js --strip-path-prefix / app.js',
      encoding: 'utf8',
      maxBuffer: 16 << 20,
    },
  );
}
