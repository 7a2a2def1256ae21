"""A service broker that does nothing, as quickly as the standard library lets it: what is measured is who asks it.

Prints its port, then serves until it is ended.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PLAN = {"id": "plan", "name": "small", "description": "small"}
SERVICE = {"id": "service", "name": "nothing", "description": "nothing", "bindable": True, "plans": [PLAN]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, status, body):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer(200, {"services": [SERVICE]})

    def do_PUT(self):
        self.answer(201, {"credentials": {"password": "p"}} if "/service_bindings/" in self.path else {})

    def do_DELETE(self):
        self.answer(200, {})

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
