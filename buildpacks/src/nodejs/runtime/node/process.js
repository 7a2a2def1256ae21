// node:process for a component: no pid, no signals, no working directory but `/`.
import EventEmitter from 'events';
import { getStderr } from 'wasi:cli/stderr@0.2.10';
import { getStdout } from 'wasi:cli/stdout@0.2.10';
import { exit } from 'wasi:cli/exit@0.2.10';
import { env, isBuilding, needsStart } from '../environment.js';

const encoder = new TextEncoder();

function writer(open, fd) {
  let stream = null;
  const target = new EventEmitter();
  return Object.assign(target, {
    fd,
    isTTY: false,
    writable: true,
    write(data, encoding, callback) {
      const done = typeof encoding === 'function' ? encoding : callback;
      const bytes = typeof data === 'string' ? encoder.encode(data) : data;
      stream ??= open();
      for (let at = 0; at < bytes.length; at += 4096) stream.blockingWriteAndFlush(bytes.subarray(at, at + 4096));
      done?.();
      return true;
    },
    end(data, encoding, callback) {
      if (data !== undefined) target.write(data, encoding, callback);
      return target;
    },
    cork() {},
    uncork() {},
  });
}

function hrtime(previous) {
  const now = performance.now();
  let seconds = Math.floor(now / 1000);
  let nanoseconds = Math.round((now % 1000) * 1e6);
  if (previous) {
    seconds -= previous[0];
    nanoseconds -= previous[1];
    if (nanoseconds < 0) {
      seconds -= 1;
      nanoseconds += 1e9;
    }
  }
  return [seconds, nanoseconds];
}
hrtime.bigint = () => BigInt(Math.round(performance.now() * 1e6));

const process = Object.assign(new EventEmitter(), {
  env,
  argv: ['/usr/local/bin/node', `/${globalThis.__virgaMain}`],
  argv0: 'node',
  execArgv: [],
  execPath: '/usr/local/bin/node',
  exitCode: undefined,
  title: 'node',
  pid: 1,
  ppid: 0,
  platform: 'linux',
  arch: 'wasm32',
  version: 'v22.0.0',
  versions: { node: '22.0.0', modules: '127' },
  release: { name: 'node' },
  config: { variables: {} },
  features: {},
  stdout: writer(getStdout, 1),
  stderr: writer(getStderr, 2),
  stdin: Object.assign(new EventEmitter(), { fd: 0, isTTY: false, resume() {}, pause() {}, setEncoding() {} }),
  cwd: () => '/',
  chdir() {},
  umask: () => 0o22,
  getuid: () => 2000,
  getgid: () => 2000,
  uptime: () => performance.now() / 1000,
  hrtime,
  memoryUsage: Object.assign(() => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }), { rss: () => 0 }),
  cpuUsage: () => ({ user: 0, system: 0 }),
  nextTick: (callback, ...values) => queueMicrotask(() => callback(...values)),
  emitWarning: (warning) => console.error(String(warning)),
  binding() {
    throw new Error('process.binding is not supported');
  },
  exit(code = process.exitCode ?? 0) {
    if (isBuilding()) needsStart('process.exit');
    process.exitCode = Number(code);
    process.emit('exit', process.exitCode);
    exit(process.exitCode === 0 ? { tag: 'ok' } : { tag: 'err' });
  },
  abort: () => exit({ tag: 'err' }),
  kill() {
    throw new Error('process.kill is not supported');
  },
});

export default process;
export const { argv, argv0, arch, cwd, emitWarning, execArgv, execPath, memoryUsage, nextTick, pid, platform, release, stderr, stdin, stdout, umask, uptime, version, versions } = process;
const exit_ = process.exit;
export { env, hrtime, exit_ as exit };
