// node:util: the `util` package and what has been added to Node.js since.
import old from '../../node_modules/util/util.js';

export const {
  callbackify, deprecate, format, inherits, inspect, isArray, isBoolean, isBuffer, isDate, isError, isFunction, isNull,
  isNullOrUndefined, isNumber, isObject, isPrimitive, isRegExp, isString, isSymbol, isUndefined, log, promisify, types,
} = old;
export const debuglog = () => Object.assign(() => {}, { enabled: false });
export const debug = debuglog;
export const TextDecoder = globalThis.TextDecoder;
export const TextEncoder = globalThis.TextEncoder;
export const formatWithOptions = (_options, ...values) => format(...values);
export const stripVTControlCharacters = (text) => text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '');
export const styleText = (_style, text) => text;
export const toUSVString = (text) => text.toWellFormed();
export const isDeepStrictEqual = (one, other) => inspect(one, { depth: null }) === inspect(other, { depth: null });
export const aborted = (signal) => new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
inspect.custom ??= Symbol.for('nodejs.util.inspect.custom');
export default { ...old, debuglog, debug, TextDecoder, TextEncoder, formatWithOptions, stripVTControlCharacters, styleText, toUSVString, isDeepStrictEqual, aborted };
