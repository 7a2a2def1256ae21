// Run once per installed toolchain: makes what is the same for every app. The interpreter is joined with the door to the
// component's world, and gems that apps may use without bringing them are unpacked.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { home } from './engine.mjs';
import { withTagsFreed } from './tags.mjs';

// Debian's packages of the gems; their versions are those of the platform's Debian.
const PACKAGES = [
  'ruby-rack', 'ruby-sinatra', 'ruby-mustermann', 'ruby-rack-protection', 'ruby-tilt', 'ruby-ruby2-keywords', 'ruby-erubi', 'ruby-builder',
];
// What the interpreter needs of WebAssembly, and no more: everything that is newer changes the form of the result.
const FEATURES = [
  'bulk-memory', 'mutable-globals', 'sign-ext', 'nontrapping-float-to-int', 'multivalue', 'reference-types',
].map((name) => `--enable-${name}`);

function run(program, args, options = {}) {
  const done = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 16 << 20, ...options });
  return { ok: done.status === 0, said: `${done.stdout ?? ''}${done.stderr ?? ''}${done.error ?? ''}` };
}

/** With another name of the same length for an export: of two of one name the joiner keeps the first and lets the other go. */
function renamed(wasm, from, to) {
  const at = wasm.indexOf(`${String.fromCharCode(from.length)}${from}\0`);
  if (at < 0) throw new Error(`the interpreter exports no ${from}`);
  Buffer.from(to).copy(wasm, at + 1);
  return wasm;
}

function joinEngine() {
  const engine = (name) => join(home, 'engine', name);
  const interpreter = engine('interpreter.wasm');
  writeFileSync(interpreter, renamed(
    withTagsFreed(readFileSync(join(home, 'node_modules/@ruby/3.4-wasm-wasi/dist/ruby+stdlib.wasm'))), 'cabi_realloc', 'ruby_realloc',
  ));
  const joined = run(process.execPath, [
    '--stack-size=8000', join(home, 'node_modules/binaryen/bin/wasm-merge'), ...FEATURES, '--skip-export-conflicts',
    interpreter, 'ruby',
    engine('handles.wat'), 'canonical_abi', engine('host.wat'), 'rb-js-abi-host',
    engine('wasi.wat'), 'wasi_snapshot_preview1', engine('component.wat'), 'virga', '-o', engine('engine.wasm'),
  ]);
  if (!joined.ok) throw new Error(`the interpreter could not be joined: ${joined.said}`);
  // See wasi.wat. The names are of one length, so nothing moves.
  const wasm = readFileSync(engine('engine.wasm'));
  const [own, real] = ['wasi_snapshot_previewX', 'wasi_snapshot_preview1'].map((name) => Buffer.from(name));
  for (let at = wasm.indexOf(own); at >= 0; at = wasm.indexOf(own, at)) real.copy(wasm, at);
  writeFileSync(engine('engine.wasm'), wasm);
  rmSync(interpreter);
}

/** Unpacks the packages' gems as gems/NAME-VERSION; on a machine without Debian's packages apps bring all of theirs. */
function fetchGems() {
  const gems = join(home, 'gems');
  const work = join(home, 'packages');
  mkdirSync(gems, { recursive: true });
  mkdirSync(work, { recursive: true });
  const fetched = run('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', ...PACKAGES], { cwd: work });
  if (!fetched.ok) {
    console.log(`Gems of Debian's packages are not there, apps bring rack themselves: ${fetched.said.trim().split('\n').pop()}`);
  }
  for (const file of readdirSync(work).filter((name) => name.endsWith('.deb')).sort()) {
    const into = join(work, file.replace(/\.deb$/, ''));
    const unpacked = run('dpkg-deb', ['-x', file, into], { cwd: work });
    if (!unpacked.ok) throw new Error(`${file} could not be unpacked: ${unpacked.said}`);
    const shared = join(into, 'usr/share/rubygems-integration/all');
    for (const specification of readdirSync(join(shared, 'specifications'))) {
      const gem = specification.replace(/\.gemspec$/, '');
      const own = join(shared, 'gems', gem);
      const lib = existsSync(join(own, 'lib')) ? join(own, 'lib') : join(into, 'usr/lib/ruby/vendor_ruby');
      cpSync(lib, join(gems, gem, 'lib'), { recursive: true, dereference: true });
      if (existsSync(join(own, 'VERSION'))) cpSync(join(own, 'VERSION'), join(gems, gem, 'VERSION'));
      cpSync(join(shared, 'specifications', specification), join(gems, gem, 'gemspec'), { dereference: true });
    }
  }
  rmSync(work, { recursive: true, force: true });
}

joinEngine();
fetchGems();
