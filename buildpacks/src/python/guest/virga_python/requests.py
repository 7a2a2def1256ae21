"""Requests and answers of wasi:http 0.2, as the bridges to WSGI and ASGI need them."""

import io
import sys
import traceback

from componentize_py_types import Err, Ok
from wit_world.imports.types import (
    Fields,
    IncomingBody,
    Method_Connect,
    Method_Delete,
    Method_Get,
    Method_Head,
    Method_Options,
    Method_Other,
    Method_Patch,
    Method_Post,
    Method_Put,
    Method_Trace,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

METHODS = {
    Method_Get: "GET", Method_Head: "HEAD", Method_Post: "POST", Method_Put: "PUT", Method_Delete: "DELETE",
    Method_Connect: "CONNECT", Method_Options: "OPTIONS", Method_Trace: "TRACE", Method_Patch: "PATCH",
}
# Headers of a connection, which the host alone may set.
CONNECTION_HEADERS = {
    "connection", "host", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
}
READ_BYTES = 64 * 1024


def method_of(request):
    method = request.method()
    return method.value if isinstance(method, Method_Other) else METHODS[type(method)]


def broken(error, what):
    """The OSError for a stream's error; None if the stream is only at its end."""
    reason = getattr(error.value, "value", None)
    if reason is None:
        return None
    with reason:
        return OSError(f"{what} broke off: {reason.to_debug_string()}")


class Body:
    """An incoming body and its stream, opened when first needed and let go of in order: a parent that goes before its child traps."""

    def __init__(self, message):
        self.message = message
        self.body = None
        self.stream = None
        self.at_end = False

    def open(self):
        if self.stream is None:
            self.body = self.message.consume()
            self.stream = self.body.stream()
        return self.stream

    def read(self, size):
        """Some bytes, waiting for them; none at the end."""
        while not self.at_end:
            try:
                piece = self.open().blocking_read(size)
            except Err as error:
                self.end(error)
                break
            if piece:
                return piece
        return b""

    def read_ready(self, size):
        """Some bytes if any are there; empty if none are there yet; None at the end."""
        if self.at_end:
            return None
        try:
            return self.open().read(size)
        except Err as error:
            self.end(error)
            return None

    def end(self, error):
        self.at_end = True
        broken_off = broken(error, "the body")
        if broken_off is not None:
            raise broken_off from None

    def release(self):
        self.at_end = True
        if self.stream is not None:
            self.stream.__exit__(None, None, None)
            IncomingBody.finish(self.body).__exit__(None, None, None)
            self.stream = self.body = None


class Input(io.RawIOBase):
    """A request's body as a raw file."""

    def __init__(self, body):
        self.body = body

    def readable(self):
        return True

    def readinto(self, buffer):
        piece = self.body.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class Answer:
    """One answer on its way out."""

    def __init__(self, out):
        self.out = out
        self.body = self.stream = None

    @property
    def has_begun(self):
        return self.body is not None

    def begin(self, status, headers):
        """Sends the head. `headers` are pairs of a lower-case text and bytes."""
        response = OutgoingResponse(Fields.from_list([pair for pair in headers if pair[0] not in CONNECTION_HEADERS]))
        response.set_status_code(status)
        self.body = response.body()
        ResponseOutparam.set(self.out, Ok(response))
        self.stream = self.body.write()

    def room(self):
        """Bytes that may be written now."""
        try:
            return self.stream.check_write()
        except Err as error:
            raise broken(error, "the answer") or BrokenPipeError("the client has gone") from None

    def write_some(self, view):
        """Writes what there is room for and gives the rest."""
        room = self.room()
        if room:
            try:
                self.stream.write(bytes(view[:room]))
            except Err as error:
                raise broken(error, "the answer") or BrokenPipeError("the client has gone") from None
        return view[room:]

    def write(self, data):
        view = memoryview(data)
        while view:
            rest = self.write_some(view)
            if len(rest) == len(view):
                with self.stream.subscribe() as ready:
                    ready.block()
            view = rest

    def end(self):
        self.stream.__exit__(None, None, None)
        self.stream = None
        OutgoingBody.finish(self.body, None)

    def abort(self):
        """Breaks off an answer that cannot be finished, so that its reader does not take it for a whole one."""
        if self.stream is not None:
            self.stream.__exit__(None, None, None)
            self.body.__exit__(None, None, None)
            self.stream = None


def fail(answer):
    """An exception that the framework let through: it is logged, and the client told."""
    if isinstance(sys.exception(), BrokenPipeError):
        answer.abort()
        return
    traceback.print_exc()
    if answer.has_begun:
        answer.abort()
        return
    answer.begin(500, [("content-type", b"text/plain; charset=utf-8")])
    answer.write(b"Internal Server Error\n")
    answer.end()
