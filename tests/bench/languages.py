"""Every language the platform builds, from its sample in tests/apps: how long a push takes, how large what it makes is, how it starts and serves."""

import http.client
import os
import re
import shutil
import statistics
import tempfile
import time
import tomllib

import bench

# Requests one after the other, on one connection.
WARM = 400
COLD = 12
FRESH = 40
# Seconds of each throughput row.
SECONDS = 5


# What every sample's answer says, and what it says after an edit.
EDIT = (" on Virga", " on Virga again")
# What is pushed without a language; a component in text has the length of its answer in it.
READY = [
    {"folder": "static-site", "language": "Static files"},
    {"folder": "wat-hello", "language": "Ready component", "edit": ("Hello from Virga", "Hallo from Virga")},
]


def samples():
    """Every sample of the table and what is ready; those that BENCH_SAMPLES names, by folder and comma separated, where it is set."""
    with open(os.path.join(bench.ROOT, "tests/apps/samples.toml"), "rb") as table:
        wanted = [name for name in os.environ.get("BENCH_SAMPLES", "").split(",") if name]
        every = tomllib.load(table)["sample"] + READY
        return [sample for sample in every if not wanted or sample["folder"] in wanted]


def changed_copy(sample, into):
    """The sample with another text in its answer: what is pushed after an edit."""
    before, after = sample.get("edit", EDIT)
    shutil.copytree(os.path.join(bench.ROOT, "tests/apps", sample["folder"]), into)
    count = 0
    for folder, _, names in os.walk(into):
        for name in names:
            path = os.path.join(folder, name)
            try:
                text = open(path, encoding="utf-8").read()
            except UnicodeDecodeError:
                continue
            if before in text and not name.endswith(".md"):
                open(path, "w", encoding="utf-8").write(text.replace(before, after))
                count += 1
    if count == 0:
        raise RuntimeError(f"{sample['folder']}: no file says where it runs")
    return into


def timed_push(virga, app, folder):
    """Seconds until the app answers, and the receipt's time of each step."""
    start = time.monotonic()
    text = virga.virga("push", app, "-p", folder)
    bench.wait_for(virga.port, virga.host(app))
    took = time.monotonic() - start
    steps = dict(re.findall(r"^\s*(stage|compile)\s+([\d.,]+ ?\w+)", text, re.M))
    return took, f"{took:.1f} (stage {steps.get('stage', '?')}, compile {steps.get('compile', '?')})"


def sizes(data, before):
    """Bytes of the largest new droplet and of the largest new precompiled code in the blobstore."""
    found = {"droplets": 0, "code": 0}
    for kind in found:
        for folder, _, names in os.walk(os.path.join(data, "blobs", kind)):
            for name in names:
                path = os.path.join(folder, name)
                if path not in before:
                    found[kind] = max(found[kind], os.path.getsize(path))
    return found["droplets"], found["code"]


def blobs(data):
    return {os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(data, "blobs")) for name in names}


def warm_latency(virga, app):
    """Median milliseconds of one request on a connection that stays."""
    connection = http.client.HTTPConnection("127.0.0.1", virga.port, timeout=30)
    times = []
    for _ in range(WARM):
        start = time.perf_counter()
        connection.request("GET", "/", headers={"Host": virga.host(app)})
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - start) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{app}: {answer.status}")
    return statistics.median(times)


def memory(virga, app):
    """MiB of the first instance, as its statistics tell."""
    stats = virga.api("GET", f"/v3/apps/{virga.guid(app)}/processes/web/stats")["resources"]
    return stats[0]["usage"].get("mem", 0) / (1 << 20) if stats and stats[0].get("usage") else 0.0


def mebibytes(count):
    return f"{count / (1 << 20):.2f}" if count < 10 << 20 else f"{count / (1 << 20):.1f}"


def cold_starts(virga, app):
    """Milliseconds to the first byte after the app fell idle: its code is mapped again and an instance made."""
    times = []
    for _ in range(COLD):
        time.sleep(bench.IDLE_SECONDS)
        times.append(bench.first_byte(virga.port, virga.host(app)))
    return statistics.median(times)


def fresh_starts(virga, app):
    """Milliseconds to the first byte where every request has a new instance; the code stays mapped."""
    virga.reuse(app, "request")
    return statistics.median(bench.first_byte(virga.port, virga.host(app)) for _ in range(FRESH))


def languages(report):
    rows = []
    data = tempfile.mkdtemp(prefix="virga-bench-")
    copies = tempfile.mkdtemp(prefix="virga-bench-")
    try:
        figures = {}
        with bench.Virga(data, 2) as virga:
            for sample in samples():
                app, before = sample["folder"], blobs(data)
                first = timed_push(virga, app, os.path.join(bench.ROOT, "tests/apps", app))[1]
                droplet, code = sizes(data, before)
                second = timed_push(virga, app, changed_copy(sample, os.path.join(copies, app)))[1]
                warm = warm_latency(virga, app)
                rate = bench.wrk(virga.port, virga.host(app), seconds=SECONDS)
                held = memory(virga, app)
                virga.virga("stop", app)
                figures[app] = [first, second, mebibytes(droplet), mebibytes(code), f"{warm:.2f}", f"{rate['rate']:,.0f}", rate["failures"], f"{held:.0f}"]
                print(sample["language"], figures[app], flush=True)
        with bench.Virga(data, 1, {"VIRGA_CELL_LIMITS__POOLED_IDLE_MS": "200"}) as virga:
            for sample in samples():
                virga.virga("start", sample["folder"])
                bench.wait_for(virga.port, virga.host(sample["folder"]))
                cold, fresh = cold_starts(virga, sample["folder"]), fresh_starts(virga, sample["folder"])
                virga.virga("stop", sample["folder"])
                print(sample["language"], f"cold from disk {cold:.2f} ms, from mapped code {fresh:.2f} ms", flush=True)
                rows.append([sample["language"], *figures[sample["folder"]][:4], f"{cold:.2f}", f"{fresh:.2f}", *figures[sample["folder"]][4:]])
    finally:
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(copies, ignore_errors=True)
    report.append((
        "Languages: every sample, pushed with no flag but its name",
        ["sample", "first push, s", "changed, s", "droplet, MiB", "code, MiB", "cold from disk, ms", "cold from mapped code, ms", "warm, ms", "requests/s", "failures", "memory, MiB"],
        rows,
    ))


GROUPS = {"languages": languages}
