"""The stock Python client drives a whole push, with no knowledge of what stands behind the API."""

import http.client
import time
import zipfile

import pytest
from cloudfoundry_client.client import CloudFoundryClient
from cloudfoundry_client.errors import InvalidStatusCode
from cloudfoundry_client.v3.packages import PackageType

from conftest import PASSWORD

PAGE = "<h1>Hello from a static site</h1>"


@pytest.fixture(scope="module")
def client(platform):
    cf = CloudFoundryClient(f"http://{platform['listen']}")
    cf.init_with_user_credentials("admin", PASSWORD)
    return cf


@pytest.fixture(scope="module")
def space(client):
    organization = client.v3.organizations.create("pythons", suspended=False)
    space = client.v3.spaces.create("nest", organization["guid"])
    return space["guid"]


def wait(what, probe, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def get(platform, host, path="/"):
    host_name, port = platform["listen"].rsplit(":", 1)
    connection = http.client.HTTPConnection(host_name, int(port), timeout=30)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_lists_follow_the_conventions(client, space):
    names = [organization["name"] for organization in client.v3.organizations.list()]
    assert "pythons" in names
    assert [s["name"] for s in client.v3.spaces.list(names="nest")] == ["nest"]
    with pytest.raises(InvalidStatusCode) as refused:
        client.v3.apps.get("00000000-0000-0000-0000-000000000000")
    assert refused.value.status_code == 404
    assert refused.value.body["errors"][0]["code"] == 10010


def test_push_by_hand(client, platform, space, tmp_path):
    api = client.info.api_endpoint
    app = client.post(f"{api}/v3/apps", json={"name": "by-hand", "relationships": {"space": {"data": {"guid": space}}}}).json()
    package = client.v3.packages.create(app["guid"], PackageType.BITS)
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as bits:
        bits.writestr("index.html", PAGE)
        bits.writestr("Staticfile", "")
    with open(archive, "rb") as bits:
        client.post(f"{api}/v3/packages/{package['guid']}/upload", files={"bits": ("app.zip", bits)})
    wait("the package", lambda: client.v3.packages.get(package["guid"])["state"] == "READY")

    build = client.post(f"{api}/v3/builds", json={"package": {"guid": package["guid"]}}).json()

    def staged():
        now = client.get(f"{api}/v3/builds/{build['guid']}").json()
        assert now["state"] != "FAILED", now["error"]
        return now["droplet"] if now["state"] == "STAGED" else None

    droplet = wait("the droplet", staged)
    client.patch(f"{api}/v3/apps/{app['guid']}/relationships/current_droplet", json={"data": {"guid": droplet["guid"]}})

    domain = next(d for d in client.v3.domains.list() if not d["internal"])
    route = client.post(
        f"{api}/v3/routes",
        json={"host": "by-hand", "relationships": {"space": {"data": {"guid": space}}, "domain": {"data": {"guid": domain["guid"]}}}},
    ).json()
    client.post(
        f"{api}/v3/routes/{route['guid']}/destinations", json={"destinations": [{"app": {"guid": app["guid"]}}]}
    )
    client.post(f"{api}/v3/apps/{app['guid']}/actions/start")
    host = f"by-hand.{domain['name']}"
    wait("an answer", lambda: get(platform, host)[0] == 200)
    assert PAGE in get(platform, host)[1]

    stats = client.get(f"{api}/v3/processes/{app['guid']}/stats").json()["resources"]
    assert [instance["state"] for instance in stats] == ["RUNNING"]

    job = client.v3.apps.remove(app["guid"])
    assert job is not None
    wait("the end of the route", lambda: get(platform, host)[0] == 404)
