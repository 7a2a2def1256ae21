// node:http (and node:https) over the component's own exchange: servers answer the app's requests, clients use fetch.
import EventEmitter from 'events';
import { Buffer } from 'buffer';
import { Readable, Writable } from 'readable-stream';
import { hold, release } from '../alive.js';
import { register } from '../registry.js';

export const METHODS = [
  'ACL', 'CONNECT', 'COPY', 'DELETE', 'GET', 'HEAD', 'LINK', 'LOCK', 'MERGE', 'MKACTIVITY', 'MKCALENDAR', 'MKCOL', 'MOVE',
  'OPTIONS', 'PATCH', 'POST', 'PROPFIND', 'PROPPATCH', 'PURGE', 'PUT', 'QUERY', 'REPORT', 'SEARCH', 'SUBSCRIBE', 'TRACE',
  'UNLINK', 'UNLOCK', 'UNSUBSCRIBE',
];
export const STATUS_CODES = {
  100: 'Continue', 101: 'Switching Protocols', 103: 'Early Hints', 200: 'OK', 201: 'Created', 202: 'Accepted',
  203: 'Non-Authoritative Information', 204: 'No Content', 205: 'Reset Content', 206: 'Partial Content', 207: 'Multi-Status',
  300: 'Multiple Choices', 301: 'Moved Permanently', 302: 'Found', 303: 'See Other', 304: 'Not Modified',
  307: 'Temporary Redirect', 308: 'Permanent Redirect', 400: 'Bad Request', 401: 'Unauthorized', 402: 'Payment Required',
  403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 406: 'Not Acceptable', 408: 'Request Timeout',
  409: 'Conflict', 410: 'Gone', 411: 'Length Required', 412: 'Precondition Failed', 413: 'Payload Too Large',
  414: 'URI Too Long', 415: 'Unsupported Media Type', 416: 'Range Not Satisfiable', 417: 'Expectation Failed',
  418: "I'm a Teapot", 421: 'Misdirected Request', 422: 'Unprocessable Entity', 423: 'Locked', 424: 'Failed Dependency',
  425: 'Too Early', 426: 'Upgrade Required', 428: 'Precondition Required', 429: 'Too Many Requests',
  431: 'Request Header Fields Too Large', 451: 'Unavailable For Legal Reasons', 500: 'Internal Server Error',
  501: 'Not Implemented', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported', 507: 'Insufficient Storage', 508: 'Loop Detected', 511: 'Network Authentication Required',
};
export const maxHeaderSize = 65536;
// Request headers of which Node.js keeps the first value only; others are joined.
const SINGLE = new Set(['age', 'authorization', 'content-length', 'content-type', 'etag', 'expires', 'from', 'host',
  'if-modified-since', 'if-unmodified-since', 'last-modified', 'location', 'max-forwards', 'proxy-authorization', 'referer',
  'retry-after', 'server', 'user-agent']);

class Socket extends EventEmitter {
  readable = true;
  writable = true;
  destroyed = false;
  remoteFamily = 'IPv4';
  localAddress = '127.0.0.1';
  localPort = 8080;

  constructor(exchange) {
    super();
    this.encrypted = exchange?.scheme === 'https';
    this.remoteAddress = exchange?.header('x-forwarded-for')?.split(',')[0].trim() ?? '127.0.0.1';
    this.remotePort = 0;
  }

  address() { return { address: this.localAddress, family: 'IPv4', port: this.localPort }; }
  setTimeout() { return this; }
  setKeepAlive() { return this; }
  setNoDelay() { return this; }
  ref() { return this; }
  unref() { return this; }
  cork() {}
  uncork() {}
  end() { return this; }
  destroy() {
    this.destroyed = true;
    return this;
  }
}

/** What a server gets, and what a client gets as its answer. */
export class IncomingMessage extends Readable {
  httpVersion = '1.1';
  httpVersionMajor = 1;
  httpVersionMinor = 1;
  complete = false;
  aborted = false;
  headers = {};
  rawHeaders = [];
  trailers = {};
  rawTrailers = [];
  #next;

  constructor(socket, next) {
    super();
    this.socket = this.connection = socket;
    this.#next = next ?? (() => null);
  }

  _read() {
    Promise.resolve().then(this.#next).then((piece) => {
      if (piece) this.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
      else {
        this.complete = true;
        this.push(null);
      }
    }).catch((error) => {
      this.aborted = true;
      this.destroy(error);
    });
  }

  addHeader(name, value) {
    this.rawHeaders.push(name, value);
    const held = this.headers[name];
    if (name === 'set-cookie') (this.headers[name] ??= []).push(value);
    else if (held === undefined) this.headers[name] = value;
    else if (!SINGLE.has(name)) this.headers[name] = `${held}${name === 'cookie' ? '; ' : ', '}${value}`;
  }

  get headersDistinct() {
    const distinct = {};
    for (let at = 0; at < this.rawHeaders.length; at += 2) (distinct[this.rawHeaders[at].toLowerCase()] ??= []).push(this.rawHeaders[at + 1]);
    return distinct;
  }

  setTimeout() { return this; }
}

/** Headers of something that goes out. */
export class OutgoingMessage extends Writable {
  #headers = new Map();
  headersSent = false;
  finished = false;
  sendDate = true;
  shouldKeepAlive = true;
  chunkedEncoding = false;

  setHeader(name, value) {
    if (this.headersSent) throw Object.assign(new Error('Cannot set headers after they are sent to the client'), { code: 'ERR_HTTP_HEADERS_SENT' });
    if (value === undefined) throw Object.assign(new TypeError(`Invalid value "undefined" for header "${name}"`), { code: 'ERR_HTTP_INVALID_HEADER_VALUE' });
    this.#headers.set(String(name).toLowerCase(), [name, value]);
    return this;
  }

  setHeaders(headers) {
    for (const [name, value] of headers) this.setHeader(name, value);
    return this;
  }

  appendHeader(name, value) {
    const held = this.getHeader(name);
    return this.setHeader(name, held === undefined ? value : [held, value].flat());
  }

  getHeader(name) { return this.#headers.get(String(name).toLowerCase())?.[1]; }
  getHeaders() { return Object.fromEntries([...this.#headers].map(([name, [, value]]) => [name, value])); }
  getHeaderNames() { return [...this.#headers.keys()]; }
  getRawHeaderNames() { return [...this.#headers.values()].map(([name]) => name); }
  hasHeader(name) { return this.#headers.has(String(name).toLowerCase()); }

  removeHeader(name) {
    if (this.headersSent) throw Object.assign(new Error('Cannot remove headers after they are sent to the client'), { code: 'ERR_HTTP_HEADERS_SENT' });
    this.#headers.delete(String(name).toLowerCase());
  }

  pairs() {
    return [...this.#headers.values()].flatMap(([name, value]) => (Array.isArray(value) ? value.map((one) => [name, one]) : [[name, value]]));
  }

  addTrailers() {}
  setTimeout() { return this; }
}

/** The answer of a server. */
export class ServerResponse extends OutgoingMessage {
  statusCode = 200;
  statusMessage = undefined;
  #exchange;

  constructor(request, exchange) {
    super({ highWaterMark: 65536 });
    this.req = request;
    this.socket = this.connection = request.socket;
    this.#exchange = exchange;
  }

  writeHead(status, message, headers) {
    if (this.headersSent) throw Object.assign(new Error('Cannot write headers after they are sent to the client'), { code: 'ERR_HTTP_HEADERS_SENT' });
    const given = typeof message === 'string' ? headers : message;
    this.statusCode = status;
    if (typeof message === 'string') this.statusMessage = message;
    if (Array.isArray(given)) {
      const flat = given.flat();
      for (let at = 0; at < flat.length; at += 2) this.appendHeader(flat[at], flat[at + 1]);
    } else for (const name in given ?? {}) this.setHeader(name, given[name]);
    this.#begin();
    return this;
  }

  flushHeaders() { this.#begin(); }
  writeContinue() {}
  writeProcessing() {}
  writeEarlyHints(_hints, callback) { callback?.(); }
  assignSocket() {}
  detachSocket() {}
  // Called by middleware that wants to change headers at the last moment (on-headers wraps writeHead).
  _implicitHeader() { this.writeHead(this.statusCode); }

  #begin() {
    if (this.headersSent) return;
    this.headersSent = true;
    this.statusMessage ??= STATUS_CODES[this.statusCode] ?? '';
    this.#exchange.respond(this.statusCode, this.pairs().map(([name, value]) => [name.toLowerCase(), String(value)]));
  }

  end(chunk, encoding, callback) {
    if (!this.headersSent) {
      // The whole body is at hand: say how long it is, as Node.js does.
      const known = chunk == null || typeof chunk === 'function' ? 0 : Buffer.byteLength(chunk, typeof encoding === 'string' ? encoding : 'utf8');
      const bodyless = this.statusCode === 204 || this.statusCode === 304 || this.statusCode < 200;
      if (!bodyless && !this.hasHeader('content-length') && !this.hasHeader('transfer-encoding') && this.writableLength === 0) {
        if (this.req.method !== 'HEAD' || known > 0) this.setHeader('Content-Length', known);
      }
      this._implicitHeader();
    }
    this.finished = true;
    return super.end(chunk, encoding, callback);
  }

  write(chunk, encoding, callback) {
    if (!this.headersSent) this._implicitHeader();
    return super.write(chunk, encoding, callback);
  }

  _write(chunk, encoding, callback) {
    try {
      const bodyless = this.req.method === 'HEAD' || this.statusCode === 204 || this.statusCode === 304;
      if (!bodyless) this.#exchange.write(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
      callback();
    } catch (error) {
      callback(error);
    }
  }

  _final(callback) {
    try {
      this.#exchange.end();
      callback();
    } catch (error) {
      callback(error);
    }
  }
}

/** A server; `listen` makes it the one that answers the app's requests. */
export class Server extends EventEmitter {
  listening = false;
  timeout = 0;
  keepAliveTimeout = 5000;
  headersTimeout = 60000;
  requestTimeout = 300000;
  maxHeadersCount = null;

  constructor(options, listener) {
    super();
    const answer = typeof options === 'function' ? options : listener;
    if (answer) this.on('request', answer);
  }

  listen(...values) {
    const callback = values.find((value) => typeof value === 'function');
    if (callback) this.once('listening', callback);
    this.listening = true;
    register((exchange) => this.#serve(exchange));
    queueMicrotask(() => this.emit('listening'));
    return this;
  }

  #serve(exchange) {
    return new Promise((resolve, reject) => {
      const { headers } = exchange;
      const socket = new Socket(exchange);
      const request = new IncomingMessage(socket, () => exchange.read());
      request.method = exchange.method;
      request.url = exchange.path;
      for (let at = 0; at < headers.length; at++) request.addHeader(headers[at][0], headers[at][1]);
      request.headers.host ??= exchange.authority;
      const response = new ServerResponse(request, exchange);
      response.once('finish', () => {
        response.emit('close');
        resolve();
      });
      response.once('error', reject);
      socket.destroy = (error) => {
        socket.destroyed = true;
        reject(error ?? new Error('the app closed the connection'));
        return socket;
      };
      try {
        if (!this.emit('request', request, response)) reject(new Error('the server has no request listener'));
      } catch (error) {
        reject(error);
      }
    });
  }

  address() { return this.listening ? { address: '0.0.0.0', family: 'IPv4', port: 8080 } : null; }
  close(callback) {
    this.listening = false;
    if (callback) queueMicrotask(callback);
    return this;
  }
  closeAllConnections() {}
  closeIdleConnections() {}
  getConnections(callback) { callback(null, 1); }
  setTimeout() { return this; }
  ref() { return this; }
  unref() { return this; }
}

export const createServer = (options, listener) => new Server(options, listener);

export class Agent extends EventEmitter {
  constructor(options = {}) {
    super();
    this.options = options;
  }
  destroy() {}
}
export const globalAgent = new Agent();

/** A request to somewhere else, sent with fetch when it is ended. */
export class ClientRequest extends OutgoingMessage {
  #pieces = [];
  #url;
  #abort = new AbortController();
  #held = true;

  constructor(url, options, callback) {
    // A request that has been written is not over: its answer is still to come.
    super({ autoDestroy: false });
    hold();
    this.#url = url;
    this.method = (options.method ?? 'GET').toUpperCase();
    this.host = url.hostname;
    this.path = url.pathname + url.search;
    this.protocol = url.protocol;
    this.socket = this.connection = new Socket(null);
    for (const [name, value] of Object.entries(options.headers ?? {})) if (value !== undefined) this.setHeader(name, value);
    if (options.auth) this.setHeader('authorization', `Basic ${btoa(options.auth)}`);
    if (callback) this.once('response', callback);
    queueMicrotask(() => this.emit('socket', this.socket));
  }

  _write(chunk, encoding, callback) {
    this.#pieces.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
    callback();
  }

  _final(callback) {
    this.headersSent = true;
    this.#send().catch((error) => this.emit('error', error)).finally(() => this.#settle());
    callback();
  }

  async #send() {
    const body = this.#pieces.length > 0 && this.method !== 'GET' && this.method !== 'HEAD' ? Buffer.concat(this.#pieces) : undefined;
    const headers = this.pairs().filter(([name]) => !['host', 'connection', 'content-length'].includes(name.toLowerCase()));
    const answer = await fetch(this.#url.href, { method: this.method, headers: headers.map(([name, value]) => [name, String(value)]), body, redirect: 'manual' });
    if (this.#abort.signal.aborted) return;
    const reader = answer.body?.getReader();
    const message = new IncomingMessage(this.socket, async () => {
      const { done, value } = (await reader?.read()) ?? { done: true };
      return done ? null : value;
    });
    message.statusCode = answer.status;
    message.statusMessage = answer.statusText || STATUS_CODES[answer.status] || '';
    for (const [name, value] of answer.headers) message.addHeader(name.toLowerCase(), value);
    message.req = this;
    if (!this.emit('response', message)) message.resume();
  }

  abort() { this.destroy(); }
  /** A command has nothing more to wait for here. */
  #settle() {
    if (this.#held) release();
    this.#held = false;
  }

  destroy(error) {
    this.#abort.abort();
    this.#settle();
    return super.destroy(error);
  }
  setNoDelay() {}
  setSocketKeepAlive() {}
  flushHeaders() {}
}

function requestTo(protocol, first, second, third) {
  const callback = [first, second, third].find((value) => typeof value === 'function');
  let options = {};
  let url;
  if (typeof first === 'string' || first instanceof URL) {
    url = new URL(first);
    if (second && typeof second === 'object') options = second;
  } else {
    options = first;
    const host = options.hostname ?? options.host ?? 'localhost';
    const port = options.port ? `:${options.port}` : '';
    url = new URL(`${options.protocol ?? protocol}//${host}${host.includes(':') && !host.startsWith('[') ? '' : port}${options.path ?? '/'}`);
  }
  return new ClientRequest(url, options, callback);
}

export const request = (...values) => requestTo('http:', ...values);
export const get = (...values) => {
  const sent = request(...values);
  sent.end();
  return sent;
};
export const validateHeaderName = () => {};
export const validateHeaderValue = () => {};

export default {
  METHODS, STATUS_CODES, maxHeaderSize, Agent, ClientRequest, IncomingMessage, OutgoingMessage, Server, ServerResponse,
  createServer, globalAgent, request, get, validateHeaderName, validateHeaderValue,
};
