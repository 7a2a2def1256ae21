"""The benchmark's groups for the control plane: mixed load on the API, lists among many apps, the deletion of a large organization.

Each on SQLite and on PostgreSQL. Rows that only have to be there (many apps) are copied inside the database from one that the
API made; everything that is measured goes through the API.
"""

import concurrent.futures
import contextlib
import glob
import http.client
import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
import time
import uuid

from bench import ROOT, SECONDS, Virga, free_port, percentile

APPS = int(os.environ.get("BENCH_API_APPS", "100000"))
DOOMED = int(os.environ.get("BENCH_API_DOOMED", "1000"))
SAMPLES = int(os.environ.get("BENCH_API_SAMPLES", "200"))
CONNECTIONS = 16


class Sqlite:
    """The platform's own database in its data folder."""

    name = "SQLite"
    hexadecimal = "printf('%08x', n.i)"
    tidy = "ANALYZE"

    def __init__(self, data):
        self.path = os.path.join(data, "virga.db")

    def env(self):
        return {}

    def rows(self, sql):
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as database:
            rows = database.execute(sql).fetchall()
            database.commit()
            return rows

    def columns(self, table):
        return [row[1] for row in self.rows(f"PRAGMA table_info({table})")]

    def tables(self):
        return [row[0] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]

    def close(self):
        pass


class Postgres:
    """A server of our own on the loopback address, with its defaults."""

    name = "PostgreSQL"
    hexadecimal = "lpad(to_hex(n.i), 8, '0')"
    tidy = "VACUUM ANALYZE"

    def __init__(self, _data):
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.folder = tempfile.mkdtemp(prefix="virga-bench-pg-")
        self.port = free_port()
        os.chmod(self.folder, 0o711)
        data = os.path.join(self.folder, "data")
        os.mkdir(data)
        # The server refuses to run as root.
        self.user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:
            shutil.chown(self.folder, self.user)
            shutil.chown(data, self.user)
        self.server("initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8")
        settings = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder}"
        self.server("pg_ctl", "-D", data, "-l", os.path.join(self.folder, "log"), "-w", "-o", settings, "start")

    def server(self, program, *args):
        command = [os.path.join(self.bin, program), *args]
        if os.getuid() == 0:
            command = ["su", self.user, "-s", "/bin/sh", "-c", 'exec "$0" "$@"', "--", *command]
        subprocess.run(command, check=True, capture_output=True)

    def url(self):
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def env(self):
        return {"VIRGA_DATABASE__URL": self.url()}

    def rows(self, sql):
        command = [os.path.join(self.bin, "psql"), self.url(), "-v", "ON_ERROR_STOP=1", "-qAtF", "\t", "-c", sql]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [line.split("\t") for line in text.splitlines()]

    def columns(self, table):
        return [row[0] for row in self.rows(f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position")]

    def tables(self):
        return [row[0] for row in self.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")]

    def close(self):
        self.server("pg_ctl", "-D", os.path.join(self.folder, "data"), "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def database(kind):
    """A data folder and its database, gone at the end."""
    data = tempfile.mkdtemp(prefix="virga-bench-")
    store = kind(data)
    try:
        yield data, store
    finally:
        store.close()
        shutil.rmtree(data, ignore_errors=True)


def copies(store, table, where, count, changed):
    """Copies the rows of `where` `count` times; `changed` gives the columns that differ, as SQL with the copy's number in `n.i`."""
    columns = store.columns(table)
    values = ", ".join(changed.get(column, f"t.{column}") for column in columns)
    store.rows(
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM n, {table} t WHERE {where}"
        if store.name == "PostgreSQL"
        else f"INSERT INTO {table} ({', '.join(columns)}) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
        f"SELECT {values} FROM n, {table} t WHERE {where}"
    )


def quota_off(virga):
    for quota in virga.api("GET", "/v3/organization_quotas")["resources"]:
        unlimited = {"apps": {"total_memory_in_mb": None}, "routes": {"total_routes": None}}
        virga.api("PATCH", f"/v3/organization_quotas/{quota['guid']}", unlimited)


def to(guid):
    return {"data": {"guid": guid}}


def make_place(virga, name):
    org = virga.api("POST", "/v3/organizations", {"name": name})["guid"]
    return org, virga.api("POST", "/v3/spaces", {"name": name, "relationships": {"organization": to(org)}})["guid"]


def fill(virga, store):
    """Many stopped apps with their processes in one space among a hundred in others; the guid of that space."""
    org, space = make_place(virga, "many")
    template = virga.api(
        "POST", "/v3/apps", {"name": "many-0", "metadata": {"labels": {"copied": "yes"}}, "relationships": {"space": to(space)}}
    )["guid"]
    guid = f"{store.hexadecimal} || '-0000-4000-8000-000000000000'"
    copies(store, "apps", f"t.guid = '{template}'", APPS, {"guid": guid, "name": "'many-' || n.i", "created_at": "t.created_at + n.i"})
    process = {"guid": guid, "app_guid": guid, "created_at": "t.created_at + n.i"}
    copies(store, "processes", f"t.app_guid = '{template}'", APPS, process)
    # One in a hundred carries the label.
    hundredth = {"resource_guid": guid.replace("n.i", "(n.i * 100)")}
    copies(store, "resource_labels", f"t.resource_guid = '{template}'", APPS // 100, hundredth)
    # What either does by itself after a while.
    store.rows(store.tidy)
    return org, space


def timed(virga, path, samples=SAMPLES):
    """Milliseconds of each GET of a path on one connection."""
    if not virga.api("GET", path)["resources"]:
        raise RuntimeError(f"{path} is empty")
    connection = http.client.HTTPConnection("127.0.0.1", virga.port, timeout=60)
    times = []
    for _ in range(samples):
        start = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": virga.token})
        answer = connection.getresponse()
        body = answer.read()
        times.append((time.perf_counter() - start) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
    return times


def lists(report):
    rows = []
    for kind in (Sqlite, Postgres):
        with database(kind) as (data, store), Virga(data, 1, store.env()) as virga:
            quota_off(virga)
            _, space = fill(virga, store)
            last = APPS // 100
            for what, query in (
                ("first page", "per_page=100"),
                ("page in the middle", f"per_page=100&page={max(last // 2, 1)}"),
                ("last page", f"per_page=100&page={max(last, 1)}"),
                ("last page, newest first", f"per_page=100&page={max(last, 1)}&order_by=-created_at"),
                ("by name", "per_page=100&names=many-1,many-7,many-50"),
                ("by space", f"per_page=100&space_guids={space}"),
                ("by space, last page", f"per_page=100&space_guids={space}&page={max(last, 1)}"),
                ("by label", "per_page=100&label_selector=copied%3Dyes"),
                ("with spaces and organizations", "per_page=100&include=space.organization"),
            ):
                times = timed(virga, f"/v3/apps?{query}")
                p99 = percentile(times, 0.99)
                rows.append([store.name, what, f"{percentile(times, 0.5):.1f}", f"{p99:.1f}", "met" if percentile(times, 0.5) <= 20 else "missed"])
    report.append((f"Pages of 100 among {APPS:,} apps, milliseconds", ["database", "page", "p50", "p99", "≤ 20 ms"], rows))


# What a client does, by share: reads of one resource and of lists, and changes of rows.
MIX = (
    (35, "GET", "/v3/apps/{app}", None),
    (15, "GET", "/v3/apps?space_guids={space}&per_page=20&order_by=-created_at&page=1", None),
    (10, "GET", "/v3/apps/{app}/processes", None),
    (10, "GET", "/v3/routes?space_guids={space}&per_page=20&page=1", None),
    (10, "GET", "/v3/spaces/{space}", None),
    (15, "PATCH", "/v3/apps/{app}", {"metadata": {"labels": {"changed": "{fresh}"}}}),
    (5, "POST", "/v3/apps", {"name": "new-{fresh}", "relationships": {"space": {"data": {"guid": "{space}"}}}}),
)


def mixed_client(virga, apps, space, number, until):
    """One client on one connection; its milliseconds and its failures."""
    schedule = [entry for entry in MIX for _ in range(entry[0])]
    connection = http.client.HTTPConnection("127.0.0.1", virga.port, timeout=60)
    times, failures, turn = [], 0, number * 37
    headers = {"Authorization": virga.token, "Content-Type": "application/json"}
    while time.monotonic() < until:
        turn += 1
        # Coprime to the length of the schedule, so that kinds are spread evenly.
        _, method, path, body = schedule[(turn * 61) % len(schedule)]
        # Of these apps no other client changes any: two changes of one row at a time are one refusal.
        own = apps[number::CONNECTIONS]
        fill_in = {"{app}": own[turn % len(own)], "{space}": space, "{fresh}": uuid.uuid4().hex}
        text = json.dumps(body) if body else None
        for name, value in fill_in.items():
            path = path.replace(name, value)
            text = text and text.replace(name, value)
        start = time.perf_counter()
        connection.request(method, path, body=text, headers=headers)
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - start) * 1000)
        failures += answer.status >= 400
    return times, failures


def mixed_process(port, token, apps, space, numbers, until):
    """Several clients in one process of their own: the load generator must not be what is measured."""
    virga = type("Target", (), {"port": port, "token": token})
    with concurrent.futures.ThreadPoolExecutor(len(numbers)) as pool:
        return list(pool.map(lambda number: mixed_client(virga, apps, space, number, until), numbers))


def load(report):
    rows = []
    for kind in (Sqlite, Postgres):
        with database(kind) as (data, store), Virga(data, 1, store.env()) as virga:
            quota_off(virga)
            _, space = make_place(virga, "load")
            apps = [virga.api("POST", "/v3/apps", {"name": f"app-{i}", "relationships": {"space": to(space)}})["guid"] for i in range(50)]
            with concurrent.futures.ProcessPoolExecutor(2) as pool:
                until = time.monotonic() + SECONDS
                halves = [list(range(CONNECTIONS))[half::2] for half in range(2)]
                answers = [pool.submit(mixed_process, virga.port, virga.token, apps, space, half, until) for half in halves]
                results = [result for answer in answers for result in answer.result()]
            times = [value for result in results for value in result[0]]
            rate, p99 = len(times) / SECONDS, percentile(times, 0.99)
            met = rate >= 500 and p99 <= 50
            rows.append([
                store.name, f"{rate:,.0f}", f"{percentile(times, 0.5):.1f}", f"{p99:.1f}", str(sum(result[1] for result in results)),
                "met" if met else "missed",
            ])
    head = ["database", "requests/s", "p50 ms", "p99 ms", "failures", "≥ 500/s, p99 ≤ 50 ms"]
    report.append((f"Mixed load on the API, {CONNECTIONS} connections, 20 % changes", head, rows))


# Tables that tell what happened and are meant to stay.
KEPT = ("jobs", "audit_events", "app_usage_events", "service_usage_events", "app_usage")


def census(store, data):
    """Rows of every table, and files of the blobstore."""
    rows = {table: int(store.rows(f"SELECT COUNT(*) FROM {table}")[0][0]) for table in store.tables() if table not in KEPT}
    rows["blobs"] = sum(len(files) for folder in ("packages", "droplets") for _, _, files in os.walk(os.path.join(data, "blobs", folder)))
    return rows


def deletion(report):
    rows = []
    for kind in (Sqlite, Postgres):
        with database(kind) as (data, store), Virga(data, 1, store.env()) as virga:
            quota_off(virga)
            before = census(store, data)
            org, space = make_place(virga, "doomed")
            virga.virga("target", "-o", "doomed", "-s", "doomed")
            domain = next(d["guid"] for d in virga.api("GET", "/v3/domains")["resources"] if not d["internal"])
            virga.virga("push", "app-0", "-p", os.path.join(ROOT, "tests/apps/static-site"), "-m", "16M")
            source = virga.api("GET", "/v3/apps?names=app-0")["resources"][0]["guid"]
            droplet = virga.api("GET", f"/v3/apps/{source}/droplets/current")["guid"]

            def one(number):
                relationships = {"space": to(space)}
                app = virga.api("POST", "/v3/apps", {"name": f"app-{number}", "relationships": relationships})["guid"]
                virga.api("POST", f"/v3/apps/{app}/processes/web/actions/scale", {"memory_in_mb": 16})
                copy = virga.api("POST", f"/v3/droplets?source_guid={droplet}", {"relationships": {"app": to(app)}})["guid"]
                while virga.api("GET", f"/v3/droplets/{copy}")["state"] != "STAGED":
                    time.sleep(0.01)
                virga.api("PATCH", f"/v3/apps/{app}/relationships/current_droplet", {"data": {"guid": copy}})
                route = {"host": f"app-{number}", "relationships": {"space": to(space), "domain": to(domain)}}
                route = virga.api("POST", "/v3/routes", route)["guid"]
                virga.api("POST", f"/v3/routes/{route}/destinations", {"destinations": [{"app": {"guid": app}}]})
                virga.api("POST", f"/v3/apps/{app}/actions/start")

            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(one, range(1, DOOMED)))
            instances = "SELECT COUNT(*) FROM actual_instances"
            deadline = time.monotonic() + 300
            while int(store.rows(instances)[0][0]) < DOOMED and time.monotonic() < deadline:
                time.sleep(0.2)
            held = census(store, data)
            start = time.monotonic()
            virga.api("DELETE", f"/v3/organizations/{org}")
            while virga.api("GET", f"/v3/organizations?guids={org}")["resources"]:
                time.sleep(0.05)
            took = time.monotonic() - start
            deadline = time.monotonic() + 60
            while (left := {k: v - before[k] for k, v in census(store, data).items() if v > before[k]}) and time.monotonic() < deadline:
                time.sleep(0.2)
            all_gone = time.monotonic() - start
            rows.append([
                store.name, f"{held['apps']:,} apps, {held['actual_instances']:,} instances, {sum(held.values()) - sum(before.values()):,} rows and blobs",
                f"{took:.1f}", f"{all_gone:.1f}", ", ".join(f"{count} {table}" for table, count in left.items()) or "nothing",
            ])
    report.append(("Deletion of a large organization, seconds", ["database", "of", "organization gone", "everything gone", "left"], rows))


GROUPS = {"api_load": load, "api_lists": lists, "api_deletion": deletion}
