// Makes a core module from an app: bundle, then evaluate the bundle in the engine and keep the result.
// usage: node build.mjs SOURCE_FOLDER ENTRY WORK_FOLDER, leaves WORK_FOLDER/snapshot.wasm
import { existsSync, realpathSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import rewritePattern from 'regexpu-core';
import { home, snapshot } from './engine.mjs';

const [source, entry, work] = process.argv.slice(2).map((path) => resolve(path));
const runtime = (path) => join(home, 'runtime', path);
const bought = (path) => join(home, 'node_modules', path);
const NEEDS_START = /^.*\u0001virga-needs-start (.*)$/;

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

const nodeModules = {
  name: 'node-modules',
  setup({ onLoad, onResolve }) {
    onLoad({ filter: /./, namespace: 'file' }, ({ path }) => {
      const real = realpathSync(path);
      if (roots.some((root) => real.startsWith(root))) return undefined;
      return { errors: [{ text: `${path} is not a file of the app` }] };
    });
    onResolve({ filter: /^[^./]/ }, ({ path, importer, kind, pluginData, resolveDir }) => {
      if (pluginData?.seen || kind === 'entry-point' || /^(wasi|virga):/.test(path)) return undefined;
      if (PACKAGES[path]) return { path: PACKAGES[path] };
      const name = path.replace(/^node:/, '').replace(/\/$/, '');
      const ours = importer.startsWith(home);
      // Our own modules mean the package where a package has the name of a module of Node.js (buffer, events, util, …).
      if (ours && !path.startsWith('node:') && MODULES[name] === undefined) return undefined;
      if (MODULES[name] && (path.startsWith('node:') || builtin.has(name))) return { path: MODULES[name] };
      if (path.startsWith('node:') || builtin.has(name)) return { path: runtime('node/small.js') };
      return undefined;
    });
    // What our replacement of @hono/node-server imports from hono is the app's own hono.
    onResolve({ filter: /^hono(\/|$)/ }, async ({ path, importer, kind, pluginData }) => {
      if (pluginData?.seen || !importer.startsWith(home)) return undefined;
      return build_.resolve(path, { kind, resolveDir: source, pluginData: { seen: true } });
    });
  },
};
let build_;
const withBuild = { ...nodeModules, setup(given) { build_ = given; nodeModules.setup(given); } };

/** The engine knows no Unicode property escapes in regular expressions; they are written out as ranges. */
function withoutPropertyEscapes(code) {
  return code.replace(/\/((?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsy]*u[dgimsy]*)/g, (whole, pattern, flags) => {
    if (!/\\p\{/i.test(pattern)) return whole;
    try {
      return `/${rewritePattern(pattern, flags, { unicodePropertyEscapes: 'transform' })}/${flags}`;
    } catch {
      return whole;
    }
  });
}

/** Bundles the app for a start `at` the build ("snapshot") or in each instance ("instance"). */
async function bundle(at) {
  const imported = JSON.stringify(entry);
  const app = at === 'snapshot'
    ? `import * as app from ${imported};\nexport const incomingHandler = incomingHandlerFor(() => app, 'snapshot');\n`
    : `export const incomingHandler = incomingHandlerFor(() => import(${imported}), 'instance');\n`;
  const result = await build({
    stdin: {
      contents: `import ${JSON.stringify(runtime('globals.js'))};\nimport { incomingHandlerFor } from ${JSON.stringify(runtime('server.js'))};\n${app}`,
      resolveDir: source,
      sourcefile: 'virga-entry.js',
    },
    absWorkingDir: source,
    // The packages lie in a cache that changes from app to app; their names in the bundle must not.
    preserveSymlinks: true,
    bundle: true,
    metafile: true,
    write: false,
    format: 'esm',
    platform: 'node',
    mainFields: ['main', 'module'],
    conditions: ['import', 'node', 'default'],
    target: 'es2022',
    external: ['wasi:*', 'virga:*'],
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    legalComments: 'none',
    banner: { js: `globalThis.__virgaBuild=${JSON.stringify(at)};` },
    alias: { depd: runtime('node/depd.cjs') },
    loader: { '.node': 'empty', '.html': 'text', '.txt': 'text' },
    define: { 'import.meta.url': '"file:///app/index.js"', __dirname: '"/"', __filename: '"/index.js"' },
    logLevel: 'warning',
    plugins: [withBuild],
  });
  writeFileSync(join(work, 'inputs.json'), JSON.stringify(Object.keys(result.metafile.inputs)));
  writeFileSync(join(work, 'app.js'), withoutPropertyEscapes(result.outputFiles[0].text));
}

/** Shows what the app printed while it was evaluated, and says why it cannot be, if so. */
function outcome({ status, stdout, stderr, error }) {
  const reasons = [];
  for (const line of (stdout ?? '').split('\n')) {
    const found = NEEDS_START.exec(line);
    if (found) reasons.push(found[1]);
  }
  if (error) throw error;
  const shown = (stderr ?? '').split('\n').filter((line) => line.trim());
  if (status !== 0) reasons.push(shown.find((line) => /Error|Exception|only be used/.test(line))?.trim() ?? `exit status ${status}`);
  return { reasons: [...new Set(reasons)], shown, stdout };
}

await bundle('snapshot');
let made = outcome(snapshot(work));
if (made.reasons.length > 0) {
  console.log(`The app is started in each instance and not at the build, because its start uses ${made.reasons.slice(0, 3).join(', ')}`);
  await bundle('instance');
  made = outcome(snapshot(work));
  if (made.reasons.length > 0) {
    process.stderr.write(`${made.shown.join('\n')}\n`);
    process.exit(1);
  }
}
for (const line of made.stdout.split('\n').slice(0, 100)) if (line.trim()) console.log(line);
