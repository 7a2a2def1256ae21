"""ASGI 3 over wasi:http: one loop for the life of the instance, on which requests run one after the other."""

import asyncio
import traceback
from urllib.parse import unquote_to_bytes

from .loop import Loop
from .requests import READ_BYTES, Body, method_of

_VERSIONS = {"version": "3.0", "spec_version": "2.4"}
_loop = None
_state = {}
# The lifespan's task must not be collected while it waits for the end that never comes.
_lifespan = None


def serve(app, request, answer):
    loop = _of_instance(app)
    exchange = _Exchange(loop, request, answer)
    try:
        loop.run_until_complete(exchange.run(app))
        # Tasks that the app made may go as far as they can without waiting; the rest goes on with the next request.
        loop.run_ready()
    finally:
        exchange.body.release()


def _of_instance(app):
    """The instance's loop; the first time with the app's lifespan begun on it."""
    global _loop
    if _loop is None:
        loop = Loop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(_begin(loop, app))
        _loop = loop
    return _loop


async def _begin(loop, app):
    global _lifespan
    started = loop.create_future()
    asked = False

    async def receive():
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "lifespan.startup"}
        # The instance ends without notice: there is no shutdown to tell of.
        await loop.create_future()

    async def send(message):
        if not started.done():
            started.set_result(message)

    async def live():
        try:
            await app({"type": "lifespan", "asgi": _VERSIONS, "state": _state}, receive, send)
        except Exception:
            # An app that knows no lifespan says so by raising; one that does has answered before.
            if started.done():
                traceback.print_exc()
        finally:
            if not started.done():
                started.set_result({"type": "lifespan.unsupported"})

    _lifespan = loop.create_task(live())
    answer = await started
    if answer["type"] == "lifespan.startup.failed":
        raise RuntimeError(f"the app's start-up failed: {answer.get('message') or 'it gave no reason'}")


class _Exchange:
    def __init__(self, loop, request, answer):
        self.loop, self.request, self.answer = loop, request, answer
        self.body = Body(request)
        self.status = self.headers = None
        self.is_over = False
        self.over = None

    async def run(self, app):
        scope = _scope_of(self.request)
        if scope is None:
            self.answer.begin(501, [("content-type", b"text/plain; charset=utf-8")])
            self.answer.write(b"WebSocket is not possible in an HTTP component; use server-sent events or polling\n")
            self.answer.end()
            return
        await app(scope, self.receive, self.send)
        if not self.is_over:
            raise RuntimeError("the app returned before its answer was complete")

    async def receive(self):
        while not self.body.at_end and not self.is_over:
            piece = self.body.read_ready(READ_BYTES)
            if piece is None:
                return {"type": "http.request", "body": b"", "more_body": False}
            if piece:
                return {"type": "http.request", "body": piece, "more_body": True}
            await self.loop.wait(self.body.open().subscribe())
        if not self.is_over:
            if self.over is None:
                self.over = self.loop.create_future()
            await self.over
        return {"type": "http.disconnect"}

    async def send(self, message):
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
            self.headers = [(bytes(name).decode("latin-1").lower(), bytes(value)) for name, value in message.get("headers", ())]
        elif kind == "http.response.body":
            await self.write(message)
        else:
            raise RuntimeError(f"'{kind}' is not offered by this server; it offers http.response.start and http.response.body")

    async def write(self, message):
        if self.is_over:
            return
        if self.status is None:
            raise RuntimeError("http.response.body came before http.response.start")
        if not self.answer.has_begun:
            self.answer.begin(self.status, self.headers)
        view = memoryview(message.get("body", b""))
        while view:
            rest = self.answer.write_some(view)
            if len(rest) == len(view):
                await self.loop.wait(self.answer.stream.subscribe())
            view = rest
        if not message.get("more_body", False):
            # What the client still sends must not be waited for.
            self.body.release()
            self.answer.end()
            self.is_over = True
            if self.over is not None and not self.over.done():
                self.over.set_result(None)


def _scope_of(request):
    """None for an upgrade to WebSocket."""
    path, _, query = (request.path_with_query() or "/").partition("?")
    headers, host, forwarded, scheme = [], None, None, "http"
    with request.headers() as fields:
        for name, value in fields.entries():
            name = name.lower()
            headers.append((name.encode("latin-1"), value))
            if name == "host":
                host = value
            elif name == "x-forwarded-for":
                forwarded = value.decode("latin-1")
            elif name == "x-forwarded-proto" and value.split(b",")[0].strip() == b"https":
                scheme = "https"
            elif name == "upgrade" and value.lower() == b"websocket":
                return None
    if host is None:
        host = (request.authority() or "localhost").encode("latin-1")
        headers.insert(0, (b"host", host))
    name, _, port = host.decode("latin-1").rpartition(":")
    return {
        "type": "http",
        "asgi": _VERSIONS,
        "http_version": "1.1",
        "method": method_of(request).upper(),
        "scheme": scheme,
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "root_path": "",
        "headers": headers,
        "client": ((forwarded or "127.0.0.1").split(",")[0].strip(), 0),
        "server": (name, int(port)) if port.isdigit() and name else (host.decode("latin-1"), 443 if scheme == "https" else 80),
        "state": _state.copy(),
    }


def warm_up(app, method, content_type, body):
    """One request that never came, at staging, on a loop of its own."""
    loop = Loop()
    asyncio.set_event_loop(loop)
    headers = [(b"host", b"localhost"), (b"content-length", str(len(body)).encode()), (b"cookie", b"a=1")]
    if content_type:
        headers.append((b"content-type", content_type.encode()))
    scope = {
        "type": "http", "asgi": _VERSIONS, "http_version": "1.1", "method": method, "scheme": "http", "path": "/.virga/warm-up",
        "raw_path": b"/.virga/warm-up", "query_string": b"a=1", "root_path": "", "headers": headers, "client": ("127.0.0.1", 0),
        "server": ("localhost", 80), "state": {},
    }
    pieces = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        return pieces.pop() if pieces else {"type": "http.disconnect"}

    async def send(_):
        """Nobody reads it."""

    try:
        loop.run_until_complete(asyncio.wait_for(app(scope, receive, send), 2))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
