// node:buffer: the `buffer` package and what has been added to Node.js since.
import { Buffer } from '../node_modules/buffer/index.js';

const isUrl = (encoding) => typeof encoding === 'string' && encoding.toLowerCase() === 'base64url';
const plain = (encoding) => (isUrl(encoding) ? 'base64' : encoding);

const { byteLength, from, isEncoding } = Buffer;
const { fill, indexOf, toString, write } = Buffer.prototype;
// The package's base64 reads both alphabets.
Buffer.from = (value, encoding, length) => from(value, plain(encoding), length);
Buffer.byteLength = (value, encoding) => byteLength(value, plain(encoding));
Buffer.isEncoding = (encoding) => isUrl(encoding) || isEncoding(encoding);
Object.assign(Buffer.prototype, {
  toString(encoding, start, end) {
    if (!isUrl(encoding)) return toString.apply(this, arguments);
    return toString.call(this, 'base64', start, end).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  },
  write(text, ...rest) { return write.call(this, text, ...rest.map(plain)); },
  fill(value, ...rest) { return fill.call(this, value, ...rest.map(plain)); },
  indexOf(value, offset, encoding) { return indexOf.call(this, value, offset, plain(encoding)); },
});
// Not documented by Node.js, and used by parsers of uploads.
for (const encoding of ['ascii', 'base64', 'base64url', 'hex', 'latin1', 'ucs2', 'utf8']) {
  Buffer.prototype[`${encoding}Slice`] ??= function slice(from, to) { return this.toString(encoding, from, to); };
}
