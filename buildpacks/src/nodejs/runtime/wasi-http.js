// One HTTP exchange over wasi:http 0.2, as plain JavaScript values. Every resource is let go of here, explicitly and child
// before parent: a parent that goes before its child traps the whole instance.
import { abort, close, dropRequest, end, head, open, read, respond, write } from 'virga:exchange';

// Headers of a connection, which the host alone may set.
const CONNECTION_HEADERS = new Set([
  'connection', 'host', 'http2-settings', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade',
]);

/** A request with its answer. `headers` is a list of pairs, names in lower case. */
export class Exchange {
  #request;
  #out;
  /** Handles of the request's body and its stream. */
  #input = null;
  #inputOpen = true;
  /** Handles of the answer's body and its stream. */
  #output = null;

  constructor(request, out) {
    this.#request = request;
    this.#out = out;
    const { method, path, authority, headers } = head(request);
    this.method = method;
    this.path = path;
    this.headers = headers;
    this.authority = this.header('host') ?? authority ?? 'localhost';
    this.scheme = this.header('x-forwarded-proto')?.split(',')[0].trim() === 'https' ? 'https' : 'http';
    this.answered = false;
    this.finished = false;
  }

  /** The first value of a request header, or undefined. */
  header(name) {
    for (const pair of this.headers) if (pair[0] === name) return pair[1];
    return undefined;
  }

  /** The next piece of the request's body; null at its end. Throws when the client breaks off. */
  read() {
    if (!this.#inputOpen) return null;
    this.#input ??= open(this.#request);
    let piece = null;
    try {
      piece = read(this.#input[1]);
    } finally {
      if (!piece) this.#closeInput();
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

  #closeInput() {
    if (!this.#inputOpen) return;
    this.#inputOpen = false;
    if (this.#input) close(this.#input[0], this.#input[1]);
    dropRequest(this.#request);
  }

  /** Sends status and headers (pairs). */
  respond(status, headers) {
    if (this.answered) throw new Error('the answer was already begun');
    const allowed = [];
    for (const [name, value] of headers) if (!CONNECTION_HEADERS.has(name.toLowerCase())) allowed.push([name, String(value)]);
    this.#output = respond(this.#out, status, allowed);
    this.answered = true;
  }

  /** Sends a piece of the answer's body; waits while the client is slow. Throws when the client has gone. */
  write(bytes) {
    write(this.#output[1], bytes);
  }

  /** Ends the answer's body and lets go of the request. */
  end() {
    if (this.finished) return;
    this.finished = true;
    this.#closeInput();
    end(this.#output[0], this.#output[1]);
  }

  /** Breaks the answer off; what has been sent stays sent, the client sees that the rest is missing. */
  abort() {
    if (this.finished) return;
    this.finished = true;
    this.#closeInput();
    if (this.#output) abort(this.#output[0], this.#output[1]);
  }
}
