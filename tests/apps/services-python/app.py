"""Uses services of the platform by HTTP, with `requests`. There is no credential in this app."""

import json
import os
import pathlib

import requests
from flask import Flask, jsonify, request

app = Flask(__name__)


def credentials(offering: str) -> dict:
    """Those of the first bound instance of an offering, from where the app's features put them."""
    path = os.environ.get("VCAP_SERVICES_FILE_PATH")
    services = pathlib.Path(path).read_text() if path else os.environ["VCAP_SERVICES"]
    return json.loads(services)[offering][0]["credentials"]


def url(offering: str) -> str:
    return credentials(offering)["url"]


def asked(answer: requests.Response) -> requests.Response:
    answer.raise_for_status()
    return answer


@app.get("/")
def hello():
    return "Hello from Python, with services\n"


@app.post("/hits")
def hits():
    return str(asked(requests.post(url("keyvalue") + "/v1/keys/hits/increment")).json()["value"])


@app.put("/keys/<path:key>")
def put(key: str):
    asked(requests.put(url("keyvalue") + "/v1/keys/" + requests.utils.quote(key, safe=""), data=request.get_data()))
    return "", 204


@app.get("/keys/<path:key>")
def get(key: str):
    return asked(requests.get(url("keyvalue") + "/v1/keys/" + requests.utils.quote(key, safe=""))).content


def query(sql: str, *params):
    return asked(requests.post(url("sqlite") + "/v1/query", json={"sql": sql, "params": params})).json()


@app.post("/notes")
def add():
    query("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    return str(query("INSERT INTO notes (text) VALUES (?)", request.get_data(as_text=True))["last_insert_rowid"])


@app.get("/notes")
def notes():
    return jsonify([text for (text,) in query("SELECT text FROM notes ORDER BY id")["rows"]])


def order(sql: str, *params):
    return asked(requests.post(url("postgres") + "/v1/query", json={"sql": sql, "params": params})).json()["rows"]


@app.post("/orders")
def add_order():
    order("CREATE TABLE IF NOT EXISTS orders (id SERIAL PRIMARY KEY, text TEXT NOT NULL)")
    return str(order("INSERT INTO orders (text) VALUES ($1) RETURNING id", request.get_data(as_text=True))[0][0])


@app.get("/orders")
def orders():
    return jsonify([text for (text,) in order("SELECT text FROM orders ORDER BY id")])


@app.post("/visits")
def visits():
    command = ["INCR", credentials("redis")["prefix"] + "visits"]
    return str(asked(requests.post(url("redis") + "/v1/command", json={"command": command})).json()["value"])


@app.get("/motto")
def motto():
    return asked(requests.get(url("config") + "/v1/values/motto")).text


@app.errorhandler(requests.RequestException)
def failed(error: requests.RequestException):
    return str(error), 502
