import os
import secrets

from flask import Flask, Response, abort, jsonify, render_template, request

app = Flask(__name__)
served = 0
counted = 0


@app.get("/")
def hello():
    global served
    served += 1
    print(f"hello number {served} of this wasm instance")
    return "Hello from Flask on Virga\n", {"content-type": "text/plain; charset=utf-8"}


@app.get("/env")
def environment():
    return jsonify(dict(os.environ))


@app.get("/env/<name>")
def variable(name):
    return os.environ[name] if name in os.environ else abort(404)


@app.get("/page/<name>")
def page(name):
    return render_template("page.html", name=name)


@app.post("/json")
def json():
    return jsonify(received=request.get_json())


@app.post("/echo")
def echo():
    return Response(request.get_data(), content_type="application/octet-stream")


@app.post("/upload")
def upload():
    file = request.files["file"]
    return jsonify(name=file.filename, bytes=len(file.read()))


@app.get("/stream")
def stream():
    return Response((f"piece {number}\n" for number in range(5)), content_type="text/plain")


@app.get("/random")
def random_digits():
    return secrets.token_hex(16)


@app.get("/count")
def count():
    global counted
    counted += 1
    return str(counted)


@app.get("/fail")
def fail():
    raise RuntimeError("this route always fails")


@app.cli.command("greet")
def greet():
    """A command of the app: flask greet."""
    print("task done greet")
