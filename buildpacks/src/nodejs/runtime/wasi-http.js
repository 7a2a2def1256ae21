// One HTTP exchange over wasi:http 0.2, as plain JavaScript values. Every resource is dropped here, explicitly and child
// before parent: left to the garbage collector a parent may be dropped before its child, which traps the whole instance
// thousands of requests later.
import { Fields, IncomingBody, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.10';

const dispose = Symbol.dispose ?? Symbol.for('dispose');
const encoder = new TextEncoder();
const READ_SIZE = 65536n;
// Headers of a connection, which the host alone may set.
const CONNECTION_HEADERS = new Set([
  'connection', 'host', 'http2-settings', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade',
]);

/** Bytes of a header value as the fetch standard reads them: one code unit per byte. */
function isomorphicDecode(bytes) {
  if (bytes.length < 4096) return String.fromCharCode.apply(null, bytes);
  let text = '';
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode.apply(null, bytes.subarray(at, at + 4096));
  return text;
}

/** A header value as bytes: one byte per code unit where that is possible, else UTF-8. */
function encodeHeader(value) {
  const bytes = new Uint8Array(value.length);
  for (let at = 0; at < value.length; at++) {
    const unit = value.charCodeAt(at);
    if (unit > 255) return encoder.encode(value);
    bytes[at] = unit;
  }
  return bytes;
}

/** A request with its answer. `headers` is a list of pairs, names in lower case. */
export class Exchange {
  #request;
  #out;
  #incoming = null;
  #input = null;
  #inputOpen = true;
  #outgoing = null;
  #output = null;

  constructor(request, out) {
    this.#request = request;
    this.#out = out;
    const method = request.method();
    this.method = method.tag === 'other' ? method.val : method.tag.toUpperCase();
    this.path = request.pathWithQuery() ?? '/';
    const fields = request.headers();
    this.headers = fields.entries().map(([name, value]) => [name.toLowerCase(), isomorphicDecode(value)]);
    fields[dispose]();
    this.authority = this.header('host') ?? request.authority() ?? 'localhost';
    this.scheme = this.header('x-forwarded-proto')?.split(',')[0].trim() === 'https' ? 'https' : 'http';
    this.answered = false;
    this.finished = false;
  }

  /** The first value of a request header, or undefined. */
  header(name) {
    return this.headers.find(([held]) => held === name)?.[1];
  }

  /** The next piece of the request's body; null at its end. Throws when the client breaks off. */
  read() {
    if (!this.#inputOpen) return null;
    if (!this.#input) {
      this.#incoming = this.#request.consume();
      this.#input = this.#incoming.stream();
    }
    try {
      for (;;) {
        const bytes = this.#input.blockingRead(READ_SIZE);
        if (bytes.length > 0) return bytes;
      }
    } catch (error) {
      const broken = error?.payload?.tag === 'last-operation-failed' ? error.payload.val : null;
      const reason = broken?.toDebugString();
      broken?.[dispose]();
      this.#closeInput();
      if (broken) throw new Error(`the request body broke off: ${reason}`);
      if (error?.payload?.tag !== 'closed') throw error;
      return null;
    }
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
    this.#input?.[dispose]();
    if (this.#incoming) IncomingBody.finish(this.#incoming)[dispose]();
    this.#input = this.#incoming = null;
    this.#request[dispose]();
  }

  /** Sends status and headers (pairs). */
  respond(status, headers) {
    if (this.answered) throw new Error('the answer was already begun');
    const entries = [];
    for (const [name, value] of headers) {
      if (!CONNECTION_HEADERS.has(name.toLowerCase())) entries.push([name, encodeHeader(String(value))]);
    }
    const response = new OutgoingResponse(Fields.fromList(entries));
    response.setStatusCode(status);
    this.#outgoing = response.body();
    this.answered = true;
    ResponseOutparam.set(this.#out, { tag: 'ok', val: response });
    this.#output = this.#outgoing.write();
  }

  /** Sends a piece of the answer's body; waits while the client is slow. Throws when the client has gone. */
  write(bytes) {
    for (let at = 0; at < bytes.length;) {
      const room = Number(this.#output.checkWrite());
      if (room === 0) {
        const ready = this.#output.subscribe();
        ready.block();
        ready[dispose]();
        continue;
      }
      const piece = bytes.subarray(at, at + room);
      this.#output.write(piece);
      at += piece.length;
    }
  }

  /** Ends the answer's body and lets go of the request. */
  end() {
    if (this.finished) return;
    this.finished = true;
    this.#closeInput();
    this.#output[dispose]();
    this.#output = null;
    const body = this.#outgoing;
    this.#outgoing = null;
    OutgoingBody.finish(body, undefined);
  }

  /** Breaks the answer off; what has been sent stays sent, the client sees that the rest is missing. */
  abort() {
    if (this.finished) return;
    this.finished = true;
    this.#closeInput();
    this.#output?.[dispose]();
    this.#outgoing?.[dispose]();
    this.#output = this.#outgoing = null;
  }
}
