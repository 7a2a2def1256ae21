"""A broker that speaks the protocol through a library of others is registered, offers, serves, and goes."""

import os
import subprocess
import sys
import tempfile

import pytest
import requests
from cloudfoundry_client.client import CloudFoundryClient

from conftest import PASSWORD, Platform, running_platform

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


def settings(broker):
    """Only this broker's services are in the marketplace."""
    return {"VIRGA_SERVICES__ENABLED": "false", "VIRGA_BROKERS__ALLOWED_ADDRESSES": f'["127.0.0.1:{broker}"]'}


def test_a_broker_of_others_is_in_the_marketplace(broker):
    with running_platform(settings(broker)) as ready:
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
        plans = {plan["name"]: plan for plan in client.v3.service_plans.list()}
        assert sorted(plans) == ["slow", "small"]
        assert (plans["small"]["free"], plans["small"]["visibility_type"]) == (True, "admin")
        (row,) = client.v3.service_brokers.list(names="py")
        client.v3.jobs.wait_for_job_completion(client.v3.service_brokers.remove(row["guid"]))
        assert not list(client.v3.service_offerings.list())


def state(port):
    """What the broker has."""
    return requests.get(f"http://127.0.0.1:{port}/state", auth=("platform", "secret"), headers={"X-Broker-Api-Version": "2.17"}, timeout=10).json()


def to(guid):
    return {"data": {"guid": guid}}


class Space:
    """What a developer does to services, with a platform that may be killed after every request."""

    def __init__(self, platform, killed):
        self.platform, self.killed = platform, killed
        platform.start()
        self.api = f"http://{platform.listen}/v3"
        self.client = CloudFoundryClient(f"http://{platform.listen}")
        self.client.init_with_user_credentials("admin", PASSWORD)
        (self.guid,) = [space["guid"] for space in self.client.v3.spaces.list()]

    def job(self, answer):
        """The job that was answered, ended."""
        assert answer.status_code == 202, answer.text
        guid = answer.headers["Location"].rsplit("/", 1)[1]
        if self.killed:
            self.platform.kill()
            self.platform.start()
        return self.client.v3.jobs.wait_for_job_completion(guid)

    def done(self, answer):
        ended = self.job(answer)
        assert ended["state"] == "COMPLETE", ended

    def get(self, path):
        return self.client.get(f"{self.api}/{path}").json()

    def plan(self, name):
        return self.get(f"service_plans?names={name}")["resources"][0]["guid"]

    def create(self, name, plan):
        relationships = {"space": to(self.guid), "service_plan": to(self.plan(plan))}
        self.done(self.client.post(f"{self.api}/service_instances", json={"type": "managed", "name": name, "relationships": relationships}))
        (made,) = self.get(f"service_instances?names={name}")["resources"]
        assert (made["last_operation"]["type"], made["last_operation"]["state"]) == ("create", "succeeded")
        return made["guid"]

    def bind(self, body):
        self.done(self.client.post(f"{self.api}/service_credential_bindings", json=body))


@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed_at_each_step"])
def test_an_instance_of_a_broker_of_others_is_made_bound_changed_and_deleted(broker, killed):
    with tempfile.TemporaryDirectory(prefix="virga-py-") as data:
        platform = Platform(data, {**settings(broker), "VIRGA_BROKERS__POLLING_INTERVAL_MS": "100"})
        try:
            space = Space(platform, killed)
            assert register(space.client, "py", broker)["state"] == "COMPLETE"
            for plan in space.client.v3.service_plans.list():
                space.client.post(f"{space.api}/service_plans/{plan['guid']}/visibility", json={"type": "public"})
            made = space.client.post(f"{space.api}/apps", json={"name": "app", "relationships": {"space": to(space.guid)}})
            app = made.json()["guid"]
            for name, plan in (("db", "small"), ("later", "slow")):
                instance = space.create(name, plan)
                assert state(broker)["instances"] == {instance: {"small": "plan-1", "slow": "plan-2"}[plan]}
                space.bind({"type": "app", "relationships": {"app": to(app), "service_instance": to(instance)}})
                space.bind({"type": "key", "name": "k", "relationships": {"service_instance": to(instance)}})
                bindings = {one["type"]: one["guid"] for one in space.get("service_credential_bindings")["resources"]}
                assert state(broker)["bindings"] == {guid: instance for guid in bindings.values()}
                (bound,) = space.get(f"apps/{app}/env")["system_env_json"]["VCAP_SERVICES"]["databases"]
                assert (bound["name"], bound["plan"], bound["credentials"]) == (name, plan, {"password": f"of-{bindings['app']}"})
                details = space.get(f"service_credential_bindings/{bindings['key']}/details")
                assert details["credentials"] == {"password": f"of-{bindings['key']}"}
                space.done(space.client.delete(f"{space.api}/service_credential_bindings/{bindings['key']}"))
                other = {"small": "slow", "slow": "small"}[plan]
                change = {"relationships": {"service_plan": to(space.plan(other))}}
                space.done(space.client.patch(f"{space.api}/service_instances/{instance}", json=change))
                assert state(broker)["instances"] == {instance: {"small": "plan-1", "slow": "plan-2"}[other]}
                # With the binding that is left.
                space.done(space.client.delete(f"{space.api}/service_instances/{instance}"))
                assert state(broker) == {"instances": {}, "bindings": {}}
            assert not list(space.client.v3.service_instances.list())
            (row,) = space.client.v3.service_brokers.list(names="py")
            assert space.client.v3.jobs.wait_for_job_completion(space.client.v3.service_brokers.remove(row["guid"]))["state"] == "COMPLETE"
        finally:
            platform.stop()
