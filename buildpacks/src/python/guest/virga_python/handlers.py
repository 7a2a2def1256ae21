"""Apps of http.server: a request handler's class as a WSGI callable."""

import io


def app_of(server):
    """The WSGI callable for a server of the module http.server."""
    return HandlerApp(server)


class HandlerApp:
    def __init__(self, server):
        self.server = server

    def __call__(self, environ, start_response):
        kind = self.server.RequestHandlerClass
        handler = kind.__new__(kind)
        handler.server = self.server
        handler.client_address = (environ.get("REMOTE_ADDR", "127.0.0.1"), 0)
        handler.request = handler.connection = None
        handler.rfile = environ["wsgi.input"]
        handler.wfile = io.BytesIO()
        self._read_head(handler, environ)
        method = getattr(handler, f"do_{handler.command}", None)
        if method is None:
            handler.send_error(501, f"Unsupported method ({handler.command!r})")
        else:
            method()
        handler.wfile.flush()
        return [answer(handler.wfile.getvalue(), start_response)]

    @staticmethod
    def _read_head(handler, environ):
        import email.message

        handler.command = environ["REQUEST_METHOD"]
        handler.path = environ["REQUEST_URI"]
        handler.request_version = "HTTP/1.1"
        handler.requestline = f"{handler.command} {handler.path} HTTP/1.1"
        handler.close_connection = True
        handler.raw_requestline = handler.requestline.encode("latin-1") + b"\r\n"
        handler.headers = email.message.Message()
        for key, value in environ.items():
            if key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                handler.headers[key.removeprefix("HTTP_").replace("_", "-").title()] = value


def answer(written, start_response):
    """Takes the head off what a handler wrote, and gives the body."""
    head, _, body = written.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/"):
        raise RuntimeError("the request handler wrote no status line; it must call send_response")
    headers = [tuple(piece.strip() for piece in line.split(":", 1)) for line in lines[1:] if ":" in line]
    start_response(" ".join(parts[1:]), headers)
    return body
