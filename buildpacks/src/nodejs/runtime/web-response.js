// The Response of the fetch standard. One whose body is at hand never becomes native: it goes to the host as it is.
import { addReaders, isWhole } from './web-body.js';
import { Headers } from './web-headers.js';

const native = globalThis.Response;
const NULL_BODY = new Set([101, 103, 204, 205, 304]);

/** A response with a whole body. */
class WholeResponse {
  constructor(body, init) {
    const status = init?.status ?? 200;
    if (!(status >= 200 && status <= 599)) throw new RangeError(`Response: the status ${status} is not from 200 to 599`);
    if (body !== null && NULL_BODY.has(status)) throw new TypeError(`Response: a response with status ${status} cannot have a body`);
    this._body = body;
    this._status = Math.trunc(status);
    this._init = init;
    this._given = init?.headers;
    this._headers = null;
    this._made = null;
    this._used = false;
    // What the caller changes in its own object later is no matter of this response.
    if (this._given !== undefined) this.headers;
  }

  get headers() {
    if (this._headers === null) {
      this._headers = new Headers(this._given);
      if (typeof this._body === 'string' && !this._headers.has('content-type')) this._headers.set('content-type', 'text/plain;charset=UTF-8');
    }
    return this._headers;
  }

  get status() { return this._status; }
  get ok() { return this._status <= 299; }
  get statusText() { return this._init?.statusText ?? ''; }
  get type() { return 'default'; }
  get url() { return ''; }
  get redirected() { return false; }
  get body() { return this._body === null ? null : this._native().body; }
  get bodyUsed() { return this._used || (this._made?.bodyUsed ?? false); }

  clone() {
    if (this._made) {
      const copy = this._made.clone();
      return Response.call(undefined, copy.body, { status: this._status, statusText: this.statusText, headers: this.headers });
    }
    if (this._used) throw new TypeError('Response.clone: the body has already been consumed');
    return new WholeResponse(this._body, { status: this._status, statusText: this.statusText, headers: this.headers });
  }

  /** Header pairs for the host. */
  _pairs() {
    if (this._headers === null) return typeof this._body === 'string' ? [['content-type', 'text/plain;charset=UTF-8']] : [];
    return this._headers._pairs();
  }

  _take() {
    if (this._used) throw new TypeError('Body has already been consumed');
    if (this._made) return undefined;
    this._used = true;
    return this._body;
  }

  _native() {
    if (this._used) throw new TypeError('Body has already been consumed');
    this._made ??= new native(this._body, { status: this._status, statusText: this.statusText, headers: [...this.headers] });
    return this._made;
  }
}
addReaders(WholeResponse.prototype);
Object.setPrototypeOf(WholeResponse.prototype, native.prototype);

/** The response if nothing but its whole body was given and nothing has begun to read it. */
export const asWhole = (response) => (response instanceof WholeResponse && !response._made && !response._used ? response : null);

/** The headers of any response as pairs. */
export function pairsOf(response) {
  if (response instanceof WholeResponse) return response._pairs();
  const pairs = [];
  for (const [name, value] of response.headers) if (name !== 'set-cookie') pairs.push([name, value]);
  for (const cookie of response.headers.getSetCookie()) pairs.push(['set-cookie', cookie]);
  return pairs;
}

/** `Response` for the app. */
export function Response(body = null, init) {
  if (new.target === Response || new.target === undefined) {
    if (isWhole(body)) return new WholeResponse(body, init);
    if (typeof body !== 'object') return new WholeResponse(String(body), init);
  }
  const headers = init?.headers instanceof Headers ? [...init.headers] : init?.headers;
  const plain = init === undefined || init === null ? undefined : {
    ...(init.status === undefined ? {} : { status: init.status }),
    ...(init.statusText === undefined ? {} : { statusText: init.statusText }),
    ...(headers === undefined ? {} : { headers }),
  };
  return Reflect.construct(native, [body, plain], new.target === Response || new.target === undefined ? native : new.target);
}
Response.prototype = native.prototype;
Object.setPrototypeOf(Response, native);
native.prototype.constructor = Response;

Response.json = (value, init) => {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError('Response.json: the value has no form in JSON');
  const response = new WholeResponse(text, init);
  if (!new Headers(init?.headers).has('content-type')) response.headers.set('content-type', 'application/json');
  return response;
};
Response.redirect = (url, status = 302) => {
  if (![301, 302, 303, 307, 308].includes(status)) throw new RangeError(`Response.redirect: ${status} is no redirect status`);
  return new WholeResponse(null, { status, headers: { location: String(url) } });
};
