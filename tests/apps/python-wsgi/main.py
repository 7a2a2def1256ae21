"""A WSGI app of the standard library alone."""

import json
import os

# Read while the module is imported, as many apps do: it must still be the running app's.
GREETING = os.environ.get("GREETING", "Hello")


def stream():
    for number in range(3):
        yield f"piece {number}\n".encode()


def app(environ, start_response):
    path = environ["PATH_INFO"]
    plain = [("content-type", "text/plain; charset=utf-8")]
    if path == "/":
        print("hello", environ.get("REMOTE_ADDR"))
        start_response("200 OK", plain)
        return [f"{GREETING} from WSGI on Virga\n".encode()]
    if path == "/env":
        start_response("200 OK", [("content-type", "application/json")])
        return [json.dumps(dict(os.environ)).encode()]
    if path == "/echo":
        start_response("200 OK", plain)
        return [environ["wsgi.input"].read()]
    if path == "/stream":
        start_response("200 OK", plain)
        return stream()
    if path == "/data":
        start_response("200 OK", plain)
        with open("data.txt", "rb") as data:
            return [data.read()]
    start_response("404 Not Found", plain)
    return [b"not found\n"]
