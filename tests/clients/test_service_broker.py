"""A broker that speaks the protocol through a library of others is registered, offers, and goes."""

import os
import subprocess
import sys

import pytest
from cloudfoundry_client.client import CloudFoundryClient

from conftest import PASSWORD, running_platform

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "osb_broker.py")


@pytest.fixture
def broker():
    with subprocess.Popen([sys.executable, PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def register(client, name, port, password="secret"):
    """The broker's job, ended."""
    made = client.v3.service_brokers.create(name, f"http://127.0.0.1:{port}", "platform", password)
    return client.v3.jobs.wait_for_job_completion(made.job()["guid"])


def test_a_broker_of_others_is_in_the_marketplace(broker):
    with running_platform({"VIRGA_BROKERS__ALLOWED_ADDRESSES": f'["127.0.0.1:{broker}"]'}) as ready:
        client = CloudFoundryClient(f"http://{ready['listen']}")
        client.init_with_user_credentials("admin", PASSWORD)
        refused = register(client, "mistaken", broker, "wrong")
        assert [error["title"] for error in refused["errors"]] == ["CF-ServiceBrokerApiAuthenticationFailed"]
        own = register(client, "inside", int(ready["listen"].rsplit(":", 1)[1]))
        assert [error["title"] for error in own["errors"]] == ["CF-ServiceBrokerApiUnreachable"]
        assert not list(client.v3.service_offerings.list())
        assert register(client, "py", broker)["state"] == "COMPLETE"
        (offering,) = client.v3.service_offerings.list()
        assert (offering["name"], offering["tags"]) == ("databases", ["sql"])
        (plan,) = client.v3.service_plans.list()
        assert (plan["name"], plan["free"], plan["visibility_type"]) == ("small", True, "admin")
        (row,) = client.v3.service_brokers.list(names="py")
        client.v3.jobs.wait_for_job_completion(client.v3.service_brokers.remove(row["guid"]))
        assert not list(client.v3.service_offerings.list())
