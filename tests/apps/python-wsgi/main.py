"""A WSGI app of the standard library alone."""

import json
import os
import secrets
import sqlite3
import sys

# Read while the module is imported, as many apps do: it must still be the running app's.
GREETING = os.environ.get("GREETING", "Hello")
counted = 0


def stream():
    for number in range(3):
        yield f"piece {number}\n".encode()


def app(environ, start_response):
    global counted
    path = environ["PATH_INFO"]
    plain = [("content-type", "text/plain; charset=utf-8")]
    if path == "/":
        print("hello", environ.get("REMOTE_ADDR"))
        start_response("200 OK", plain)
        return [f"{GREETING} from WSGI on Virga\n".encode()]
    if path == "/env":
        start_response("200 OK", [("content-type", "application/json")])
        return [json.dumps(dict(os.environ)).encode()]
    if path.startswith("/env/") and path[5:] in os.environ:
        start_response("200 OK", plain)
        return [os.environ[path[5:]].encode()]
    if path == "/echo":
        start_response("200 OK", [("content-type", "application/octet-stream")])
        return [environ["wsgi.input"].read()]
    if path == "/stream":
        start_response("200 OK", plain)
        return stream()
    if path == "/random":
        start_response("200 OK", plain)
        return [secrets.token_hex(16).encode()]
    if path == "/count":
        counted += 1
        start_response("200 OK", plain)
        return [str(counted).encode()]
    if path == "/data":
        start_response("200 OK", plain)
        with open("data.txt", "rb") as data:
            return [data.read()]
    if path == "/sql":
        with sqlite3.connect(":memory:") as database:
            row = database.execute("select sum(value) from (select 20 as value union all select 22)").fetchone()
        start_response("200 OK", plain)
        return [str(row[0]).encode()]
    start_response("404 Not Found", plain)
    return [b"not found\n"]


if __name__ == "__main__":
    print("task done", *sys.argv[1:])
