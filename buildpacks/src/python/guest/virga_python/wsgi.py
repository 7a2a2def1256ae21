"""WSGI (PEP 3333) over wasi:http."""

import io
import os
import sys
from urllib.parse import unquote_to_bytes

from .requests import Body, Input, method_of

SERVER = {
    "SERVER_NAME": "localhost", "SERVER_PORT": "8080", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
    "wsgi.multithread": False, "wsgi.multiprocess": True, "wsgi.run_once": False, "wsgi.input_terminated": True,
}


def serve(app, request, answer):
    body = Body(request)
    head = Head(answer)
    try:
        result = app(environ_of(request, body), head.start)
        try:
            for piece in result:
                if piece:
                    head.write(piece)
        finally:
            if hasattr(result, "close"):
                result.close()
        # Before the answer ends: what the client still sends must not be waited for.
        body.release()
        head.begin()
        answer.end()
    finally:
        body.release()


class Head:
    """start_response, and the write that it gives. The head goes out with the first bytes, as WSGI wants it."""

    def __init__(self, answer):
        self.answer = answer
        self.status = None
        self.headers = None

    def start(self, status, headers, exc_info=None):
        if self.answer.has_begun:
            if exc_info:
                raise exc_info[1].with_traceback(exc_info[2])
            raise AssertionError("the answer was already begun")
        self.status, self.headers = int(status.split(None, 1)[0]), headers
        return self.write

    def begin(self):
        if self.answer.has_begun:
            return
        if self.status is None:
            raise AssertionError("the app did not call start_response")
        self.answer.begin(self.status, [(name.lower(), str(value).encode("latin-1", "replace")) for name, value in self.headers])

    def write(self, data):
        self.begin()
        self.answer.write(data)


def environ_of(request, body):
    path, _, query = (request.path_with_query() or "/").partition("?")
    environ = {
        **SERVER,
        "REQUEST_METHOD": method_of(request),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": f"{path}?{query}" if query else path,
        "wsgi.input": io.BufferedReader(Input(body), 65536),
        "wsgi.errors": sys.stderr,
    }
    with request.headers() as fields:
        for name, value in fields.entries():
            key = name.upper().replace("-", "_")
            text = value.decode("latin-1")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = f"HTTP_{key}"
            environ[key] = f"{environ[key]},{text}" if key in environ and key != "CONTENT_LENGTH" else text
    environ.setdefault("HTTP_HOST", request.authority() or "localhost")
    environ["SERVER_NAME"] = environ["HTTP_HOST"].rpartition(":")[0] or environ["HTTP_HOST"]
    environ["SERVER_PORT"] = os.environ.get("PORT", "8080")
    environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR", "127.0.0.1").split(",")[0].strip()
    if environ.get("HTTP_X_FORWARDED_PROTO", "").split(",")[0].strip() == "https":
        environ["wsgi.url_scheme"] = "https"
    return environ


def warm_up(app, method, content_type, body):
    """One request that never came, at staging."""
    environ = {
        **SERVER, "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": "/.virga/warm-up", "QUERY_STRING": "a=1", "HTTP_HOST": "localhost",
        "HTTP_COOKIE": "a=1", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(),
    }
    if content_type:
        environ["CONTENT_TYPE"] = content_type
    answer = app(environ, lambda *_: lambda _: None)
    list(answer)
    if hasattr(answer, "close"):
        answer.close()
