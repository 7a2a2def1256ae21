// Appended to the generated bindings of the engine, whose names it uses: one HTTP exchange by direct calls of the imports.
// The generated classes do the same through dozens of objects and closures, at three times the cost, and never free what
// they hand over, which is kilobytes a request.

const exchange$METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

// Views of our memory, which grows without moving: a view stays right for all that it reaches.
let exchange$bytes = new Uint8Array(0);
let exchange$words = new Uint32Array(0);

/** Makes the views reach `end`. */
function exchange$see(end) {
  if (end <= exchange$bytes.length) return;
  const { buffer } = $memory;
  exchange$bytes = new Uint8Array(buffer);
  exchange$words = new Uint32Array(buffer, 0, buffer.byteLength >> 2);
}

/** Bytes as text. A header's value may hold any bytes; where they are no UTF-8, the fetch standard reads each as one code unit. */
function exchange$decode(bytes) {
  const text = TEXT_DECODER_UTF8.decode(bytes);
  return text.includes('\ufffd') ? Array.from(bytes, (byte) => String.fromCharCode(byte)).join('') : text;
}

/** Text that the host has put into our memory, which is freed. */
function exchange$text(pointer, length) {
  if (length === 0) return '';
  exchange$see(pointer + length);
  const text = exchange$decode(exchange$bytes.subarray(pointer, pointer + length));
  $dealloc(pointer, length, 1);
  return text;
}

/** A copy of a text or of bytes for the host: [pointer, length]. */
function exchange$place(data) {
  if (typeof data !== 'string') {
    if (data.byteLength === 0) return [1, 0];
    const pointer = $realloc(0, 0, 1, data.byteLength);
    exchange$see(pointer + data.byteLength);
    exchange$bytes.set(data, pointer);
    return [pointer, data.byteLength];
  }
  const length = data.length;
  if (length === 0) return [1, 0];
  const pointer = $realloc(0, 0, 1, length);
  exchange$see(pointer + length);
  const bytes = exchange$bytes.subarray(pointer, pointer + length);
  const { read, written } = TEXT_ENCODER_UTF8.encodeInto(data, bytes);
  if (read === length && written === length) return [pointer, length];
  // Not ASCII: one byte for each code unit, where that is possible.
  for (let at = 0; at < length; at++) {
    const unit = data.charCodeAt(at);
    if (unit > 255) {
      $dealloc(pointer, length, 1);
      return exchange$place(TEXT_ENCODER_UTF8.encode(data));
    }
    bytes[at] = unit;
  }
  return [pointer, length];
}

/** A copy of a body for the host, texts as UTF-8: [pointer, length]. */
function exchange$placeBody(body) {
  if (typeof body !== 'string') return exchange$place(body);
  const length = body.length;
  if (length === 0) return [1, 0];
  const pointer = $realloc(0, 0, 1, length);
  exchange$see(pointer + length);
  const { read, written } = TEXT_ENCODER_UTF8.encodeInto(body, exchange$bytes.subarray(pointer, pointer + length));
  if (read === length && written === length) return [pointer, length];
  $dealloc(pointer, length, 1);
  return exchange$place(TEXT_ENCODER_UTF8.encode(body));
}

function exchange$free(pointer, length) {
  if (length !== 0) $dealloc(pointer, length, 1);
}

/** A text that a call returned, or undefined: `ret` is an option of a string. */
function exchange$option(ret) {
  exchange$see(ret + 12);
  const at = ret >> 2;
  const text = exchange$bytes[ret] ? exchange$text(exchange$words[at + 1], exchange$words[at + 2]) : undefined;
  $dealloc(ret);
  return text;
}

function exchange$method(request) {
  const ret = $import_wasi_http_types_0_2_10$incomingRequest$method$method(request[symbolRscHandle]);
  exchange$see(ret + 12);
  const tag = exchange$bytes[ret];
  const at = ret >> 2;
  const method = tag < exchange$METHODS.length ? exchange$METHODS[tag] : exchange$text(exchange$words[at + 1], exchange$words[at + 2]);
  $dealloc(ret);
  return method;
}

function exchange$path(request) {
  return exchange$option($import_wasi_http_types_0_2_10$incomingRequest$method$pathWithQuery(request[symbolRscHandle]));
}

function exchange$authority(request) {
  return exchange$option($import_wasi_http_types_0_2_10$incomingRequest$method$authority(request[symbolRscHandle]));
}

function exchange$isHttps(request) {
  const ret = $import_wasi_http_types_0_2_10$incomingRequest$method$scheme(request[symbolRscHandle]);
  const view = dataView($memory);
  const isThere = view.getUint8(ret, true) === 1;
  const tag = view.getUint8(ret + 4, true);
  if (isThere && tag === 2) $dealloc(view.getUint32(ret + 8, true), view.getUint32(ret + 12, true), 1);
  $dealloc(ret);
  return isThere && tag === 1;
}

/** The pieces between line feeds, each for itself. */
function exchange$lines(bytes) {
  const lines = [];
  let from = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
    lines.push(exchange$decode(bytes.subarray(from, end)));
    from = end + 1;
  }
  return lines;
}

/**
 * The texts of a list, whose `count` pieces the host has put into our memory, and which is freed. They are decoded in one go, with line
 * feeds between them: a call for each costs more, and no header has one.
 */
function exchange$texts(base, count) {
  if (count === 0) return [];
  exchange$see(base + count * 8);
  const first = base >> 2;
  const last = first + count * 2;
  let words = exchange$words;
  let size = count;
  let top = 0;
  for (let at = first; at < last; at += 2) {
    const length = words[at + 1];
    size += length;
    if (words[at] + length > top) top = words[at] + length;
  }
  const whole = $realloc(0, 0, 1, size);
  exchange$see(Math.max(top, whole + size));
  words = exchange$words;
  const bytes = exchange$bytes;
  let to = whole;
  for (let at = first; at < last; at += 2) {
    const length = words[at + 1];
    if (length !== 0) {
      const from = words[at];
      bytes.copyWithin(to, from, from + length);
      $dealloc(from, length, 1);
      to += length;
    }
    bytes[to] = 10;
    to += 1;
  }
  $dealloc(base, count * 8, 4);
  const text = TEXT_DECODER_UTF8.decode(bytes.subarray(whole, to));
  const texts = text.includes('\ufffd') ? exchange$lines(bytes.subarray(whole, to)) : text.split('\n');
  $dealloc(whole, size, 1);
  return texts;
}

/** The headers of a request: pairs. */
function exchange$headers(request) {
  const fields = $import_wasi_http_types_0_2_10$incomingRequest$method$headers(request[symbolRscHandle]);
  const ret = $import_wasi_http_types_0_2_10$fields$method$entries(fields);
  exchange$see(ret + 8);
  const count = exchange$words[(ret >> 2) + 1];
  const texts = exchange$texts(exchange$words[ret >> 2], count * 2);
  $dealloc(ret);
  $resource_import$types_0_2_10$drop$fields(fields);
  const headers = [];
  for (let at = 0; at < count * 2; at += 2) headers.push([texts[at], texts[at + 1]]);
  return headers;
}

/** The values of one header of a request; its name is in lower case. */
function exchange$header(request, name) {
  const fields = $import_wasi_http_types_0_2_10$incomingRequest$method$headers(request[symbolRscHandle]);
  const [pointer, length] = exchange$place(name);
  const ret = $import_wasi_http_types_0_2_10$fields$method$get(fields, pointer, length);
  exchange$free(pointer, length);
  exchange$see(ret + 8);
  const count = exchange$words[(ret >> 2) + 1];
  const texts = exchange$texts(exchange$words[ret >> 2], count);
  $dealloc(ret);
  $resource_import$types_0_2_10$drop$fields(fields);
  texts.length = count;
  return texts;
}

function exchange$dropRequest(request) {
  $resource_import$types_0_2_10$drop$incomingRequest(request[symbolRscHandle]);
}

/** The handle in a `result<own<…>>` that a call returned, or an error of this text. */
function exchange$own(ret, what, headers) {
  exchange$see(ret + 8);
  const failed = exchange$bytes[ret];
  const handle = exchange$words[(ret >> 2) + 1] | 0;
  $dealloc(ret);
  if (failed) throw new Error(headers ? `${what}: ${headers.map(([name]) => name).join(', ')}` : what);
  return handle;
}

/** Header names and values in memory of the host's form: [its address, what to free afterwards]. */
function exchange$placeHeaders(headers) {
  const count = headers.length;
  if (count === 0) return [4, []];
  let text = '';
  for (let index = 0; index < count; index++) text += headers[index][0] + headers[index][1];
  const table = count * 16;
  const base = $realloc(0, 0, 4, table + text.length);
  exchange$see(base + table + text.length);
  const { read, written } = TEXT_ENCODER_UTF8.encodeInto(text, exchange$bytes.subarray(base + table, base + table + text.length));
  const pieces = [[base, table + text.length, 4]];
  // One byte for each code unit: all of them lie there one after the other. Otherwise each is placed for itself.
  const isPlain = read === text.length && written === text.length;
  let from = base + table;
  let at = base;
  for (let index = 0; index < count; index++) {
    for (let part = 0; part < 2; part++) {
      const value = headers[index][part];
      let place = from;
      let length = value.length;
      from += length;
      if (!isPlain) {
        [place, length] = exchange$place(value);
        if (length !== 0) pieces.push([place, length, 1]);
      }
      exchange$words[at >> 2] = place;
      exchange$words[(at >> 2) + 1] = length;
      at += 8;
    }
  }
  return [base, pieces];
}

/** Begins the answer: [body, stream], handles. Names and values must be texts. */
function exchange$respond(out, status, headers) {
  const [base, pieces] = exchange$placeHeaders(headers);
  const ret = $import_wasi_http_types_0_2_10$fields$static$fromList(base, headers.length);
  for (const piece of pieces) $dealloc(piece[0], piece[1], piece[2]);
  const fields = exchange$own(ret, 'a header of the answer is not allowed', headers);
  const response = $import_wasi_http_types_0_2_10$outgoingResponse$constructor(fields);
  if (status !== 200 && $import_wasi_http_types_0_2_10$outgoingResponse$method$setStatusCode(response, status)) {
    $resource_import$types_0_2_10$drop$outgoingResponse(response);
    throw new RangeError(`${status} is not a status`);
  }
  const body = exchange$own($import_wasi_http_types_0_2_10$outgoingResponse$method$body(response), 'the answer has no body');
  $import_wasi_http_types_0_2_10$responseOutparam$static$set(out[symbolRscHandle], 0, response, 0, 0n, 0, 0, 0, 0);
  return [body, exchange$own($import_wasi_http_types_0_2_10$outgoingBody$method$write(body), 'the body of the answer was begun before')];
}

/** Throws if a call on a stream returned an error. */
function exchange$checkStream(ret, at) {
  exchange$see(ret + 16);
  if (!exchange$bytes[ret]) return;
  if (exchange$bytes[ret + at] === 0) $resource_import$error_0_2_10$drop$error(exchange$words[(ret + at + 4) >> 2] | 0);
  $dealloc(ret);
  throw new Error('the client has gone');
}

/** Writes what lies at `pointer`, waiting while the client is slow. */
function exchange$send(stream, pointer, length) {
  for (let done = 0; done < length;) {
    let ret = $import_wasi_io_streams_0_2_10$outputStream$method$checkWrite(stream);
    exchange$checkStream(ret, 8);
    const room = exchange$words[(ret + 8) >> 2];
    $dealloc(ret);
    if (room === 0) {
      const ready = $import_wasi_io_streams_0_2_10$outputStream$method$subscribe(stream);
      $import_wasi_io_poll_0_2_10$pollable$method$block(ready);
      $resource_import$poll_0_2_10$drop$pollable(ready);
      continue;
    }
    const size = Math.min(room, length - done);
    ret = $import_wasi_io_streams_0_2_10$outputStream$method$write(stream, pointer + done, size);
    exchange$checkStream(ret, 4);
    $dealloc(ret);
    done += size;
  }
}

/** Writes bytes, waiting while the client is slow. */
function exchange$write(stream, bytes) {
  const [pointer, length] = exchange$place(bytes);
  try {
    exchange$send(stream, pointer, length);
  } finally {
    exchange$free(pointer, length);
  }
}

/** A whole answer, its length in its headers if they do not say it. */
function exchange$answer(out, status, headers, body, isHead) {
  const [pointer, length] = exchange$placeBody(body);
  try {
    if (length !== 0 && !headers.some((pair) => pair[0] === 'content-length')) headers.push(['content-length', String(length)]);
    const [handle, stream] = exchange$respond(out, status, headers);
    try {
      exchange$send(stream, pointer, length);
    } catch (error) {
      exchange$abort(handle, stream);
      throw error;
    }
    exchange$end(handle, stream, isHead);
  } finally {
    exchange$free(pointer, length);
  }
}

/** Ends the body. Throws if its length is not the one that was announced; the answer to HEAD has none, whatever it announces. */
function exchange$end(body, stream, isHead) {
  $resource_import$streams_0_2_10$drop$outputStream(stream);
  const ret = $import_wasi_http_types_0_2_10$outgoingBody$static$finish(body, 0, 0);
  exchange$see(ret + 1);
  const failed = exchange$bytes[ret];
  $dealloc(ret);
  if (failed && !isHead) throw new Error('the body of the answer could not be ended: is it as long as its content-length says?');
}

/** Breaks the body off. */
function exchange$abort(body, stream) {
  $resource_import$streams_0_2_10$drop$outputStream(stream);
  $resource_import$types_0_2_10$drop$outgoingBody(body);
}

/** The request's body: [body, stream], handles. */
function exchange$open(request) {
  const body = exchange$own($import_wasi_http_types_0_2_10$incomingRequest$method$consume(request[symbolRscHandle]), 'the request body was taken before');
  return [body, exchange$own($import_wasi_http_types_0_2_10$incomingBody$method$stream(body), 'the request body was taken before')];
}

/** The next piece of the request's body; null at its end. */
function exchange$read(stream) {
  for (;;) {
    const ret = $import_wasi_io_streams_0_2_10$inputStream$method$blockingRead(stream, 65536n);
    const view = dataView($memory);
    if (view.getUint8(ret, true)) {
      const closed = view.getUint8(ret + 4, true) === 1;
      if (!closed) $resource_import$error_0_2_10$drop$error(view.getInt32(ret + 8, true));
      $dealloc(ret);
      if (closed) return null;
      throw new Error('the request body broke off');
    }
    const pointer = view.getUint32(ret + 4, true);
    const length = view.getUint32(ret + 8, true);
    $dealloc(ret);
    if (length === 0) continue;
    const bytes = new Uint8Array($memory.buffer, pointer, length).slice();
    $dealloc(pointer, length, 1);
    return bytes;
  }
}

/** Lets go of the request's body. */
function exchange$close(body, stream) {
  $resource_import$streams_0_2_10$drop$inputStream(stream);
  $resource_import$types_0_2_10$drop$futureTrailers($import_wasi_http_types_0_2_10$incomingBody$static$finish(body));
}

defineBuiltinModule('virga:exchange', {
  method: exchange$method,
  path: exchange$path,
  authority: exchange$authority,
  isHttps: exchange$isHttps,
  headers: exchange$headers,
  header: exchange$header,
  dropRequest: exchange$dropRequest,
  respond: exchange$respond,
  answer: exchange$answer,
  write: exchange$write,
  end: exchange$end,
  abort: exchange$abort,
  open: exchange$open,
  read: exchange$read,
  close: exchange$close,
});
