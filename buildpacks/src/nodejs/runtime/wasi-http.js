// One HTTP exchange over wasi:http 0.2, as plain JavaScript values. Every resource is let go of here, explicitly and child
// before parent: a parent that goes before its child traps the whole instance. What is not asked for is not fetched from the
// host, and there are no private fields: both cost more than the rest of a small request.
import {
  abort, answer, authority, close, dropRequest, end, header, headers, isHttps, method, open, path, read, respond, write,
} from 'virga:exchange';

// Headers of a connection, which the host alone may set.
const CONNECTION_HEADERS = new Set([
  'connection', 'host', 'http2-settings', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade',
]);

/** A request with its answer. */
export class Exchange {
  constructor(request, out) {
    this.request = request;
    this.out = out;
    this.method = method(request);
    this.path = path(request) ?? '/';
    this.fetched = null;
    /** Handles of the request's body and its stream, of the answer's body and its stream. */
    this.input = null;
    this.inputOpen = true;
    this.output = null;
    this.answered = false;
    this.finished = false;
    this.closed = false;
  }

  /** The request's headers: pairs, names in lower case. */
  get headers() {
    if (!this.fetched) {
      if (this.closed) throw new Error('the headers of a request cannot be read after its end, if they were not before');
      this.fetched = headers(this.request);
    }
    return this.fetched;
  }

  get authority() {
    return (this.closed ? undefined : authority(this.request)) ?? this.header('host') ?? 'localhost';
  }

  get scheme() {
    return !this.closed && isHttps(this.request) ? 'https' : 'http';
  }

  /** The first value of a request header, or undefined. */
  header(name) {
    if (!this.fetched) return this.valuesOf(name)[0];
    for (const pair of this.fetched) if (pair[0] === name) return pair[1];
    return undefined;
  }

  /** The values of one request header, without fetching the others. */
  valuesOf(name) {
    if (this.closed) throw new Error(`the header ${name} of a request cannot be read after its end, if it was not before`);
    return header(this.request, name);
  }

  /** The next piece of the request's body; null at its end. Throws when the client breaks off. */
  read() {
    if (!this.inputOpen) return null;
    this.input ??= open(this.request);
    let piece = null;
    try {
      piece = read(this.input[1]);
    } finally {
      if (!piece) this.closeInput();
    }
    return piece;
  }

  /** The whole request body. */
  readAll() {
    const pieces = [];
    let size = 0;
    for (let piece = this.read(); piece; piece = this.read()) {
      pieces.push(piece);
      size += piece.length;
    }
    if (pieces.length === 1) return pieces[0];
    const whole = new Uint8Array(size);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  closeInput() {
    if (!this.inputOpen) return;
    this.inputOpen = false;
    if (this.input) close(this.input[0], this.input[1]);
  }

  /** Sends status and headers (pairs, names in lower case). */
  respond(status, pairs) {
    this.output = respond(this.out, status, this.allowed(pairs));
  }

  /** Sends a whole answer; the body is a text or bytes. */
  answer(status, pairs, body) {
    const allowed = this.allowed(pairs);
    this.closeInput();
    this.finished = true;
    answer(this.out, status, allowed, body, this.method === 'HEAD');
  }

  allowed(pairs) {
    if (this.answered) throw new Error('the answer was already begun');
    this.answered = true;
    return pairs.some((pair) => CONNECTION_HEADERS.has(pair[0])) ? pairs.filter((pair) => !CONNECTION_HEADERS.has(pair[0])) : pairs;
  }

  /** Sends a piece of the answer's body; waits while the client is slow. Throws when the client has gone. */
  write(bytes) {
    if (this.finished) throw new Error('the answer is over');
    write(this.output[1], bytes);
  }

  /** Ends the answer's body. */
  end() {
    if (this.finished) return;
    this.finished = true;
    this.closeInput();
    end(this.output[0], this.output[1], this.method === 'HEAD');
  }

  /** Breaks the answer off; what has been sent stays sent, the client sees that the rest is missing. */
  abort() {
    if (this.finished) return;
    this.finished = true;
    this.closeInput();
    if (this.output) abort(this.output[0], this.output[1]);
  }

  /** Lets go of the request. */
  close() {
    if (this.closed) return;
    this.closeInput();
    this.closed = true;
    dropRequest(this.request);
  }
}
