"""The benchmark's group for services: how quickly bindings are made and deleted through the platform, against the same requests made of
the same broker directly."""

import concurrent.futures
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid

from bench import HERE, Virga

COUNT = int(os.environ.get("BENCH_BINDINGS", "300"))


class Client:
    """One connection for each thread that uses it."""

    def __init__(self, port, headers):
        self.port, self.headers, self.local = port, headers, threading.local()

    def send(self, method, path, body=None):
        """Status, `Location` and body of one request."""
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        text = None if body is None else json.dumps(body)
        self.local.connection.request(method, path, body=text, headers={"Content-Type": "application/json", **self.headers})
        answer = self.local.connection.getresponse()
        read = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {read[:500]!r}")
        return answer.getheader("Location"), json.loads(read) if read else {}

    def ended(self, method, path, body=None):
        """Sends a request that is a job and waits for its end."""
        location, _ = self.send(method, path, body)
        path = location[location.index("/v3/") :]
        while True:
            job = self.send("GET", path)[1]
            if job["state"] == "COMPLETE":
                return
            if job["state"] == "FAILED":
                raise RuntimeError(str(job))
            time.sleep(0.002)


def rate(work, inputs, at_a_time):
    """How many a second."""
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
        list(pool.map(work, inputs))
    return len(inputs) / (time.monotonic() - start)


def measured(at_a_time, client, instance, direct):
    """Rates of making and deleting keys: through the platform, and of the broker."""
    keys = [f"{at_a_time}-{number}" for number in range(COUNT)]

    def make(name):
        target = {"service_instance": {"data": {"guid": instance}}}
        client.ended("POST", "/v3/service_credential_bindings", {"type": "key", "name": name, "relationships": target})

    made = rate(make, keys, at_a_time)
    page = client.send("GET", f"/v3/service_credential_bindings?service_instance_guids={instance}&per_page=5000")[1]
    guids = [one["guid"] for one in page["resources"]]
    if len(guids) != COUNT:
        raise RuntimeError(f"{len(guids)} keys instead of {COUNT}")
    deleted = rate(lambda guid: client.ended("DELETE", f"/v3/service_credential_bindings/{guid}"), guids, at_a_time)
    path = f"/v2/service_instances/{instance}/service_bindings/"
    body = {"service_id": "service", "plan_id": "plan", "bind_resource": {}}
    own = [str(uuid.uuid4()) for _ in range(COUNT)]
    bound = rate(lambda guid: direct.send("PUT", path + guid, body), own, at_a_time)
    unbound = rate(lambda guid: direct.send("DELETE", f"{path}{guid}?service_id=service&plan_id=plan"), own, at_a_time)
    return [("made", made, bound), ("deleted", deleted, unbound)]


def services(report):
    data = tempfile.mkdtemp(prefix="virga-bench-")
    rows = []
    try:
        with subprocess.Popen([sys.executable, os.path.join(HERE, "broker.py")], stdout=subprocess.PIPE, text=True) as broker:
            try:
                port = int(broker.stdout.readline())
                settings = {"VIRGA_SERVICES__ENABLED": "false", "VIRGA_BROKERS__ALLOWED_ADDRESSES": f'["127.0.0.1:{port}"]'}
                with Virga(data, 1, settings) as virga:
                    token = virga.virga("oauth-token").strip().split("\n")[-1]
                    client = Client(virga.port, {"Authorization": token})
                    login = {"type": "basic", "credentials": {"username": "u", "password": "p"}}
                    broker_of = {"name": "b", "url": f"http://127.0.0.1:{port}", "authentication": login}
                    client.ended("POST", "/v3/service_brokers", broker_of)
                    plan = client.send("GET", "/v3/service_plans")[1]["resources"][0]["guid"]
                    client.send("POST", f"/v3/service_plans/{plan}/visibility", {"type": "public"})
                    space = client.send("GET", "/v3/spaces")[1]["resources"][0]["guid"]
                    to = lambda guid: {"data": {"guid": guid}}
                    instance = {"type": "managed", "name": "i", "relationships": {"space": to(space), "service_plan": to(plan)}}
                    client.ended("POST", "/v3/service_instances", instance)
                    guid = client.send("GET", "/v3/service_instances")[1]["resources"][0]["guid"]
                    for at_a_time in (1, 4):
                        for what, ours, direct in measured(at_a_time, client, guid, Client(port, {"X-Broker-API-Version": "2.17"})):
                            rows.append([f"keys {what}, {at_a_time} at a time", f"{ours:,.0f}", f"{direct:,.0f}", f"{ours / direct:.2f}"])
            finally:
                broker.kill()
    finally:
        shutil.rmtree(data, ignore_errors=True)
    head = ["operation", "a second, from the request to the end of its job", "a second, of the broker directly", "ratio"]
    report.append(("Bindings of a broker's instance, SQLite", head, rows))


GROUPS = {"services": services}
