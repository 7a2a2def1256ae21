"""The benchmark: throughput beside peers, cold starts, memory of idle apps, time of a push.

Everything runs on this machine over the loopback address; every load is bounded in connections and time. Ratios are to
the bare hyper server of the same run, because absolute figures say more about the machine than about us.
"""

import argparse
import datetime
import http.client
import json
import os
import platform as host_platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TOOLS = os.environ["BENCH_TOOLS"]
BIN = os.environ["BENCH_BIN"]
PASSWORD = "bench-admin-password"
SECONDS = int(os.environ.get("BENCH_SECONDS", "8"))
# Longer than the idle limit of the cold-start group and the beat at which a cell looks for what is idle.
IDLE_SECONDS = 1.5
REUSE = "virga.dev/instance-reuse"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port, host=None, path="/"):
    """Status and body of one GET, or None where nothing listens yet."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return None


def wait_for(port, host=None, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        got = answers(port, host)
        if got and got[0] == 200:
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing answers on {port} for {host}: {answers(port, host)}")


def wrk(port, host=None, path="/", seconds=SECONDS, extra=()):
    """Requests a second, latencies and failures of one wrk run: one thread, 32 connections."""
    command = ["wrk", "-t1", "-c32", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    command += ["-H", f"Host: {host}"] if host else []
    command += extra
    warm = command.copy()
    warm[3] = "-d2s"
    subprocess.run(warm + [f"http://127.0.0.1:{port}{path}"], capture_output=True, check=True)
    text = subprocess.run(command + [f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
    latency = {p: re.search(rf"^\s+{p}%\s+(\S+)", text, re.M).group(1) for p in ("50", "99")}
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: (.*)", text)
    failures = (bad.group(1) + " not 2xx" if bad else "") + (" " + broken.group(1) if broken else "")
    return {"rate": rate, "p50": latency["50"], "p99": latency["99"], "failures": failures.strip() or "0"}


def minimal_component(folder):
    """The sample component without its line of log per request: nothing but an answer, the same for us and for peers."""
    source = open(os.path.join(ROOT, "tests/apps/wat-hello/app.wat"), encoding="utf-8").read()
    start = source.index("      (call $say (i32.const 176) (i32.const 4))")
    line = "      (call $flush (call $get-stdout))\n"
    end = source.index(line) + len(line)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "app.wat")
    with open(path, "w", encoding="utf-8") as out:
        out.write(source[:start] + source[end:])
    return path


class Peer:
    """A server that is not ours, for the length of a `with`."""

    def __init__(self, command, port, env=None):
        self.port = port
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(env or {})}, start_new_session=True
        )

    def __enter__(self):
        wait_for(self.port)
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()


class Virga:
    """A platform on a folder that stays, so that apps pushed once are measured under several settings."""

    def __init__(self, data, workers, env=None):
        self.data = data
        self.port = free_port()
        self.log = open(os.path.join(data, "up.log"), "a", encoding="utf-8")
        self.process = subprocess.Popen(
            [f"{BIN}/virga", "up", "--output", "json", "--listen", f"127.0.0.1:{self.port}", "--data-dir", data, "--workers", str(workers)],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={**os.environ, "VIRGA_ADMIN_PASSWORD": PASSWORD, **(env or {})},
        )
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(open(self.log.name, encoding="utf-8").read()[-3000:])
        self.ready = json.loads(line)
        self.env = {**os.environ, "VIRGA_HOME": data}
        self.virga("login", "-a", f"http://127.0.0.1:{self.port}", "-u", "admin", "-p", PASSWORD)
        self.token = None
        self.token_at = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def virga(self, *args):
        run = subprocess.run([f"{BIN}/virga", *args], capture_output=True, text=True, env=self.env, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"virga {args}: {run.stdout}{run.stderr}")
        return run.stdout

    def push(self, name, sample, *flags):
        return self.virga("push", name, "-p", os.path.join(ROOT, "tests/apps", sample), *flags)

    def api(self, method, path, body=None):
        if time.monotonic() - self.token_at > 300 or self.token is None:
            self.token = self.virga("oauth-token").strip().split("\n")[-1]
            self.token_at = time.monotonic()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": self.token, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return json.loads(text) if text else {}

    def guid(self, app):
        return self.api("GET", f"/v3/apps?names={app}")["resources"][0]["guid"]

    def reuse(self, app, policy):
        self.api("PATCH", f"/v3/apps/{self.guid(app)}", {"metadata": {"annotations": {REUSE: policy}}})
        self.virga("restart", app)
        wait_for(self.port, self.host(app))

    @staticmethod
    def host(app):
        return f"{app}.apps.virga.localhost"

    def pids(self):
        """The control process and its workers."""
        pids = [self.process.pid]
        for entry in os.listdir("/proc"):
            try:
                command = open(f"/proc/{entry}/cmdline", "rb").read().replace(b"\0", b" ").decode()
            except (OSError, ValueError):
                continue
            if entry.isdigit() and self.data in command and " worker " in command:
                pids.append(int(entry))
        return pids

    def memory_kib(self):
        """Proportional set size of control process and workers together."""
        total = 0
        for pid in self.pids():
            rollup = open(f"/proc/{pid}/smaps_rollup", encoding="utf-8").read()
            total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M).group(1))
        return total


def peers(rows, scratch):
    for threads in (1, 2):
        port = free_port()
        with Peer([f"{BIN}/hyper_hello", f"127.0.0.1:{port}", str(threads)], port):
            rows.append((f"bare hyper hello, {threads} thread{'s' * (threads > 1)}", wrk(port)))
    port = free_port()
    component = minimal_component(os.path.join(scratch, "minimal"))
    with Peer([f"{TOOLS}/wasmtime", "serve", "-Scli", "-Opooling-allocator", f"--addr=127.0.0.1:{port}", component], port):
        rows.append(("`wasmtime serve` 48, minimal component, fresh", wrk(port)))
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "hello.js"), "w", encoding="utf-8") as script:
            script.write("export default { fetch() { return new Response('Hello') } }\n")
        with open(os.path.join(folder, "config.capnp"), "w", encoding="utf-8") as config:
            config.write(
                'using Workerd = import "/workerd/workerd.capnp";\n'
                "const config :Workerd.Config = (services = [(name = \"main\", worker = .worker)],\n"
                f'  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")]);\n'
                'const worker :Workerd.Worker = (modules = [(name = "hello.js", esModule = embed "hello.js")],\n'
                '  compatibilityDate = "2024-01-01");\n'
            )
        with Peer([f"{TOOLS}/node_modules/.bin/workerd", "serve", os.path.join(folder, "config.capnp")], port):
            rows.append(("workerd, JavaScript hello", wrk(port)))
    port = free_port()
    flask = os.path.join(ROOT, "tests/apps/python-flask")
    command = [f"{TOOLS}/venv/bin/gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "--chdir", flask, "app:app"]
    with Peer(command, port):
        rows.append(("gunicorn, 2 workers, Flask hello", wrk(port)))


def throughput(report):
    rows = []
    data = tempfile.mkdtemp(prefix="virga-bench-")
    peers(rows, data)
    apps = [("wat", os.path.join(data, "minimal")), ("site", "static-site"), ("hono", "javascript-hono"), ("flask", "python-flask")]
    try:
        with Virga(data, 2) as virga:
            for name, sample in apps:
                virga.push(name, sample)
        for workers in (1, 2):
            with Virga(data, workers) as virga:
                many = f"{workers} worker{'s' * (workers > 1)}"
                wait_for(virga.port, virga.host("site"))
                rows.append((f"virga, static file, {many}", wrk(virga.port, virga.host("site"))))
                for name, what in (("wat", "minimal component"), ("hono", "Hono"), ("flask", "Flask")):
                    for policy, word in (("request", "fresh"), ("pool", "pooled")):
                        virga.reuse(name, policy)
                        rows.append((f"virga, {what}, {word}, {many}", wrk(virga.port, virga.host(name))))
    finally:
        shutil.rmtree(data, ignore_errors=True)
    bare = max(result["rate"] for name, result in rows if name.startswith("bare hyper"))
    report.append(("Throughput", ["server", "requests/s", "ratio to bare hyper", "p50", "p99", "failures"], [
        [name, f"{r['rate']:,.0f}", f"{r['rate'] / bare:.2f}", r["p50"], r["p99"], r["failures"]] for name, r in rows
    ]))
    by = dict(rows)
    marks = [
        ("minimal component, fresh ≥ 0.35 of bare hyper", by["virga, minimal component, fresh, 2 workers"]["rate"] / bare, 0.35),
        ("Hono pooled ≥ 4,000 requests/s", by["virga, Hono, pooled, 2 workers"]["rate"], 4000),
        ("Hono fresh, 1 → 2 workers ≥ 1.8", by["virga, Hono, fresh, 2 workers"]["rate"] / by["virga, Hono, fresh, 1 worker"]["rate"], 1.8),
    ]
    report.append(("First marks, throughput", ["mark", "measured", "met"], [
        [what, f"{value:,.2f}", "yes" if value >= mark else f"no, {value / mark:.2f} of it"] for what, value, mark in marks
    ]))


def first_byte(port, host):
    """Milliseconds from connect to the first byte of the answer."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.perf_counter()
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head = connection.recv(64)
        took = (time.perf_counter() - start) * 1000
    if b" 200 " not in head:
        raise RuntimeError(f"{host}: {head!r}")
    return took


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def cold(report, count=200):
    """The idle limit is set short so that apps fall idle between two samples; one worker each, so that each sample is the first there.

    Code is mapped per droplet: on the second platform an app of the same source that is kept busy (ten requests a second) keeps it
    mapped. Both platforms are sampled in turn, after the same pause.
    """
    apps = (("wat", "wat-hello"), ("hono", "javascript-hono"))
    folders = [tempfile.mkdtemp(prefix="virga-bench-") for _ in range(2)]
    samples = {}
    try:
        idle = {"VIRGA_CELL_LIMITS__POOLED_IDLE_MS": "200"}
        with Virga(folders[0], 1, idle) as disk, Virga(folders[1], 1, idle) as mapped:
            for app, sample in apps:
                for virga in (disk, mapped):
                    virga.push(app, sample)
                mapped.push(f"{app}-busy", sample)
            for _ in range(count):
                until = time.monotonic() + IDLE_SECONDS
                while time.monotonic() < until:
                    for app, _ in apps:
                        first_byte(mapped.port, mapped.host(f"{app}-busy"))
                    time.sleep(0.1)
                for app, sample in apps:
                    for virga, what in ((disk, "from disk (code unmapped)"), (mapped, "from mapped code")):
                        samples.setdefault((sample, what), []).append(first_byte(virga.port, virga.host(app)))
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    report.append(("Cold start of an idle app, milliseconds to the first byte", ["app", "state", "p50", "p99", "samples"], [
        [sample, what, f"{statistics.median(times):.2f}", f"{percentile(times, 0.99):.2f}", str(len(times))]
        for (sample, what), times in samples.items()
    ]))


def memory(report, count=1000):
    """Apps that share one droplet, each started and answered once, then idle."""
    data = tempfile.mkdtemp(prefix="virga-bench-")
    try:
        with Virga(data, 2, {"VIRGA_CELL_LIMITS__POOLED_IDLE_MS": "1000"}) as virga:
            virga.push("wat", "wat-hello", "-m", "16M")
            source = virga.api("GET", f"/v3/apps/{virga.guid('wat')}")
            droplet = virga.api("GET", f"/v3/apps/{source['guid']}/droplets/current")
            space = source["relationships"]["space"]["data"]["guid"]
            quotas = virga.api("GET", "/v3/organization_quotas")["resources"]
            for quota in quotas:
                virga.api("PATCH", f"/v3/organization_quotas/{quota['guid']}", {"apps": {"total_memory_in_mb": None}, "routes": {"total_routes": None}})
            domain = next(d for d in virga.api("GET", "/v3/domains")["resources"] if not d["internal"])
            time.sleep(5)
            before = virga.memory_kib()
            for index in range(count):
                name = f"idle-{index}"
                app = virga.api("POST", "/v3/apps", {"name": name, "relationships": {"space": {"data": {"guid": space}}}})
                virga.api("POST", f"/v3/apps/{app['guid']}/processes/web/actions/scale", {"memory_in_mb": 16})
                copy = virga.api(
                    "POST", f"/v3/droplets?source_guid={droplet['guid']}", {"relationships": {"app": {"data": {"guid": app["guid"]}}}}
                )
                while virga.api("GET", f"/v3/droplets/{copy['guid']}")["state"] != "STAGED":
                    time.sleep(0.01)
                virga.api("PATCH", f"/v3/apps/{app['guid']}/relationships/current_droplet", {"data": {"guid": copy["guid"]}})
                route = virga.api(
                    "POST",
                    "/v3/routes",
                    {"host": name, "relationships": {"space": {"data": {"guid": space}}, "domain": {"data": {"guid": domain["guid"]}}}},
                )
                virga.api("POST", f"/v3/routes/{route['guid']}/destinations", {"destinations": [{"app": {"guid": app["guid"]}}]})
                virga.api("POST", f"/v3/apps/{app['guid']}/actions/start")
            for index in range(count):
                wait_for(virga.port, virga.host(f"idle-{index}"))
            time.sleep(10)
            each = (virga.memory_kib() - before) / count
            report.append(("Memory of an idle app", ["apps", "KiB each (control process and 2 workers, PSS)", "mark"], [
                [str(count), f"{each:.1f}", "≤ 100: " + ("met" if each <= 100 else "missed")]
            ]))
    finally:
        shutil.rmtree(data, ignore_errors=True)


def push_time(report):
    data = tempfile.mkdtemp(prefix="virga-bench-")
    rows = []
    try:
        with Virga(data, 2) as virga:
            for sample in ("wat-hello", "static-site", "javascript-hono", "python-flask"):
                for which in ("first", "second"):
                    start = time.monotonic()
                    text = virga.push(sample, sample)
                    took = time.monotonic() - start
                    steps = re.findall(r"^\s*(upload|match|stage|compile|place|first healthy|routable)\s+([\d.,]+ ?\w+)", text, re.M)
                    rows.append([sample, which, f"{took:.2f}", ", ".join(f"{step} {value}" for step, value in steps)])
    finally:
        shutil.rmtree(data, ignore_errors=True)
    report.append(("Push, seconds by the clock of the client", ["sample", "push", "total", "receipt"], rows))


def markdown(report):
    lines = []
    for title, head, rows in report:
        lines += ["", f"## {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main():
    import api
    import languages
    import own_services
    import services  # They use what stands above.

    groups = {"throughput": throughput, "cold": cold, "memory": memory, "push": push_time, **languages.GROUPS, **services.GROUPS, **own_services.GROUPS, **api.GROUPS}
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    only = [name for name in parser.parse_args().only.split(",") if name]
    report = []
    for name, group in groups.items():
        if not only or name in only:
            print(f"measuring: {name}", flush=True)
            before = len(report)
            group(report)
            print(markdown(report[before:]), flush=True)
    text = markdown(report)
    if only:
        return
    head = open(os.path.join(HERE, "method.md"), encoding="utf-8").read()
    cores = os.cpu_count()
    kernel = host_platform.release()
    stamp = f"Run of {datetime.date.today().isoformat()}, {cores} cores, Linux {kernel}, {SECONDS} s a row.\n"
    with open(os.path.join(ROOT, "docs/benchmarks.md"), "w", encoding="utf-8") as out:
        out.write(head + "\n" + stamp + text)


if __name__ == "__main__":
    main()
