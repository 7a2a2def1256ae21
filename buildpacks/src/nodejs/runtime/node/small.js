// Small modules of Node.js of which a web app needs a corner: net, os, tty, dns, timers, perf_hooks, module, vm and the like.
import EventEmitter from 'events';

const absent = (name) => () => {
  throw Object.assign(new Error(`${name} is not supported in a component`), { code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM' });
};

// net
const V4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;
export const isIPv4 = (text) => V4.test(text);
export function isIPv6(text) {
  if (typeof text !== 'string' || !text.includes(':')) return false;
  try {
    return new URL(`http://[${text.split('%')[0]}]/`).hostname.startsWith('[');
  } catch {
    return false;
  }
}
export const isIP = (text) => (isIPv4(text) ? 4 : isIPv6(text) ? 6 : 0);
export class Socket extends EventEmitter {}
export class Stream extends EventEmitter {}
export const connect = absent('net.connect');
export const createConnection = connect;
export const createServer = absent('net.createServer');

// tty
export const isatty = () => false;
export class ReadStream extends EventEmitter {}
export class WriteStream extends EventEmitter {}

// os
export const EOL = '\n';
export const hostname = () => globalThis.process.env.HOSTNAME ?? 'localhost';
export const type = () => 'Linux';
export const platform = () => 'linux';
export const arch = () => 'wasm32';
export const release = () => '0';
export const tmpdir = () => '/tmp';
export const homedir = () => '/';
export const endianness = () => 'LE';
export const cpus = () => [{ model: 'wasm', speed: 0, times: {} }];
export const availableParallelism = () => 1;
export const totalmem = () => 0;
export const freemem = () => 0;
export const loadavg = () => [0, 0, 0];
export const networkInterfaces = () => ({});
export const userInfo = () => ({ username: 'vcap', uid: 2000, gid: 2000, shell: null, homedir: '/' });
export const uptime = () => performance.now() / 1000;

// timers
export const setTimeout = (...values) => globalThis.setTimeout(...values);
export const clearTimeout = (timer) => globalThis.clearTimeout(timer);
export const setInterval = (...values) => globalThis.setInterval(...values);
export const clearInterval = (timer) => globalThis.clearInterval(timer);
export const setImmediate = (...values) => globalThis.setImmediate(...values);
export const clearImmediate = (timer) => globalThis.clearImmediate(timer);
export const scheduler = { wait: (delay) => new Promise((resolve) => globalThis.setTimeout(resolve, delay)) };

// perf_hooks
export const performance_ = globalThis.performance;
export { performance_ as performance };
export class PerformanceObserver {
  observe() {}
  disconnect() {}
}
export const monitorEventLoopDelay = () => ({ enable() {}, disable() {}, percentile: () => 0, mean: 0, max: 0, min: 0 });

// module
export const createRequire = () => absent('require of a name known only at run time');
export const builtinModules = [];

// worker_threads, cluster, child_process
export const isMainThread = true;
export const parentPort = null;
export const workerData = null;
export const threadId = 0;
export const isPrimary = false;
export const isMaster = false;
export const isWorker = true;
export const Worker = absent('worker_threads.Worker');
export const MessageChannel = absent('MessageChannel');
export const spawn = absent('child_process.spawn');
export const spawnSync = absent('child_process.spawnSync');
export const exec = absent('child_process.exec');
export const execFile = absent('child_process.execFile');
export const execSync = absent('child_process.execSync');
export const fork = absent('child_process.fork');

// dns, readline, vm, v8, diagnostics_channel, inspector, http2
export const lookup = absent('dns.lookup');
export const resolve = absent('dns.resolve');
export const createInterface = absent('readline.createInterface');
export const runInNewContext = absent('vm.runInNewContext');
export const runInThisContext = absent('vm.runInThisContext');
export const Script = absent('vm.Script');
export const createContext = absent('vm.createContext');
export const getHeapStatistics = () => ({ heap_size_limit: 0, used_heap_size: 0, total_heap_size: 0 });
export const channel = (name) => ({
  name, hasSubscribers: false, publish() {}, subscribe() {}, unsubscribe() {}, bindStore() {}, unbindStore() {},
  runStores: (_context, work, receiver, ...values) => work.apply(receiver, values),
});
export const tracingChannel = (name) => ({
  ...Object.fromEntries(['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((event) => [event, channel(`tracing:${name}:${event}`)])),
  hasSubscribers: false, subscribe() {}, unsubscribe() {},
  traceSync: (work, _context, receiver, ...values) => work.apply(receiver, values),
  tracePromise: (work, _context, receiver, ...values) => work.apply(receiver, values),
  traceCallback: (work, _position, _context, receiver, ...values) => work.apply(receiver, values),
});
export const hasSubscribers = () => false;
export const Http2ServerRequest = class Http2ServerRequest {};
export const Http2ServerResponse = class Http2ServerResponse {};
export const constants = { signals: {}, errno: {} };

export default {
  isIPv4, isIPv6, isIP, Socket, Stream, connect, createConnection, createServer, isatty, ReadStream, WriteStream, EOL, hostname,
  type, platform, arch, release, tmpdir, homedir, endianness, cpus, availableParallelism, totalmem, freemem, loadavg,
  networkInterfaces, userInfo, uptime, setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate,
  scheduler, performance: performance_, PerformanceObserver, monitorEventLoopDelay, createRequire, builtinModules, isMainThread,
  parentPort, workerData, threadId, isPrimary, isMaster, isWorker, Worker, MessageChannel, spawn, spawnSync, exec, execFile,
  execSync, fork, lookup, resolve, createInterface, runInNewContext, runInThisContext, Script, createContext, getHeapStatistics,
  channel, tracingChannel, hasSubscribers, Http2ServerRequest, Http2ServerResponse, constants,
};
