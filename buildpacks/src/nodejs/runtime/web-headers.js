// Headers of the fetch standard. The engine's own are native, and a call into them costs more than all the work there is to do.
const native = globalThis.Headers;
const lowered = new Map();
const MOST_KNOWN = 512;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** The name in lower case; throws if it can be none. */
function nameOf(given) {
  const known = lowered.get(given);
  if (known !== undefined) return known;
  const text = String(given);
  if (!TOKEN.test(text)) throw new TypeError(`Headers: ${JSON.stringify(text)} is an invalid header name`);
  const name = text.toLowerCase();
  if (lowered.size < MOST_KNOWN) lowered.set(text, name);
  return name;
}

function valueOf(given) {
  const text = typeof given === 'string' ? given : String(given);
  if (text.includes('\n') || text.includes('\r') || text.includes('\0')) {
    const trimmed = text.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
    if (/[\n\r\0]/.test(trimmed)) throw new TypeError('Headers: the value of a header is invalid');
    return trimmed;
  }
  const first = text.charCodeAt(0);
  const last = text.charCodeAt(text.length - 1);
  return first === 32 || first === 9 || last === 32 || last === 9 ? text.replace(/^[\t ]+|[\t ]+$/g, '') : text;
}

class Headers {
  /** Value by name; those of set-cookie are a list. */
  constructor(init) {
    this._held = new Map();
    if (init === undefined) return;
    if (init === null || (typeof init !== 'object' && typeof init !== 'function')) throw new TypeError('Headers: the argument is neither a sequence nor a record');
    if (init instanceof Headers && init._held) for (const [name, value] of init._held) this._held.set(name, Array.isArray(value) ? [...value] : value);
    else if (typeof init[Symbol.iterator] === 'function') {
      for (const pair of init) {
        const [name, value, ...more] = pair;
        if (value === undefined || more.length > 0) throw new TypeError('Headers: each pair must hold a name and a value');
        this.append(name, value);
      }
    } else for (const name of Object.keys(init)) this.append(name, init[name]);
  }

  /** Those of a request: pairs with names in lower case. */
  static _of(pairs) {
    const headers = new Headers();
    for (let at = 0; at < pairs.length; at++) {
      const pair = pairs[at];
      headers._add(pair[0], pair[1], pair[0] === 'cookie' ? '; ' : ', ');
    }
    return headers;
  }

  _add(name, value, between) {
    const held = this._held.get(name);
    if (name === 'set-cookie') {
      if (held) held.push(value);
      else this._held.set(name, [value]);
    } else this._held.set(name, held === undefined ? value : `${held}${between}${value}`);
  }

  append(name, value) { this._add(nameOf(name), valueOf(value), ', '); }

  set(name, value) {
    const lower = nameOf(name);
    this._held.set(lower, lower === 'set-cookie' ? [valueOf(value)] : valueOf(value));
  }

  get(name) {
    const held = this._held.get(nameOf(name));
    return held === undefined ? null : typeof held === 'string' ? held : held.join(', ');
  }

  has(name) { return this._held.has(nameOf(name)); }
  delete(name) { this._held.delete(nameOf(name)); }
  getSetCookie() { return [...(this._held.get('set-cookie') ?? [])]; }

  /** Pairs as they came, for the answer. */
  _pairs() {
    const pairs = [];
    for (const [name, value] of this._held) {
      if (typeof value === 'string') pairs.push([name, value]);
      else for (const one of value) pairs.push([name, one]);
    }
    return pairs;
  }

  * entries() {
    for (const name of [...this._held.keys()].sort()) {
      const held = this._held.get(name);
      if (typeof held === 'string') yield [name, held];
      else for (const one of held ?? []) yield [name, one];
    }
  }

  * keys() { for (const [name] of this.entries()) yield name; }
  * values() { for (const [, value] of this.entries()) yield value; }
  [Symbol.iterator]() { return this.entries(); }
  forEach(callback, receiver) { for (const [name, value] of this.entries()) callback.call(receiver, value, name, this); }
  get [Symbol.toStringTag]() { return 'Headers'; }
  // Those of a native Response, from fetch, are Headers as well.
  static [Symbol.hasInstance](value) { return Headers.prototype.isPrototypeOf(value) || value instanceof native; }
}
Object.defineProperty(Headers.prototype, '_held', { value: undefined, writable: true });

// Not seen by who looks at the names of a headers object.
const EXCHANGE = Symbol('exchange');
const FOUND = Symbol('found');
// From so many on, all headers of a request are fetched instead of one more.
const SINGLE_ONES = 3;

const incoming = Object.create(Headers.prototype, {
  /** All of them, fetched when something needs them. */
  _held: {
    get() {
      const { _held } = Headers._of(this[EXCHANGE].headers);
      Object.defineProperty(this, '_held', { value: _held, writable: true });
      this[FOUND] = null;
      return _held;
    },
  },
});
incoming.get = function get(name) {
  const found = this[FOUND];
  if (found === null) return Headers.prototype.get.call(this, name);
  const lower = nameOf(name);
  const known = found.get(lower);
  if (known !== undefined) return known;
  if (found.size === SINGLE_ONES) return Headers.prototype.get.call(this, lower);
  const values = this[EXCHANGE].valuesOf(lower);
  const value = values.length === 0 ? null : values.length === 1 ? values[0] : values.join(lower === 'cookie' ? '; ' : ', ');
  found.set(lower, value);
  return value;
};
incoming.has = function has(name) { return this.get(name) !== null; };
for (const name of ['get', 'has']) Object.defineProperty(incoming, name, { enumerable: false });

/** The headers of an exchange's request: a few are fetched one by one, as they are asked for. */
export function headersOf(exchange) {
  if (exchange.fetched) return Headers._of(exchange.fetched);
  const headers = Object.create(incoming);
  headers[EXCHANGE] = exchange;
  headers[FOUND] = new Map();
  return headers;
}

export { Headers };
