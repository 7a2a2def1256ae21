// Run once per installed toolchain: makes what is the same for every app, the engine joined with the bindings of our world.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FEATURES } from './engine.mjs';
import { splicer } from './node_modules/@bytecodealliance/componentize-js/lib/spidermonkey-embedding-splicer.js';

const home = fileURLToPath(new URL('.', import.meta.url));
const wit = join(home, 'wit');

const source = readFileSync(join(home, 'node_modules/@bytecodealliance/componentize-js/lib/starlingmonkey_embedding.wasm'));
const { wasm, jsBindings, exports, imports } = splicer.spliceBindings(source, FEATURES, undefined, wit, 'nodejs', false);

// The generated bindings trace every call into objects that are thrown away, and register every handle with the garbage
// collector. Both cost more than the calls themselves, and the second may drop a parent before its child, which traps: our
// modules let go of every handle themselves.
const bindings = jsBindings
  .replace(/\n\s*_debugLog\([^;]*?\);/g, '')
  .replace(/const finalizationRegistry_[\w$]+ = new FinalizationRegistry\(\(handle\) => \{[^}]*\}\);\n/g, '')
  .replace(/\n\s*finalizationRegistry_[\w$]+\.(un)?register\([^;]*\);/g, '')
  .replace(/Object\.defineProperty\((\w+), symbolRscHandle, \{ writable: true, value: (\w+) ?\}\);/g, '$1[symbolRscHandle] = $2;')
  + readFileSync(join(home, 'exchange.js'), 'utf8');
if (bindings.includes('finalizationRegistry')) throw new Error('the generated bindings are not as expected');

const environment = { DEBUG: '', SOURCE_NAME: 'app.js', FEATURE_CLOCKS: '1', EXPORT_CNT: String(exports.length), IMPORT_CNT: String(imports.length) };
exports.forEach(([name, signature], index) => {
  environment[`EXPORT${index}_NAME`] = name;
  environment[`EXPORT${index}_ARGS`] = (signature.paramptr ? '*' : '') + signature.params.join(',');
  environment[`EXPORT${index}_RET`] = (signature.retptr ? '*' : '') + (signature.ret ?? '');
  environment[`EXPORT${index}_RETSIZE`] = String(signature.retsize);
});
imports.forEach(([, name, parameters], index) => {
  environment[`IMPORT${index}_NAME`] = name;
  environment[`IMPORT${index}_ARGCNT`] = String(parameters);
});

const engine = join(home, 'engine');
mkdirSync(engine, { recursive: true });
writeFileSync(join(engine, 'engine.wasm'), Buffer.from(wasm));
writeFileSync(join(engine, 'initializer.js'), bindings);
writeFileSync(join(engine, 'environment.json'), JSON.stringify(environment));
