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


class Platform:
    """A platform whose process may be killed and started again over the same data. `settings` are further environment variables."""

    def __init__(self, data, settings=None):
        self.data = data
        self.listen = f"127.0.0.1:{free_port()}"
        self.log = os.path.join(data, "up.log")
        kept = {k: v for k, v in os.environ.items() if not k.startswith("VIRGA_")}
        self.environment = {**kept, "VIRGA_ADMIN_PASSWORD": PASSWORD, **(settings or {})}
        self.process = None

    def start(self):
        """What `virga up --output json` printed, once it is ready."""
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [os.environ["TESTED_VIRGA"], "up", "--output", "json", "--listen", self.listen, "--data-dir", self.data, "--workers", "1"],
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                text=True,
            )
        line = self.process.stdout.readline()
        assert line, open(self.log, encoding="utf-8").read()
        return {**json.loads(line), "listen": self.listen, "log": self.log}

    def kill(self):
        """`kill -9`."""
        self.process.kill()
        self.process.wait(30)

    def stop(self):
        """As an operator does it."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0


@contextlib.contextmanager
def running_platform(settings=None):
    """What `virga up --output json` printed; `settings` are further environment variables."""
    with tempfile.TemporaryDirectory(prefix="virga-py-") as data:
        platform = Platform(data, settings)
        try:
            yield platform.start()
        finally:
            platform.stop()


@pytest.fixture(scope="session")
def platform():
    """What `virga up --output json` printed, once it is ready."""
    with running_platform() as ready:
        yield ready
