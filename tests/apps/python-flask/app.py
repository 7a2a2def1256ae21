import os

from flask import Flask, jsonify, render_template, request

app = Flask(__name__)
served = 0


@app.get("/")
def hello():
    global served
    served += 1
    print(f"hello number {served} of this wasm instance")
    return "Hello from Flask on Virga\n", {"content-type": "text/plain; charset=utf-8"}


@app.get("/env")
def environment():
    return jsonify(dict(os.environ))


@app.get("/page/<name>")
def page(name):
    return render_template("page.html", name=name)


@app.post("/json")
def echo():
    return jsonify(received=request.get_json())


@app.get("/fail")
def fail():
    raise RuntimeError("this route always fails")
