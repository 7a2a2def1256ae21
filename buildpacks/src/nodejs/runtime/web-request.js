// The request that a fetch handler gets: what it is asked for is fetched, and a native Request made only where nothing else helps.
import { addReaders } from './web-body.js';
import { Headers, headersOf } from './web-headers.js';

const native = globalThis.Request;
const BODYLESS = new Set(['GET', 'HEAD']);
// A body of this announced size is read as a whole.
const WHOLE_BYTES = 1 << 22;

/** A request of the fetch standard over an exchange. */
export class IncomingRequest {
  constructor(exchange) {
    this._exchange = exchange;
    this._headers = null;
    this._url = null;
    this._made = null;
    this._used = false;
    this._abort = null;
  }

  get method() { return this._exchange.method; }
  get url() { return this._url ??= `${this._exchange.scheme}://${this._exchange.authority}${this._exchange.path}`; }
  get headers() { return this._headers ??= headersOf(this._exchange); }
  get body() { return this._hasBody() ? this._native().body : null; }
  get bodyUsed() { return this._used || (this._made?.bodyUsed ?? false); }
  get signal() { return (this._abort ??= new AbortController()).signal; }
  get cache() { return 'default'; }
  get credentials() { return 'same-origin'; }
  get destination() { return ''; }
  get integrity() { return ''; }
  get keepalive() { return false; }
  get mode() { return 'cors'; }
  get redirect() { return 'follow'; }
  get referrer() { return 'about:client'; }
  get referrerPolicy() { return ''; }
  get duplex() { return 'half'; }

  clone() { return this._native().clone(); }

  _hasBody() { return !BODYLESS.has(this.method) && this._exchange.header('content-length') !== '0'; }

  /** The whole body if it is small enough for that; undefined if the native request has to read it. */
  _take() {
    if (this._used) throw new TypeError('Body has already been consumed');
    if (this._made) return undefined;
    if (this._hasBody() && !(Number(this._exchange.header('content-length') ?? Number.NaN) <= WHOLE_BYTES)) return undefined;
    this._used = true;
    return this._hasBody() ? this._exchange.readAll() : null;
  }

  _native() {
    if (this._used) throw new TypeError('Body has already been consumed');
    if (this._made) return this._made;
    const exchange = this._exchange;
    const body = this._hasBody() ? new ReadableStream({
      pull(controller) {
        const piece = exchange.read();
        if (piece) controller.enqueue(piece);
        else controller.close();
      },
    }) : undefined;
    const headers = this._headers?._pairs() ?? exchange.headers;
    this._made = new native(this.url, { method: this.method, headers, ...(body ? { body, duplex: 'half' } : {}) });
    return this._made;
  }
}
addReaders(IncomingRequest.prototype);
Object.setPrototypeOf(IncomingRequest.prototype, native.prototype);

/** The native request of one of ours; anything else as it is. */
export const nativeRequest = (input) => (input instanceof IncomingRequest ? input._native() : input);

function given(init) {
  return init?.headers instanceof Headers ? { ...init, headers: [...init.headers] } : init;
}

/** `Request` for the app. */
export function Request(input, init) {
  if (new.target === undefined) throw new TypeError("calling a builtin Request constructor without new is forbidden");
  const values = init === undefined ? [nativeRequest(input)] : [nativeRequest(input), given(init)];
  return Reflect.construct(native, values, new.target === Request ? native : new.target);
}
Request.prototype = native.prototype;
Object.setPrototypeOf(Request, native);
native.prototype.constructor = Request;

const engines = globalThis.fetch;
/** `fetch` for the app. */
export const fetch = (input, init) => (init === undefined ? engines(nativeRequest(input)) : engines(nativeRequest(input), given(init)));
