// Makes a core module from an app: bundle, then evaluate the bundle in the engine and keep the result.
// usage: node build.mjs SOURCE_FOLDER ENTRY WORK_FOLDER, leaves WORK_FOLDER/snapshot.wasm
import { existsSync, realpathSync, writeFileSync } from 'node:fs';
import { SourceMap, builtinModules } from 'node:module';
import { join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import { programsOf, scriptsOf } from './commands.mjs';
import { home, snapshot } from './engine.mjs';
import { sourceOf } from './source.mjs';

const [source, entry, work] = process.argv.slice(2).map((path) => resolve(path));
const runtime = (path) => join(home, 'runtime', path);
const bought = (path) => join(home, 'node_modules', path);
const nameOf = (path) => relative(source, path);
const NEEDS_START = /^.*\u0001virga-needs-start (.*)$/;
const PROGRAMS = 'virga-programs';
const MISSING = 'virga-missing';

// What the modules of Node.js are here. A module that is not named gets `small.js`.
const MODULES = {
  assert: bought('assert/build/assert.js'),
  'assert/strict': bought('assert/build/assert.js'),
  async_hooks: runtime('node/async_hooks.js'),
  buffer: bought('buffer/index.js'),
  crypto: runtime('node/crypto.js'),
  events: bought('events/events.js'),
  fs: runtime('node/fs.js'),
  'fs/promises': runtime('node/fs-promises.js'),
  http: runtime('node/http.js'),
  https: runtime('node/http.js'),
  path: bought('path-browserify/index.js'),
  'path/posix': bought('path-browserify/index.js'),
  process: runtime('node/process.js'),
  punycode: bought('punycode/punycode.js'),
  querystring: bought('querystring-es3/index.js'),
  stream: bought('readable-stream/lib/ours/browser.js'),
  'stream/promises': runtime('node/stream-promises.js'),
  'stream/web': runtime('node/stream-web.js'),
  string_decoder: bought('string_decoder/lib/string_decoder.js'),
  'timers/promises': runtime('node/timers-promises.js'),
  url: runtime('node/url.js'),
  util: runtime('node/util.js'),
  'util/types': runtime('node/util.js'),
  zlib: bought('browserify-zlib/lib/index.js'),
};
// Packages that are replaced because what they do cannot work, or works better, in a component.
const PACKAGES = {
  '@hono/node-server': runtime('node/hono-node-server.js'),
  '@hono/node-server/serve-static': runtime('node/hono-serve-static.js'),
  debug: runtime('node/debug.cjs'),
};
const builtin = new Set(builtinModules.map((name) => name.replace(/^node:/, '')));

// An app may bundle its own files and packages and what we add, not whatever else the platform can read.
const roots = [source, join(source, 'node_modules'), home].flatMap((root) => (existsSync(root) ? [`${realpathSync(root)}/`] : []));

const scripts = scriptsOf(source);
const { programs: named, leftOut } = programsOf(source, scripts);
const programs = new Set(named.filter((name) => name !== nameOf(entry)));
if (leftOut > 0) console.log(`The app has ${leftOut} program files; those that package.json and the Procfile name can be run as commands, the others cannot`);

/** Programs are evaluated when they are run, so what is wrong with one is no reason to refuse the app. */
function programsModule() {
  const lines = [...programs].map((name) => `${JSON.stringify(name)}: () => import(${JSON.stringify(join(source, name))}),`);
  return `export const programs = {\n${lines.join('\n')}\n};\nexport const scripts = ${JSON.stringify(scripts)};\n`;
}

const nodeModules = {
  name: 'node-modules',
  setup({ onLoad, onResolve, resolve: resolveAgain }) {
    onLoad({ filter: /./, namespace: 'file' }, ({ path }) => {
      const real = realpathSync(path);
      if (!roots.some((root) => real.startsWith(root))) return { errors: [{ text: `${path} is not a file of the app` }] };
      const isOwn = path.startsWith(`${source}/`) && !path.includes('/node_modules/');
      return sourceOf(path, isOwn ? nameOf(path) : undefined, path === entry || programs.has(nameOf(path)));
    });
    onLoad({ filter: /./, namespace: PROGRAMS }, () => ({ contents: programsModule(), resolveDir: source }));
    onLoad({ filter: /./, namespace: MISSING }, ({ path }) => ({
      contents: `module.exports = {};\nthrow Object.assign(new Error(${JSON.stringify(`Cannot find module '${path}'`)}), { code: 'MODULE_NOT_FOUND' });`,
    }));
    onResolve({ filter: /^virga-programs$/ }, () => ({ path: PROGRAMS, namespace: PROGRAMS }));
    onResolve({ filter: /./ }, async ({ path, importer, kind, pluginData, resolveDir, namespace }) => {
      if (pluginData?.seen || kind === 'entry-point' || /^(wasi|virga):/.test(path)) return undefined;
      const ours = importer.startsWith(home);
      if (/^[^./]/.test(path)) {
        if (PACKAGES[path]) return { path: PACKAGES[path] };
        const name = path.replace(/^node:/, '').replace(/\/$/, '');
        const isBuiltin = path.startsWith('node:') || builtin.has(name);
        // Our own modules mean the package where a package has the name of a module of Node.js (buffer, events, util, …).
        if (isBuiltin && MODULES[name]) return { path: MODULES[name] };
        if (isBuiltin && !ours) return { path: runtime('node/small.js') };
        // What our replacement of @hono/node-server imports from hono is the app's own hono.
        if (ours && /^hono(\/|$)/.test(path)) return resolveAgain(path, { kind, resolveDir: source, pluginData: { seen: true } });
      }
      if (ours || namespace !== 'file' || importer.includes('/node_modules/')) return undefined;
      const found = await resolveAgain(path, { kind, importer, resolveDir, pluginData: { seen: true } });
      if (found.errors.length === 0) return found;
      return { path, namespace: MISSING };
    });
  },
};

/** What the app's start imports and is not there: [importer, path] pairs. What only other programs import is their own affair. */
function missingAtStart({ inputs }) {
  const seen = new Set();
  const missing = [];
  const look = (name) => {
    if (seen.has(name) || name.startsWith(PROGRAMS)) return;
    seen.add(name);
    for (const { path, kind } of inputs[name]?.imports ?? []) {
      if (path.startsWith(`${MISSING}:`) && kind === 'import-statement') missing.push([name, path.slice(MISSING.length + 1)]);
      look(path);
    }
  };
  look('virga-entry.js');
  return missing;
}

/** Bundles the app for a start `at` the build ("snapshot") or in each instance ("instance"). */
async function bundle(at) {
  const imported = JSON.stringify(entry);
  const main = JSON.stringify(nameOf(entry));
  const contents = `import ${JSON.stringify(runtime('globals.js'))};
import { incomingHandlerFor } from ${JSON.stringify(runtime('server.js'))};
import { commandFor } from ${JSON.stringify(runtime('command.js'))};
import { programs, scripts } from ${JSON.stringify(PROGRAMS)};
${at === 'snapshot' ? `import * as app from ${imported};\nconst load = () => app;` : `const load = () => import(${imported});`}
programs[${main}] = load;
export const incomingHandler = incomingHandlerFor(load, ${JSON.stringify(at)});
export const run = commandFor(programs, scripts);
`;
  const result = await build({
    stdin: { contents, resolveDir: source, sourcefile: 'virga-entry.js' },
    absWorkingDir: source,
    // The packages lie in a cache that changes from app to app; their names in the bundle must not.
    preserveSymlinks: true,
    bundle: true,
    metafile: true,
    write: false,
    outfile: 'app.js',
    sourcemap: 'external',
    sourcesContent: false,
    format: 'esm',
    platform: 'node',
    mainFields: ['main', 'module'],
    conditions: ['node'],
    target: 'es2022',
    external: ['wasi:*', 'virga:*'],
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    legalComments: 'none',
    banner: { js: `globalThis.__virgaBuild=${JSON.stringify(at)};globalThis.__virgaMain=${main};` },
    alias: { depd: runtime('node/depd.cjs') },
    loader: { '.node': 'empty', '.html': 'text', '.txt': 'text' },
    define: { 'import.meta.url': '"file:///index.js"', __dirname: '"/"', __filename: '"/index.js"' },
    logLevel: 'silent',
    plugins: [nodeModules],
  });
  const missing = missingAtStart(result.metafile);
  if (missing.length > 0) {
    throw Object.assign(new Error('missing'), { errors: missing.map(([importer, path]) => ({ text: `Could not resolve "${path}"`, location: { file: importer } })), isFinal: true });
  }
  const [map, code] = result.outputFiles;
  writeFileSync(join(work, 'inputs.json'), JSON.stringify(Object.keys(result.metafile.inputs)));
  writeFileSync(join(work, 'app.js'), code.text);
  return new SourceMap(JSON.parse(map.text));
}

/** The same without programs that cannot be bundled; a fault of the app's start ends the build. */
async function bundled(at) {
  for (;;) {
    try {
      return await bundle(at);
    } catch (error) {
      const at = (error.errors ?? []).map((one) => one.location?.file);
      const faulty = error.isFinal ? [] : [...new Set(at.filter((name) => programs.has(name)))];
      if (faulty.length === 0) {
        for (const { text, location } of error.errors ?? [{ text: String(error) }]) {
          process.stderr.write(`${location?.file ?? 'virga'}${location?.line ? `:${location.line}:${location.column + 1}` : ''}: ${text}\n`);
        }
        process.exit(1);
      }
      for (const name of faulty) {
        programs.delete(name);
        console.log(`${name} cannot be run as a command: ${error.errors.find((one) => one.location?.file === name).text}`);
      }
    }
  }
}

/** The place in the app's own source of the first of these frames that lies there. */
function placeOf(map, frames) {
  for (const frame of frames) {
    const [, line, column] = /^app\.js:(\d+):(\d+)$/.exec(frame) ?? [];
    if (!line) continue;
    const { originalSource, originalLine } = map.findEntry(Number(line) - 1, Number(column) - 1);
    if (originalSource && !originalSource.includes('virga-entry.js') && existsSync(resolve(source, originalSource))
      && !resolve(source, originalSource).startsWith(home)) return ` (${originalSource}:${originalLine + 1})`;
  }
  return '';
}

/** What the app printed while it was evaluated, and why it cannot be, if so. */
function outcome({ status, stdout, stderr, error }, map) {
  if (error) throw error;
  const reasons = [];
  const said = [];
  for (const line of (stdout ?? '').split('\n')) {
    const found = NEEDS_START.exec(line);
    if (found) {
      const { what, frames } = JSON.parse(found[1]);
      reasons.push(`${what}${placeOf(map, frames)}`);
    } else if (line.trim()) said.push(line);
  }
  const shown = (stderr ?? '').split('\n').filter((line) => line.trim())
    .map((line) => line.replace(/\b(app\.js:\d+:\d+)/, (frame) => placeOf(map, [frame]).slice(2, -1) || frame));
  if (status !== 0) reasons.push(shown.find((line) => /Error|Exception|only be used/.test(line))?.trim() ?? `exit status ${status}`);
  return { reasons: [...new Set(reasons)], shown, said };
}

const map = await bundled('snapshot');
let made = outcome(snapshot(work), map);
if (made.reasons.length > 0) {
  console.log(`The app is started in each instance and not at the build, because its start uses ${made.reasons.slice(0, 3).join(', ')}`);
  const again = await bundled('instance');
  made = outcome(snapshot(work), again);
  if (made.reasons.length > 0) {
    process.stderr.write(`${made.shown.join('\n')}\n`);
    process.exit(1);
  }
}
for (const line of made.said.slice(0, 100)) console.log(line);
