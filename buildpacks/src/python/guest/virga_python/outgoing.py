"""Requests to others, over wasi:http: what the app's HTTP clients use in place of sockets and TLS of their own."""

import asyncio
import io
import socket

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, types
from wit_world.imports.types import Fields, OutgoingBody, OutgoingRequest, RequestOptions, Scheme_Http, Scheme_Https

from . import fresh
from .requests import CONNECTION_HEADERS, READ_BYTES, Body, broken

_METHODS = {
    name: getattr(types, f"Method_{name.title()}")
    for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
}
# The host sets or checks these itself.
_NOT_SENT = CONNECTION_HEADERS


class Exchange:
    """One request, and its answer."""

    stream = incoming = response = future = None

    def __init__(self, scheme, authority, method, target, headers, timeout=None):
        if not fresh.has_begun():
            raise OSError(f"there is no network while the app is started at staging, and so no {authority}")
        pairs = [(name.lower(), value) for name, value in headers if name.lower() not in _NOT_SENT]
        try:
            request = OutgoingRequest(Fields.from_list(pairs))
            request.set_method(_METHODS[method]() if method in _METHODS else types.Method_Other(method))
            request.set_scheme(Scheme_Https() if scheme == "https" else Scheme_Http())
            request.set_authority(authority)
            request.set_path_with_query(target)
        except Err:
            raise OSError(f"the request cannot be sent: a part of {method} {scheme}://{authority}{target} is not valid") from None
        self.body = request.body()
        options = None
        if timeout is not None:
            options = RequestOptions()
            for setting in (options.set_connect_timeout, options.set_first_byte_timeout, options.set_between_bytes_timeout):
                setting(max(int(timeout * 1e9), 1))
        try:
            self.future = outgoing_handler.handle(request, options)
        except Err as error:
            raise _error(error.value, authority) from None
        self.authority = authority
        self.stream = self.body.write()
        self.status = self.headers = None

    def _write_some(self, view):
        try:
            room = self.stream.check_write()
            if room:
                self.stream.write(bytes(view[:room]))
        except Err as error:
            raise broken(error, "the request") or BrokenPipeError("the other side reads no more") from None
        return view[room:]

    def write(self, data):
        view = memoryview(data)
        while view:
            rest = self._write_some(view)
            if len(rest) == len(view):
                with self.stream.subscribe() as ready:
                    ready.block()
            view = rest

    async def write_async(self, loop, data):
        view = memoryview(data)
        while view:
            rest = self._write_some(view)
            if len(rest) == len(view):
                await loop.wait(self.stream.subscribe())
            view = rest

    def finish(self):
        """The request is whole."""
        if self.stream is not None:
            self.stream.__exit__(None, None, None)
            self.stream = None
            OutgoingBody.finish(self.body, None)

    def wait(self):
        """Waits for the answer's head."""
        self.finish()
        while not self._take():
            with self.future.subscribe() as ready:
                ready.block()

    async def wait_async(self, loop):
        self.finish()
        while not self._take():
            await loop.wait(self.future.subscribe())

    def _take(self):
        if self.response is not None:
            return True
        answer = self.future.get()
        if answer is None:
            return False
        result = answer.value if isinstance(answer, Ok) else answer
        if isinstance(result, Err):
            raise _error(result.value, self.authority)
        self.response = result.value
        self.status = self.response.status()
        with self.response.headers() as fields:
            self.headers = fields.entries()
        self.incoming = Body(self.response)
        return True

    def __del__(self):
        self.close()

    def close(self):
        """Children first: a parent that goes before its child traps."""
        if self.stream is not None:
            self.stream.__exit__(None, None, None)
            self.body.__exit__(None, None, None)
            self.stream = None
        if self.incoming is not None:
            self.incoming.release()
            self.incoming = None
        if self.response is not None:
            self.response.__exit__(None, None, None)
            self.response = None
        if self.future is not None:
            self.future.__exit__(None, None, None)
            self.future = None


def _error(code, authority):
    """The exception that a socket would have raised."""
    name = type(code).__name__.removeprefix("ErrorCode_")
    text = f"{authority}: {getattr(code, 'value', None) or name}"
    if name in ("DnsTimeout", "DnsError", "DestinationNotFound"):
        return socket.gaierror(socket.EAI_NONAME, text)
    if name in ("ConnectionTimeout", "ConnectionReadTimeout", "ConnectionWriteTimeout", "HttpResponseTimeout"):
        return TimeoutError(text)
    if name in ("DestinationIpProhibited", "HttpRequestDenied"):
        return PermissionError(f"{authority}: no security group of this space lets the app connect there ({name})")
    if name == "ConnectionRefused":
        return ConnectionRefusedError(text)
    if name.startswith("Tls"):
        from . import tls

        return tls.SSLError(text)
    return ConnectionError(text)


class Connection:
    """What http.client and urllib3 take for a connected socket. Requests that are written to it as HTTP/1.1 become exchanges."""

    def __init__(self, scheme, host, port, timeout=None):
        self.scheme, self.host, self.port, self.timeout = scheme, host, port, timeout
        self.pending = bytearray()
        self.exchange = None
        # Whether somebody reads the answer, and goes on when the connection is closed.
        self.is_read = False
        # Bytes of the body that are still to come; None for chunks.
        self.left = 0

    @property
    def authority(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    def sendall(self, data, *_):
        self.pending += memoryview(data).cast("B")
        if self.exchange is None or (self.left == 0 and self.exchange.stream is None):
            head, found, rest = bytes(self.pending).partition(b"\r\n\r\n")
            if not found:
                return
            self.pending = bytearray(rest)
            self._begin(head.decode("latin-1"))
        self._pass_on()

    def send(self, data, *_):
        self.sendall(data)
        return len(data)

    def _begin(self, head):
        first, *lines = head.split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise OSError("only HTTP/1.1 can be spoken on this connection: the platform does TLS for HTTP alone")
        headers = [(name.strip(), value.strip().encode("latin-1")) for name, _, value in (line.partition(":") for line in lines)]
        lower = {name.lower(): value for name, value in headers}
        self.left = None if b"chunked" in lower.get("transfer-encoding", b"").lower() else int(lower.get("content-length", b"0") or b"0")
        if self.exchange is not None:
            self.exchange.close()
        self.is_read = False
        target = words[1]
        if "://" in target:
            target = "/" + target.split("://", 1)[1].partition("/")[2]
        authority = lower.get("host", b"").decode("latin-1") or self.authority
        self.exchange = Exchange(self.scheme, authority, words[0], target, headers, self.timeout)
        if self.left == 0:
            self.exchange.finish()

    def _pass_on(self):
        if self.exchange.stream is None:
            return
        if self.left is not None:
            piece = bytes(self.pending[: self.left])
            del self.pending[: len(piece)]
            self.exchange.write(piece)
            self.left -= len(piece)
            if self.left == 0:
                self.exchange.finish()
            return
        while b"\r\n" in self.pending:
            line, _, rest = bytes(self.pending).partition(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if len(rest) < size + 2:
                return
            self.exchange.write(rest[:size])
            self.pending = bytearray(rest[size + 2 :])
            if size == 0:
                self.left = 0
                self.exchange.finish()
                return

    def makefile(self, mode="r", *_, **__):
        self.is_read = True
        return io.BufferedReader(_Answer(self.exchange), READ_BYTES) if "r" in mode else io.BytesIO()

    def recv(self, size, *_):
        raise OSError("only HTTP/1.1 can be spoken on this connection")

    def settimeout(self, timeout):
        self.timeout = timeout

    def gettimeout(self):
        return self.timeout

    def setblocking(self, _):
        """It blocks."""

    def setsockopt(self, *_):
        """The host's sockets are its own."""

    def shutdown(self, *_):
        """It ends when it is closed."""

    def close(self):
        if self.exchange is not None and not self.is_read:
            self.exchange.close()
        self.exchange = None

    def fileno(self):
        return -1

    def getsockname(self):
        return ("127.0.0.1", 0)

    def getpeername(self):
        return (self.host, self.port)

    # Of TLS sockets; the host has checked the certificate.
    def getpeercert(self, binary_form=False):
        return b"" if binary_form else {"subjectAltName": (("DNS", self.host),)}

    def selected_alpn_protocol(self):
        return "http/1.1"

    def version(self):
        return "TLSv1.3"

    def cipher(self):
        return None


class _Answer(io.RawIOBase):
    """An answer as HTTP/1.1 would bring it."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.head = None

    def readable(self):
        return True

    def close(self):
        if self.exchange is not None:
            self.exchange.close()
            self.exchange = None
        super().close()

    def readinto(self, buffer):
        if self.exchange is None:
            return 0
        if self.head is None:
            self.exchange.wait()
            lines = [f"HTTP/1.1 {self.exchange.status} Status".encode()]
            kept = [(name, value) for name, value in self.exchange.headers if name.lower() not in ("connection", "transfer-encoding")]
            lines += [name.encode("latin-1") + b": " + value for name, value in kept]
            if not any(name.lower() == "content-length" for name, _ in kept):
                lines.append(b"connection: close")
            self.head = b"\r\n".join(lines) + b"\r\n\r\n"
        piece = self.head[: len(buffer)] if self.head else self.exchange.incoming.read(len(buffer))
        if self.head:
            self.head = self.head[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)


def http_client(module):
    """http.client: the standard library's own client, and what is built on it."""

    def connect(connection):
        timeout = connection.timeout if isinstance(connection.timeout, (int, float)) else socket.getdefaulttimeout()
        connection.sock = Connection("http", connection.host, connection.port, timeout)

    def connect_tls(connection):
        connect(connection)
        connection.sock.scheme = "https"

    module.HTTPConnection.connect = connect
    module.HTTPSConnection.connect = connect_tls


def urllib3_connection(module):
    """urllib3, and so requests."""

    def new_connection(connection):
        timeout = connection.timeout if isinstance(connection.timeout, (int, float)) else None
        return Connection("http", connection._dns_host, connection.port, timeout)

    def connect(connection):
        connection.sock = new_connection(connection)
        connection._has_connected_to_proxy = bool(connection.proxy)

    def connect_tls(connection):
        connect(connection)
        connection.sock.scheme = "https"
        connection.is_verified = True
        connection.proxy_is_verified = None

    module.HTTPConnection._new_conn = new_connection
    module.HTTPConnection.connect = connect
    module.HTTPSConnection.connect = connect_tls
    module.wait_for_read = lambda *_, **__: False


def httpx_transports(module):
    """httpx, with and without asyncio."""
    # Not from httpx itself, which is still being imported.
    from httpx._exceptions import ConnectError, ConnectTimeout
    from httpx._models import Response
    from httpx._types import AsyncByteStream, SyncByteStream

    class Stream(SyncByteStream, AsyncByteStream):
        def __init__(self, exchange):
            self.exchange = exchange

        def __iter__(self):
            while piece := self.exchange.incoming.read(READ_BYTES):
                yield piece

        async def __aiter__(self):
            loop = asyncio.get_running_loop()
            while (piece := self.exchange.incoming.read_ready(READ_BYTES)) is not None:
                if piece:
                    yield piece
                else:
                    await loop.wait(self.exchange.incoming.open().subscribe())

        def close(self):
            self.exchange.close()

        async def aclose(self):
            self.exchange.close()

    def begin(request):
        url = request.url
        headers = [(name.decode("latin-1"), value) for name, value in request.headers.raw]
        target = url.raw_path.decode("latin-1")
        timeout = (request.extensions.get("timeout") or {}).get("read")
        return Exchange(url.scheme, url.netloc.decode("latin-1"), request.method.upper(), target, headers, timeout)

    def response(exchange):
        headers = [(name.encode("latin-1"), value) for name, value in exchange.headers]
        return Response(exchange.status, headers=headers, stream=Stream(exchange))

    def translated(error, request):
        kind = ConnectTimeout if isinstance(error, TimeoutError) else ConnectError
        return kind(str(error), request=request)

    def handle(transport, request):
        try:
            exchange = begin(request)
            for piece in request.stream:
                exchange.write(piece)
            exchange.wait()
        except OSError as error:
            raise translated(error, request) from error
        return response(exchange)

    async def handle_async(transport, request):
        loop = asyncio.get_running_loop()
        try:
            exchange = begin(request)
            async for piece in request.stream:
                await exchange.write_async(loop, piece)
            await exchange.wait_async(loop)
        except OSError as error:
            raise translated(error, request) from error
        return response(exchange)

    module.HTTPTransport.__init__ = module.AsyncHTTPTransport.__init__ = lambda *_, **__: None
    module.HTTPTransport.handle_request = handle
    module.AsyncHTTPTransport.handle_async_request = handle_async

    def close(_):
        """Each exchange closes itself."""

    async def aclose(_):
        """Each exchange closes itself."""

    async def leave_async(transport, *_):
        """Each exchange closes itself."""

    async def enter_async(transport):
        return transport

    module.HTTPTransport.close = close
    module.HTTPTransport.__enter__ = lambda transport: transport
    module.HTTPTransport.__exit__ = lambda *_: None
    module.AsyncHTTPTransport.aclose = aclose
    module.AsyncHTTPTransport.__aenter__ = enter_async
    module.AsyncHTTPTransport.__aexit__ = leave_async
