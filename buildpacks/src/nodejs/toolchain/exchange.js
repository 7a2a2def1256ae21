// Appended to the generated bindings of the engine, whose names it uses: one HTTP exchange by direct calls of the imports.
// The generated classes do the same through dozens of objects and closures, at three times the cost, and never free what
// they hand over, which is kilobytes a request.

const exchange$METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

/** Text that the host has put into our memory, which is freed. */
function exchange$text(pointer, length) {
  if (length === 0) return '';
  const bytes = new Uint8Array($memory.buffer, pointer, length);
  let text = TEXT_DECODER_UTF8.decode(bytes);
  // A header's value may hold any bytes; the fetch standard reads each as one code unit.
  if (text.includes('\ufffd')) text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  $dealloc(pointer, length, 1);
  return text;
}

/** A copy of a text or of bytes for the host: [pointer, length]. */
function exchange$place(data) {
  if (typeof data !== 'string') {
    if (data.byteLength === 0) return [1, 0];
    const pointer = $realloc(0, 0, 1, data.byteLength);
    new Uint8Array($memory.buffer, pointer, data.byteLength).set(data);
    return [pointer, data.byteLength];
  }
  const length = data.length;
  if (length === 0) return [1, 0];
  const pointer = $realloc(0, 0, 1, length);
  const bytes = new Uint8Array($memory.buffer, pointer, length);
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

function exchange$free([pointer, length]) {
  if (length !== 0) $dealloc(pointer, length, 1);
}

/** Method, path and headers of a request. */
function exchange$head(request) {
  const handle = request[symbolRscHandle];
  let ret = $import_wasi_http_types_0_2_10$incomingRequest$method$method(handle);
  let view = dataView($memory);
  const tag = view.getUint8(ret, true);
  const method = tag < exchange$METHODS.length ? exchange$METHODS[tag] : exchange$text(view.getUint32(ret + 4, true), view.getUint32(ret + 8, true));
  $dealloc(ret);
  ret = $import_wasi_http_types_0_2_10$incomingRequest$method$pathWithQuery(handle);
  view = dataView($memory);
  const path = view.getUint8(ret, true) ? exchange$text(view.getUint32(ret + 4, true), view.getUint32(ret + 8, true)) : '/';
  $dealloc(ret);
  ret = $import_wasi_http_types_0_2_10$incomingRequest$method$authority(handle);
  view = dataView($memory);
  const authority = view.getUint8(ret, true) ? exchange$text(view.getUint32(ret + 4, true), view.getUint32(ret + 8, true)) : undefined;
  $dealloc(ret);
  const fields = $import_wasi_http_types_0_2_10$incomingRequest$method$headers(handle);
  ret = $import_wasi_http_types_0_2_10$fields$method$entries(fields);
  view = dataView($memory);
  const base = view.getUint32(ret, true);
  const count = view.getUint32(ret + 4, true);
  $dealloc(ret);
  const headers = [];
  for (let at = base; at < base + count * 16; at += 16) {
    const name = exchange$text(view.getUint32(at, true), view.getUint32(at + 4, true));
    headers.push([name, exchange$text(view.getUint32(at + 8, true), view.getUint32(at + 12, true))]);
  }
  if (count !== 0) $dealloc(base, count * 16, 4);
  $resource_import$types_0_2_10$drop$fields(fields);
  return { method, path, authority, headers };
}

function exchange$dropRequest(request) {
  $resource_import$types_0_2_10$drop$incomingRequest(request[symbolRscHandle]);
}

/** The handle in a `result<own<…>>` that a call returned, or an error of this text. */
function exchange$own(ret, what) {
  const view = dataView($memory);
  const failed = view.getUint8(ret, true);
  const handle = view.getInt32(ret + 4, true);
  $dealloc(ret);
  if (failed) throw new Error(what);
  return handle;
}

/** Begins the answer: [body, stream], handles. Names and values must be texts. */
function exchange$respond(out, status, headers) {
  const base = headers.length === 0 ? 4 : $realloc(0, 0, 4, headers.length * 16);
  const placed = [];
  for (const [name, value] of headers) placed.push(exchange$place(name), exchange$place(value));
  const view = dataView($memory);
  let at = base;
  for (const [pointer, length] of placed) {
    view.setUint32(at, pointer, true);
    view.setUint32(at + 4, length, true);
    at += 8;
  }
  const ret = $import_wasi_http_types_0_2_10$fields$static$fromList(base, headers.length);
  for (const piece of placed) exchange$free(piece);
  if (headers.length !== 0) $dealloc(base, headers.length * 16, 4);
  const fields = exchange$own(ret, `a header of the answer is not allowed: ${headers.map(([name]) => name).join(', ')}`);
  const response = $import_wasi_http_types_0_2_10$outgoingResponse$constructor(fields);
  if ($import_wasi_http_types_0_2_10$outgoingResponse$method$setStatusCode(response, status)) {
    $resource_import$types_0_2_10$drop$outgoingResponse(response);
    throw new RangeError(`${status} is not a status`);
  }
  const body = exchange$own($import_wasi_http_types_0_2_10$outgoingResponse$method$body(response), 'the answer has no body');
  $import_wasi_http_types_0_2_10$responseOutparam$static$set(out[symbolRscHandle], 0, response, 0, 0n, 0, 0, 0, 0);
  return [body, exchange$own($import_wasi_http_types_0_2_10$outgoingBody$method$write(body), 'the body of the answer was begun before')];
}

/** Throws if a call on a stream returned an error. */
function exchange$checkStream(ret, at) {
  const view = dataView($memory);
  if (!view.getUint8(ret, true)) return;
  if (view.getUint8(ret + at, true) === 0) $resource_import$error_0_2_10$drop$error(view.getInt32(ret + at + 4, true));
  $dealloc(ret);
  throw new Error('the client has gone');
}

/** Writes bytes, waiting while the client is slow. */
function exchange$write(stream, bytes) {
  for (let done = 0; done < bytes.byteLength;) {
    let ret = $import_wasi_io_streams_0_2_10$outputStream$method$checkWrite(stream);
    exchange$checkStream(ret, 8);
    const room = Number(dataView($memory).getBigUint64(ret + 8, true));
    $dealloc(ret);
    if (room === 0) {
      const ready = $import_wasi_io_streams_0_2_10$outputStream$method$subscribe(stream);
      $import_wasi_io_poll_0_2_10$pollable$method$block(ready);
      $resource_import$poll_0_2_10$drop$pollable(ready);
      continue;
    }
    const piece = exchange$place(bytes.subarray(done, done + room));
    ret = $import_wasi_io_streams_0_2_10$outputStream$method$write(stream, piece[0], piece[1]);
    exchange$free(piece);
    exchange$checkStream(ret, 4);
    $dealloc(ret);
    done += piece[1];
  }
}

/** Ends the body. Throws if its length is not the one that was announced. */
function exchange$end(body, stream) {
  $resource_import$streams_0_2_10$drop$outputStream(stream);
  const ret = $import_wasi_http_types_0_2_10$outgoingBody$static$finish(body, 0, 0);
  const failed = dataView($memory).getUint8(ret, true);
  $dealloc(ret);
  if (failed) throw new Error('the body of the answer could not be ended: is it as long as its content-length says?');
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
  head: exchange$head,
  dropRequest: exchange$dropRequest,
  respond: exchange$respond,
  write: exchange$write,
  end: exchange$end,
  abort: exchange$abort,
  open: exchange$open,
  read: exchange$read,
  close: exchange$close,
});
