"""A platform of its own for the client tests: the real binary on a free port, gone when the tests end."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile

import pytest

PASSWORD = "test-admin-password"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running_platform(settings=None):
    """`settings` are further environment variables."""
    with tempfile.TemporaryDirectory(prefix="virga-py-") as data:
        listen = f"127.0.0.1:{free_port()}"
        with open(os.path.join(data, "up.log"), "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [os.environ["TESTED_VIRGA"], "up", "--output", "json", "--listen", listen, "--data-dir", data, "--workers", "1"],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**{k: v for k, v in os.environ.items() if not k.startswith("VIRGA_")}, "VIRGA_ADMIN_PASSWORD": PASSWORD, **(settings or {})},
                text=True,
            )
            try:
                line = process.stdout.readline()
                assert line, open(log.name, encoding="utf-8").read()
                yield {**json.loads(line), "listen": listen, "log": log.name}
            finally:
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 0


@pytest.fixture(scope="session")
def platform():
    """What `virga up --output json` printed, once it is ready."""
    with running_platform() as ready:
        yield ready
