// node:crypto, the part that web frameworks use: hashes, keyed hashes, key derivation, random values.
import { Buffer } from 'buffer';
import { hmac as keyed } from '@noble/hashes/hmac.js';
import { md5, ripemd160, sha1 } from '@noble/hashes/legacy.js';
import { pbkdf2 as derive } from '@noble/hashes/pbkdf2.js';
import { scrypt as deriveScrypt } from '@noble/hashes/scrypt.js';
import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { sha3_256, sha3_512 } from '@noble/hashes/sha3.js';

const ALGORITHMS = { md5, rmd160: ripemd160, ripemd160, sha1, sha224, sha256, sha384, sha512, 'sha3-256': sha3_256, 'sha3-512': sha3_512 };

function algorithm(name) {
  const found = ALGORITHMS[String(name).toLowerCase().replace(/^sha-/, 'sha').replace(/^rsa-/, '')];
  if (!found) throw Object.assign(new Error(`Digest method not supported: ${name}`), { code: 'ERR_CRYPTO_INVALID_DIGEST' });
  return found;
}

const bytesOf = (data, encoding) => (typeof data === 'string' ? Buffer.from(data, encoding) : data instanceof Uint8Array ? data : new Uint8Array(data.buffer ?? data));

class Digest {
  #state;
  constructor(state) { this.#state = state; }
  update(data, encoding) {
    this.#state.update(bytesOf(data, encoding));
    return this;
  }
  digest(encoding) {
    const bytes = Buffer.from(this.#state.digest());
    return encoding ? bytes.toString(encoding) : bytes;
  }
  copy() { return new Digest(this.#state.clone()); }
}
export { Digest as Hash, Digest as Hmac };

export const createHash = (name) => new Digest(algorithm(name).create());
export const createHmac = (name, key) => new Digest(keyed.create(algorithm(name), bytesOf(key)));
export const hash = (name, data, encoding = 'hex') => createHash(name).update(data).digest(encoding === 'buffer' ? undefined : encoding);
export const getHashes = () => Object.keys(ALGORITHMS);
export const getCiphers = () => [];
export const getCurves = () => [];

export function getRandomValues(target) {
  for (let at = 0; at < target.byteLength; at += 65536) {
    globalThis.crypto.getRandomValues(new Uint8Array(target.buffer, target.byteOffset + at, Math.min(65536, target.byteLength - at)));
  }
  return target;
}
export const randomUUID = () => globalThis.crypto.randomUUID();

const settle = (callback, work) => {
  if (!callback) return work();
  queueMicrotask(() => {
    let result;
    try {
      result = work();
    } catch (error) {
      callback(error);
      return;
    }
    callback(null, result);
  });
  return undefined;
};

export const randomBytes = (size, callback) => settle(callback, () => getRandomValues(Buffer.alloc(size)));
export const pseudoRandomBytes = randomBytes;
export const randomFillSync = (target) => getRandomValues(target);
export const randomFill = (target, callback) => settle(callback, () => getRandomValues(target));

export function randomInt(low, high, callback) {
  const [from, to, done] = typeof high === 'number' ? [low, high, callback] : [0, low, high];
  return settle(done, () => {
    const range = BigInt(to - from);
    const limit = (1n << 64n) - ((1n << 64n) % range);
    for (;;) {
      const value = randomBytes(8).readBigUInt64BE();
      if (value < limit) return from + Number(value % range);
    }
  });
}

export function timingSafeEqual(one, other) {
  const [left, right] = [bytesOf(one), bytesOf(other)];
  if (left.length !== right.length) throw Object.assign(new RangeError('Input buffers must have the same byte length'), { code: 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH' });
  let difference = 0;
  for (let at = 0; at < left.length; at++) difference |= left[at] ^ right[at];
  return difference === 0;
}

export const pbkdf2Sync = (password, salt, iterations, length, digest) =>
  Buffer.from(derive(algorithm(digest), bytesOf(password), bytesOf(salt), { c: iterations, dkLen: length }));
export const pbkdf2 = (password, salt, iterations, length, digest, callback) =>
  settle(callback, () => pbkdf2Sync(password, salt, iterations, length, digest));
export const scryptSync = (password, salt, length, options = {}) =>
  Buffer.from(deriveScrypt(bytesOf(password), bytesOf(salt), { N: options.N ?? options.cost ?? 16384, r: options.r ?? options.blockSize ?? 8, p: options.p ?? options.parallelization ?? 1, dkLen: length, maxmem: options.maxmem ?? 2 ** 26 }));
export const scrypt = (password, salt, length, options, callback) =>
  settle(callback ?? options, () => scryptSync(password, salt, length, callback ? options : {}));

const missing = (name) => () => {
  throw Object.assign(new Error(`crypto.${name} is not supported here; use crypto.subtle`), { code: 'ERR_METHOD_NOT_IMPLEMENTED' });
};
export const createCipheriv = missing('createCipheriv');
export const createDecipheriv = missing('createDecipheriv');
export const createSign = missing('createSign');
export const createVerify = missing('createVerify');
export const createSecretKey = missing('createSecretKey');
export const createPublicKey = missing('createPublicKey');
export const createPrivateKey = missing('createPrivateKey');
export const generateKeyPairSync = missing('generateKeyPairSync');
export const sign = missing('sign');
export const verify = missing('verify');
export const webcrypto = globalThis.crypto;
export const subtle = globalThis.crypto.subtle;
export const constants = {};

export default {
  createHash, createHmac, hash, getHashes, getCiphers, getCurves, getRandomValues, randomUUID, randomBytes, pseudoRandomBytes,
  randomFillSync, randomFill, randomInt, timingSafeEqual, pbkdf2Sync, pbkdf2, scryptSync, scrypt, createCipheriv,
  createDecipheriv, createSign, createVerify, createSecretKey, createPublicKey, createPrivateKey, generateKeyPairSync, sign,
  verify, webcrypto, subtle, constants, Hash: Digest, Hmac: Digest,
};
