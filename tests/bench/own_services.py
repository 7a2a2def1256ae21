"""The benchmark's group for the platform's own services: operations a second of a guest on `keyvalue` and `sqlite`, against the same
statements done natively by the standard library's `sqlite3`, with the same durability, in the same run."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time

from api import Postgres
from bench import PASSWORD, SECONDS, Virga, free_port, wait_for, wrk

APP = "services-rust"


def native(folder, setup, work):
    """How often a second `work` can be done with a database of its own, one after the other."""
    database = sqlite3.connect(os.path.join(folder, f"{time.monotonic_ns()}.sqlite"), isolation_level=None)
    for sql in ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", *setup]:
        database.execute(sql)
    end, count = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        work(database)
        count += 1
    database.close()
    return count / SECONDS


ENTRIES = [
    "CREATE TABLE entries (key TEXT NOT NULL UNIQUE, value BLOB NOT NULL, version INTEGER NOT NULL)",
    "CREATE TABLE totals (keys INTEGER, bytes INTEGER, version INTEGER)",
    "INSERT INTO totals VALUES (0, 0, 0)",
    "INSERT INTO entries VALUES ('hits', '0', 0)",
]
NOTES = ["CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"]


def increment(database):
    database.execute("BEGIN IMMEDIATE")
    (value,) = database.execute("SELECT value FROM entries WHERE key = 'hits'").fetchone()
    (version,) = database.execute("UPDATE totals SET version = version + 1 RETURNING version").fetchone()
    database.execute("UPDATE entries SET value = ?, version = ? WHERE key = 'hits'", (str(int(value) + 1), version))
    database.execute("COMMIT")


def read(database):
    database.execute("SELECT value, version FROM entries WHERE key = 'hits'").fetchone()


def insert(database):
    for sql, params in ((NOTES[0], ()), ("INSERT INTO notes (text) VALUES (?)", ("milk",))):
        database.execute("BEGIN IMMEDIATE")
        database.execute(sql, params)
        database.execute("COMMIT")


def select(database):
    database.execute("BEGIN IMMEDIATE")
    database.execute("SELECT text FROM notes ORDER BY id").fetchall()
    database.execute("COMMIT")


def settled(virga, path):
    """The first of a list, once its operation is over."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = virga.api("GET", path)["resources"]
        if found and found[0].get("last_operation", {}).get("state", "succeeded") == "succeeded":
            return found[0]["guid"]
        time.sleep(0.05)
    raise RuntimeError(f"{path}: {found}")


def bound_app(virga, offerings):
    """The sample, bound to an instance of each."""
    virga.push(APP, APP)
    space, app = settled(virga, "/v3/spaces"), virga.guid(APP)
    to = lambda guid: {"data": {"guid": guid}}
    for offering in offerings:
        plan = settled(virga, f"/v3/service_plans?service_offering_names={offering}&names=small")
        body = {"type": "managed", "name": offering, "relationships": {"space": to(space), "service_plan": to(plan)}}
        virga.api("POST", "/v3/service_instances", body)
        instance = settled(virga, f"/v3/service_instances?names={offering}")
        body = {"type": "app", "relationships": {"app": to(app), "service_instance": to(instance)}}
        virga.api("POST", "/v3/service_credential_bindings", body)
        settled(virga, f"/v3/service_credential_bindings?service_instance_guids={instance}")
    virga.virga("restart", APP)
    wait_for(virga.port, virga.host(APP))


def posting(folder, body):
    """A script that makes of every request of `wrk` a POST."""
    path = os.path.join(folder, "post.lua")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f'wrk.method = "POST"\nwrk.body = "{body}"\n')
    return ["-s", path]


def own_services(report):
    data = tempfile.mkdtemp(prefix="virga-bench-")
    rows = []
    try:
        with Virga(data, 2) as virga:
            bound_app(virga, ("keyvalue", "sqlite"))
            host = virga.host(APP)
            row = lambda what, got, alone: rows.append(
                [what, f"{got['rate']:,.0f}", f"{alone:,.0f}", f"{got['rate'] / alone:.2f}", got["p50"], got["p99"], got["failures"]]
            )
            wrk_post = lambda path, body: wrk(virga.port, host, path, extra=posting(data, body))
            row("keyvalue, increment a key (durable)", wrk_post("/hits", ""), native(data, ENTRIES, increment))
            row("keyvalue, read a key", wrk(virga.port, host, "/keys/hits"), native(data, ENTRIES, read))
            subprocess.run(
                ["curl", "-sf", "-d", "milk", "-H", f"Host: {host}", f"http://127.0.0.1:{virga.port}/notes"], check=True, capture_output=True
            )
            row("sqlite, read a table of one row", wrk(virga.port, host, "/notes"), native(data, [*NOTES, "INSERT INTO notes VALUES (1, 'milk')"], select))
            row("sqlite, insert a row (two requests, durable)", wrk_post("/notes", "milk"), native(data, NOTES, insert))
    finally:
        shutil.rmtree(data, ignore_errors=True)
    head = ["operation of the sample services-rust", "a second, 32 connections", "a second, natively, one after the other", "ratio", "p50", "p99", "failures"]
    report.append(("The platform's own services", head, rows))


class Redis:
    """A server that lets in nobody without a password."""

    def __init__(self, folder):
        self.port = free_port()
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--save", "", "--dir", folder]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def increments(self):
        """How many a second, one after the other."""
        command = ["redis-benchmark", "-p", str(self.port), "-a", PASSWORD, "-c", "1", "-n", "100000", "-t", "incr", "--csv"]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        return float(next(line for line in lines if line.startswith('"INCR"')).split('","')[1])

    def close(self):
        self.process.terminate()
        self.process.wait()


def pgbench(server, folder, sql):
    """How often a second a statement is done, one after the other, by connections that stay."""
    script = os.path.join(folder, "statement.sql")
    with open(script, "w", encoding="utf-8") as out:
        out.write(sql)
    command = [os.path.join(server.bin, "pgbench"), "-n", "-M", "prepared", "-c", "1", "-T", str(SECONDS), "-f", script, server.url()]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(next(line for line in text.splitlines() if line.startswith("tps = ")).split()[2])


def servers(report):
    """The operator's servers, by the platform's own way."""
    data = tempfile.mkdtemp(prefix="virga-bench-")
    postgres, redis = Postgres(data), Redis(data)
    rows = []
    try:
        env = {
            "VIRGA_SERVICES__POSTGRES__URL": postgres.url() + "?sslmode=disable",
            "VIRGA_SERVICES__REDIS__URL": f"redis://:{PASSWORD}@127.0.0.1:{redis.port}",
        }
        with Virga(data, 2, env) as virga:
            bound_app(virga, ("postgres", "redis"))
            host = virga.host(APP)
            row = lambda what, got, alone: rows.append(
                [what, f"{got['rate']:,.0f}", f"{alone:,.0f}", f"{got['rate'] / alone:.2f}", got["p50"], got["p99"], got["failures"]]
            )
            wrk_post = lambda path, body: wrk(virga.port, host, path, extra=posting(data, body))
            row("redis, increment a key", wrk_post("/visits", ""), redis.increments())
            postgres.rows("CREATE TABLE orders (id SERIAL PRIMARY KEY, text TEXT NOT NULL)")
            postgres.rows("INSERT INTO orders (text) VALUES ('milk')")
            subprocess.run(
                ["curl", "-sf", "-d", "milk", "-H", f"Host: {host}", f"http://127.0.0.1:{virga.port}/orders"], check=True, capture_output=True
            )
            row("postgres, read a table of one row", wrk(virga.port, host, "/orders"), pgbench(postgres, data, "SELECT text FROM orders ORDER BY id;"))
            insert = "BEGIN; CREATE TABLE IF NOT EXISTS orders (id SERIAL PRIMARY KEY, text TEXT NOT NULL); COMMIT; INSERT INTO orders (text) VALUES ('milk') RETURNING id;"
            row("postgres, insert a row (two requests, durable)", wrk_post("/orders", "milk"), pgbench(postgres, data, insert))
    finally:
        postgres.close()
        redis.close()
        shutil.rmtree(data, ignore_errors=True)
    head = ["operation of the sample services-rust", "a second, 32 connections", "a second, by the server's own client, one after the other", "ratio", "p50", "p99", "failures"]
    report.append(("Servers of the operator, without a credential", head, rows))


GROUPS = {"own-services": own_services, "servers": servers}
