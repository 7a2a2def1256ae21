// node:fs over the app's own files, which the cell mounts read-only at `/`. Nothing can be written.
import { Buffer } from 'buffer';
import { Readable } from 'readable-stream';
import { isBuilding, needsStart } from '../environment.js';
import { getDirectories } from 'wasi:filesystem/preopens@0.2.10';

const dispose = Symbol.dispose ?? Symbol.for('dispose');
const NUMBERS = { ENOENT: -2, EISDIR: -21, ENOTDIR: -20, EACCES: -13, EROFS: -30, EIO: -5, EBADF: -9 };
const CODES = { 'no-entry': 'ENOENT', 'is-directory': 'EISDIR', 'not-directory': 'ENOTDIR', access: 'EACCES', 'not-permitted': 'EACCES', 'read-only': 'EROFS' };

function failure(code, call, path) {
  const text = { ENOENT: 'no such file or directory', EISDIR: 'illegal operation on a directory', ENOTDIR: 'not a directory', EROFS: 'read-only file system', EACCES: 'permission denied' }[code] ?? 'i/o error';
  return Object.assign(new Error(`${code}: ${text}, ${call} '${path}'`), { code, errno: NUMBERS[code] ?? -5, syscall: call, path: String(path) });
}

let roots = null;

/** The directory handle and the path below it, for an absolute or relative path. */
function locate(path, call) {
  if (isBuilding()) {
    needsStart(`fs.${call}`);
    throw failure('ENOENT', call, path);
  }
  roots ??= getDirectories().map(([handle, name]) => [handle, name.replace(/\/+$/, '')]).sort((one, other) => other[1].length - one[1].length);
  const text = path instanceof URL ? decodeURIComponent(path.pathname) : String(path);
  const parts = [];
  for (const part of text.split('/')) {
    if (part === '..') parts.pop();
    else if (part && part !== '.') parts.push(part);
  }
  const absolute = `/${parts.join('/')}`;
  for (const [handle, name] of roots) {
    if (absolute === name || absolute.startsWith(`${name}/`) || name === '') return [handle, absolute.slice(name.length + 1) || '.'];
  }
  throw failure('ENOENT', call, path);
}

function attempt(call, path, work) {
  const [handle, below] = locate(path, call);
  try {
    return work(handle, below);
  } catch (error) {
    if (error?.code) throw error;
    throw failure(CODES[error?.payload] ?? 'EIO', call, path);
  }
}

export class Stats {
  constructor({ type, size, dataModificationTimestamp }) {
    const milliseconds = dataModificationTimestamp ? Number(dataModificationTimestamp.seconds) * 1000 : 0;
    this.kind = type;
    this.size = Number(size);
    this.mode = type === 'directory' ? 0o40555 : 0o100444;
    this.mtimeMs = this.ctimeMs = this.atimeMs = this.birthtimeMs = milliseconds;
    this.mtime = this.ctime = this.atime = this.birthtime = new Date(milliseconds);
    this.ino = this.dev = this.uid = this.gid = 0;
    this.nlink = 1;
  }
  isFile() { return this.kind === 'regular-file'; }
  isDirectory() { return this.kind === 'directory'; }
  isSymbolicLink() { return this.kind === 'symbolic-link'; }
  isFIFO() { return false; }
  isSocket() { return false; }
  isBlockDevice() { return false; }
  isCharacterDevice() { return false; }
}

export function statSync(path, options) {
  try {
    return attempt('stat', path, (handle, below) => new Stats(handle.statAt({ symlinkFollow: true }, below)));
  } catch (error) {
    if (options?.throwIfNoEntry === false && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
export const lstatSync = statSync;

export function readFileSync(path, options) {
  const encoding = typeof options === 'string' ? options : options?.encoding;
  const bytes = attempt('open', path, (handle, below) => {
    const file = handle.openAt({ symlinkFollow: true }, below, {}, { read: true });
    try {
      if (file.getType() === 'directory') throw failure('EISDIR', 'read', path);
      const pieces = [];
      for (let at = 0n; ;) {
        const [piece, end] = file.read(1048576n, at);
        pieces.push(Buffer.from(piece));
        at += BigInt(piece.length);
        if (end || piece.length === 0) return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
      }
    } finally {
      file[dispose]();
    }
  });
  return encoding ? bytes.toString(encoding) : bytes;
}

export function readdirSync(path, options) {
  const entries = attempt('scandir', path, (handle, below) => {
    const folder = handle.openAt({ symlinkFollow: true }, below, { directory: true }, { read: true });
    const stream = folder.readDirectory();
    try {
      const found = [];
      for (let entry = stream.readDirectoryEntry(); entry; entry = stream.readDirectoryEntry()) found.push(entry);
      return found;
    } finally {
      stream[dispose]();
      folder[dispose]();
    }
  });
  entries.sort((one, other) => (one.name < other.name ? -1 : 1));
  if (!options?.withFileTypes) return entries.map((entry) => entry.name);
  return entries.map((entry) => Object.assign(new Stats({ type: entry.type, size: 0n }), { name: entry.name, parentPath: String(path), path: String(path) }));
}

export function existsSync(path) {
  try {
    statSync(path);
    return true;
  } catch {
    return false;
  }
}

export function accessSync(path, mode = 0) {
  statSync(path);
  if (mode & 2) throw failure('EROFS', 'access', path);
}

export const realpathSync = Object.assign((path) => (statSync(path), String(path)), { native: (path) => (statSync(path), String(path)) });

export function createReadStream(path, options = {}) {
  const { start = 0, end = Number.POSITIVE_INFINITY, encoding } = typeof options === 'string' ? { encoding: options } : options;
  let rest = null;
  const stream = new Readable({
    read() {
      try {
        rest ??= readFileSync(path).subarray(start, end + 1);
        if (stream.opened !== true) {
          stream.opened = true;
          stream.emit('open', 3);
          stream.emit('ready');
        }
        if (rest.length === 0) stream.push(null);
        else {
          stream.push(rest.subarray(0, 65536));
          rest = rest.subarray(65536);
        }
      } catch (error) {
        stream.destroy(error);
      }
    },
  });
  stream.path = path;
  if (encoding) stream.setEncoding(encoding);
  return stream;
}

const readOnly = (call) => (path) => {
  throw failure('EROFS', call, path);
};
export const writeFileSync = readOnly('open');
export const appendFileSync = readOnly('open');
export const mkdirSync = readOnly('mkdir');
export const mkdtempSync = readOnly('mkdtemp');
export const rmSync = readOnly('rm');
export const rmdirSync = readOnly('rmdir');
export const unlinkSync = readOnly('unlink');
export const renameSync = readOnly('rename');
export const copyFileSync = readOnly('copyfile');
export const createWriteStream = readOnly('open');
export const openSync = readOnly('open');
export const watch = readOnly('watch');
export const watchFile = readOnly('watch');

const later = (work) => (...values) => {
  const callback = values.pop();
  queueMicrotask(() => {
    let result;
    try {
      result = work(...values);
    } catch (error) {
      callback(error);
      return;
    }
    callback(null, result);
  });
};
export const stat = later(statSync);
export const lstat = later(lstatSync);
export const readFile = later(readFileSync);
export const readdir = later(readdirSync);
export const access = later(accessSync);
export const realpath = later(realpathSync);
export const writeFile = later(writeFileSync);
export const appendFile = later(appendFileSync);
export const mkdir = later(mkdirSync);
export const rm = later(rmSync);
export const unlink = later(unlinkSync);
export const rename = later(renameSync);
export const exists = (path, callback) => queueMicrotask(() => callback(existsSync(path)));

export const constants = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, O_RDONLY: 0, S_IFMT: 0o170000, S_IFREG: 0o100000, S_IFDIR: 0o40000 };

const promised = (work) => async (...values) => work(...values);
export const promises = {
  stat: promised(statSync), lstat: promised(lstatSync), readFile: promised(readFileSync), readdir: promised(readdirSync),
  access: promised(accessSync), realpath: promised(realpathSync), writeFile: promised(writeFileSync),
  appendFile: promised(appendFileSync), mkdir: promised(mkdirSync), rm: promised(rmSync), unlink: promised(unlinkSync),
  rename: promised(renameSync), constants,
};

export default {
  Stats, statSync, lstatSync, readFileSync, readdirSync, existsSync, accessSync, realpathSync, createReadStream, writeFileSync,
  appendFileSync, mkdirSync, mkdtempSync, rmSync, rmdirSync, unlinkSync, renameSync, copyFileSync, createWriteStream, openSync,
  watch, watchFile, stat, lstat, readFile, readdir, access, realpath, writeFile, appendFile, mkdir, rm, unlink, rename, exists,
  constants, promises,
};
