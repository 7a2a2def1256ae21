"""Every v3 call that the stock Python client has, brokers and docker aside, against a running platform."""

import io
import time
import zipfile

import pytest
from cloudfoundry_client.client import CloudFoundryClient
from cloudfoundry_client.errors import InvalidStatusCode
from cloudfoundry_client.v3.entities import ToManyRelationship, ToOneRelationship
from cloudfoundry_client.v3.organization_quotas import AppsQuota, DomainsQuota, RoutesQuota, ServicesQuota
from cloudfoundry_client.v3.packages import PackageType
from cloudfoundry_client.v3.routes import LoadBalancing
from cloudfoundry_client.v3.security_groups import GloballyEnabled, Rule, RuleProtocol

from conftest import PASSWORD

LABELS = {"meta_labels": {"tier": "one"}, "meta_annotations": {"note": "of a test"}}


@pytest.fixture(scope="module")
def client(platform):
    cf = CloudFoundryClient(f"http://{platform['listen']}")
    cf.init_with_user_credentials("admin", PASSWORD)
    return cf


@pytest.fixture(scope="module")
def v3(client):
    return client.v3


@pytest.fixture(scope="module")
def org(v3):
    return v3.organizations.create("surface", suspended=False, **LABELS)


@pytest.fixture(scope="module")
def space(v3, org):
    return v3.spaces.create("surface", org["guid"])


@pytest.fixture(scope="module")
def app(client, v3, space):
    """An app with a droplet that runs."""
    api = client.info.api_endpoint
    made = client.post(f"{api}/v3/apps", json={"name": "surface", "relationships": {"space": {"data": {"guid": space["guid"]}}}}).json()
    package = v3.packages.create(made["guid"], PackageType.BITS, **LABELS)
    bits = io.BytesIO()
    with zipfile.ZipFile(bits, "w") as archive:
        archive.writestr("index.html", "<h1>surface</h1>")
        archive.writestr("Staticfile", "")
    client.post(f"{api}/v3/packages/{package['guid']}/upload", files={"bits": ("app.zip", bits.getvalue())})
    until("the package", lambda: v3.packages.get(package["guid"])["state"] == "READY")
    build = client.post(f"{api}/v3/builds", json={"package": {"guid": package["guid"]}}).json()
    until("the build", lambda: client.get(f"{api}/v3/builds/{build['guid']}").json()["state"] != "STAGING")
    droplet = client.get(f"{api}/v3/builds/{build['guid']}").json()["droplet"]
    client.patch(f"{api}/v3/apps/{made['guid']}/relationships/current_droplet", json={"data": {"guid": droplet["guid"]}})
    client.post(f"{api}/v3/apps/{made['guid']}/actions/start")
    until("an instance", lambda: client.get(f"{api}/v3/processes/{made['guid']}/stats").json()["resources"][0]["state"] == "RUNNING")
    return v3.apps.get(made["guid"])


def until(what, probe, seconds=120):
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def refused(status, call, *args, **kwargs):
    with pytest.raises(InvalidStatusCode) as error:
        call(*args, **kwargs)
    assert error.value.status_code == status, error.value.body
    return error.value.body["errors"][0]


def gone(manager, guid):
    assert refused(404, manager.get, guid)["code"] == 10010


def removed(v3, manager, guid):
    job = manager.remove(guid)
    if job is not None:
        assert v3.jobs.wait_for_job_completion(job)["state"] == "COMPLETE"
    gone(manager, guid)


def test_apps(v3, app):
    guid = app["guid"]
    assert v3.apps[guid]["name"] == "surface"
    assert [a["guid"] for a in v3.apps.list(names="surface", include="space.organization")] == [guid]
    assert v3.apps.get_first(names="surface").space()["name"] == "surface"
    assert v3.apps.len(names="surface") == 1
    assert next(iter(v3.apps))["guid"]
    assert "VCAP_APPLICATION" in v3.apps.get_env(guid)["application_env_json"]
    assert v3.apps.get_manifest(guid).lstrip("-\n ").startswith("applications:")
    assert len(list(v3.apps.list_droplets(guid))) == 1
    assert len(list(v3.apps.list_packages(guid))) == 1
    assert list(v3.apps.list_routes(guid)) == []
    assert v3.apps.restart(guid)["state"] == "STARTED"
    assert len(list(v3.apps.list_revisions(guid))) >= 1
    until("a deployed revision", lambda: len(list(v3.apps.list_deployed_revisions(guid))) == 1)
    # Links of the answer lead on.
    assert app.space()["name"] == "surface"
    assert [p["type"] for p in app.processes()] == ["web"]
    assert app.current_droplet()["state"] == "STAGED"
    assert app.stop()["state"] == "STOPPED"
    assert app.start()["state"] == "STARTED"
    assert app.environment_variables()["var"] == {}
    assert {feature["name"] for feature in app.features()} >= {"ssh", "revisions"}


def test_services(client, v3, space, app):
    instances, bindings = v3.service_instances, v3.service_credential_bindings
    # The client makes managed instances only.
    api = client.info.api_endpoint
    own = {"type": "user-provided", "name": "db", "credentials": {"password": "p1"}, "relationships": {"space": ToOneRelationship(space["guid"])}}
    made = client.post(f"{api}/v3/service_instances", json=own).json()
    guid = made["guid"]
    assert instances.get(guid)["last_operation"]["state"] == "succeeded"
    assert [one["name"] for one in instances.list(space_guids=space["guid"], type="user-provided")] == ["db"]
    assert instances.update(guid, tags=["sql"], **LABELS)["tags"] == ["sql"]
    assert instances.get_permissions(guid) == {"manage": True, "read": True}
    assert "service plan" in refused(422, instances.create, "x", space["guid"], guid)["detail"]
    binding = bindings.create("main", "app", guid, app["guid"], None, {"tier": "one"}, None)
    assert (binding["name"], binding["metadata"]["labels"]) == ("main", {"tier": "one"})
    assert "already bound" in refused(422, bindings.create, None, "app", guid, app["guid"], None, None, None)["detail"]
    assert "not supported" in refused(422, bindings.create, "k", "key", guid, None, None, None, None)["detail"]
    assert [one["guid"] for one in bindings.list(app_guids=app["guid"], include="app,service_instance")] == [binding["guid"]]
    given = v3.apps.get_env(app["guid"])["system_env_json"]["VCAP_SERVICES"]["user-provided"][0]
    assert (given["name"], given["credentials"]) == ("main", {"password": "p1"})
    # The client cannot delete a binding; it goes with its instance.
    instances.remove(guid)
    gone(instances, guid)
    gone(bindings, binding["guid"])


def test_audit_events(v3, app):
    events = list(v3.audit_events.list(target_guids=app["guid"], types=["audit.app.create", "audit.app.start"], order_by="created_at"))
    assert events[0]["type"] == "audit.app.create"
    assert v3.audit_events.get(events[0]["guid"])["actor"]["name"] == "admin"


def test_buildpacks(v3, tmp_path):
    names = [buildpack["name"] for buildpack in v3.buildpacks.list()]
    assert "staticfile_buildpack" in names or "staticfile" in names
    first = v3.buildpacks.get_first()
    assert v3.buildpacks.get(first["guid"])["name"] == first["name"]
    made = v3.buildpacks.create("surface", position=1, enabled=False, **LABELS)
    assert (made["state"], made["enabled"]) == ("AWAITING_UPLOAD", False)
    archive = tmp_path / "buildpack.zip"
    with zipfile.ZipFile(archive, "w") as bits:
        bits.writestr("virga-buildpack.yml", "builder: staticfile\n")
    assert v3.buildpacks.upload(made["guid"], str(archive))["state"] == "READY"
    changed = v3.buildpacks.update(made["guid"], "surface-two", position=1, locked=True)
    assert (changed["name"], changed["locked"]) == ("surface-two", True)
    removed(v3, v3.buildpacks, made["guid"])


def test_domains(v3, org):
    other = v3.organizations.create("surface-domains", suspended=False)
    domain = v3.domains.create("surface.example.com", organization=ToOneRelationship(org["guid"]), **LABELS)
    assert domain["relationships"]["organization"]["data"]["guid"] == org["guid"]
    assert "surface.example.com" in [d["name"] for d in v3.domains.list_domains_for_org(org["guid"])]
    assert v3.domains.update(domain["guid"], meta_labels={"tier": "two"})["metadata"]["labels"] == {"tier": "two"}
    assert v3.domains.share_domain(domain["guid"], ToManyRelationship(other["guid"])).guids == [other["guid"]]
    assert "surface.example.com" in [d["name"] for d in v3.domains.list_domains_for_org(other["guid"])]
    v3.domains.unshare_domain(domain["guid"], other["guid"])
    assert "surface.example.com" not in [d["name"] for d in v3.domains.list_domains_for_org(other["guid"])]
    removed(v3, v3.domains, domain["guid"])
    removed(v3, v3.organizations, other["guid"])


def test_droplets_and_packages(v3, app, space, client):
    api = client.info.api_endpoint
    other = client.post(f"{api}/v3/apps", json={"name": "copies", "relationships": {"space": {"data": {"guid": space["guid"]}}}}).json()
    droplet = v3.droplets.get_first(app_guids=app["guid"])
    copy = v3.droplets.copy(droplet["guid"], other["guid"], **LABELS)
    until("the copy", lambda: v3.droplets.get(copy["guid"])["state"] == "STAGED")
    assert v3.droplets.update(copy["guid"], meta_labels={"tier": "two"})["metadata"]["labels"] == {"tier": "two"}
    assert v3.droplets.create(other["guid"], process_types={"web": "serve"})["state"] == "AWAITING_UPLOAD"
    package = v3.packages.get_first(app_guids=app["guid"])
    copied = v3.packages.copy(package["guid"], other["guid"])
    until("the copy", lambda: v3.packages.get(copied["guid"])["state"] == "READY")
    assert [d["guid"] for d in v3.packages.list_droplets(package["guid"])] == [droplet["guid"]]
    v3.jobs.wait_for_job_completion(v3.droplets.remove(copy["guid"]))
    gone(v3.droplets, copy["guid"])
    removed(v3, v3.apps, other["guid"])


def test_feature_flags(v3):
    assert {flag["name"] for flag in v3.feature_flags.list()} >= {"task_creation", "diego_docker", "user_org_creation"}
    changed = v3.feature_flags.update("user_org_creation", enabled=True, custom_error_message="ask us")
    assert (changed["enabled"], changed["custom_error_message"]) == (True, "ask us")
    assert v3.feature_flags.update("user_org_creation", enabled=False)["enabled"] is False
    assert v3.feature_flags.get("user_org_creation")["enabled"] is False


def test_isolation_segments(v3, org, space):
    segment = v3.isolation_segments.create("surface", **LABELS)
    guid = segment["guid"]
    assert v3.isolation_segments.update(guid, "surface-two")["name"] == "surface-two"
    assert v3.isolation_segments.entitle_organizations(guid, org["guid"]).guids == [org["guid"]]
    assert v3.isolation_segments.list_entitled_organizations(guid).guids == [org["guid"]]
    assert v3.organizations.assign_default_isolation_segment(org["guid"], guid)["data"]["guid"] == guid
    assert v3.organizations.get_default_isolation_segment(org["guid"]).guid == guid
    v3.organizations.assign_default_isolation_segment(org["guid"], None)
    assert v3.spaces.assign_isolation_segment(space["guid"], guid).guid == guid
    assert v3.spaces.get_assigned_isolation_segment(space["guid"]).guid == guid
    assert v3.isolation_segments.list_entitled_spaces(guid).guids == [space["guid"]]
    v3.spaces.assign_isolation_segment(space["guid"], None)
    v3.isolation_segments.revoke_organization(guid, org["guid"])
    v3.isolation_segments.remove(guid)
    gone(v3.isolation_segments, guid)


def test_organization_quotas(v3):
    other = v3.organizations.create("surface-quotas", suspended=False)
    quota = v3.organization_quotas.create(
        "surface",
        AppsQuota(1024, 512, 10, 5),
        ServicesQuota(True, 1, 1),
        RoutesQuota(8, 4),
        DomainsQuota(3),
    )
    assert (quota["apps"]["total_instances"], quota["routes"]["total_routes"], quota["domains"]["total_domains"]) == (10, 8, 3)
    changed = v3.organization_quotas.update(quota["guid"], "surface-two", routes_quota=RoutesQuota(9, 4))
    assert (changed["name"], changed["routes"]["total_routes"]) == ("surface-two", 9)
    assert other["guid"] in v3.organization_quotas.apply_to_organizations(quota["guid"], ToManyRelationship(other["guid"])).guids
    removed(v3, v3.organizations, other["guid"])
    removed(v3, v3.organization_quotas, quota["guid"])


def test_organizations_and_spaces(v3, client):
    made = v3.organizations.create("surface-organizations", suspended=False, **LABELS)
    assert v3.organizations.update(made["guid"], "renamed", suspended=True)["suspended"] is True
    assert v3.organizations.update(made["guid"], "renamed", suspended=False)["name"] == "renamed"
    assert v3.organizations.get_usage_summary(made["guid"])["usage_summary"]["started_instances"] == 0
    assert v3.organizations.get_default_domain(made["guid"])["internal"] is False
    assert len(list(v3.organizations.list_domains(made["guid"]))) >= 1
    space = v3.spaces.create("one", made["guid"])
    assert v3.spaces.update(space["guid"], "two")["name"] == "two"
    assert v3.spaces.get_first(names="two", include="organization").organization()["name"] == "renamed"
    assert space.organization()["guid"] == made["guid"]
    v3.spaces.remove(space["guid"])
    until("the end of the space", lambda: v3.spaces.len(organization_guids=made["guid"]) == 0)
    removed(v3, v3.organizations, made["guid"])


def test_processes_and_jobs(v3, app, client):
    process = v3.processes.get_first(app_guids=app["guid"])
    assert process["type"] == "web"
    assert v3.processes.get(process["guid"], "stats")["resources"][0]["type"] == "web"
    assert process.app()["guid"] == app["guid"]
    made = v3.organizations.create("surface-jobs", suspended=False)
    job = v3.jobs.wait_for_job_completion(v3.organizations.remove(made["guid"]))
    assert (job["operation"], job["state"], job["errors"], job["warnings"]) == ("organization.delete", "COMPLETE", [], [])
    assert refused(404, v3.jobs.get, made["guid"])["code"] == 10010


def test_roles_and_users(v3, org, space, client):
    api = client.info.api_endpoint
    guid = "5b8a1f38-5e0b-4c62-9d36-3a1f4d0a5e11"
    user = v3.users.create(guid, **LABELS)
    assert v3.users.update(guid, meta_labels={"tier": "two"})["metadata"]["labels"] == {"tier": "two"}
    assert v3.users.get(user["guid"])["presentation_name"] == guid
    of_user = {"user": {"data": {"guid": guid}}}
    give = lambda kind, place: client.post(f"{api}/v3/roles", json={"type": kind, "relationships": {**of_user, **place}}).json()  # noqa: E731
    in_org = give("organization_user", {"organization": {"data": {"guid": org["guid"]}}})
    in_space = give("space_auditor", {"space": {"data": {"guid": space["guid"]}}})
    listed = {role["type"]: role for role in v3.roles.list(user_guids=guid, include="user,space,organization")}
    assert set(listed) == {"organization_user", "space_auditor"}
    assert listed["space_auditor"].space()["name"] == "surface" and listed["space_auditor"].user()["guid"] == guid
    removed(v3, v3.roles, in_space["guid"])
    removed(v3, v3.roles, in_org["guid"])
    removed(v3, v3.users, guid)


def test_routes(v3, app, space):
    domain = next(d for d in v3.domains.list() if not d["internal"] and "tcp" not in d["supported_protocols"])
    route = v3.routes.create(space["guid"], domain["guid"], host="surface", path="/v1", load_balancing=LoadBalancing.ROUND_ROBIN, **LABELS)
    assert (route["url"], route["options"]) == (f"surface.{domain['name']}/v1", {"loadbalancing": "round-robin"})
    assert v3.routes.update(route["guid"], load_balancing=LoadBalancing.LEAST_CONNECTION)["options"]["loadbalancing"] == "least-connection"
    assert v3.routes.get_first(hosts="surface", include="domain,space").domain()["guid"] == domain["guid"]
    v3.jobs.wait_for_job_completion(v3.routes.remove(route["guid"]))
    gone(v3.routes, route["guid"])


def test_security_groups(v3, space):
    rules = [Rule(RuleProtocol.TCP, "192.0.2.0/24", ports="443,8080-8090", log=True), Rule(RuleProtocol.ICMP, "192.0.2.1", type=8, code=0)]
    group = v3.security_groups.create("surface", rules, GloballyEnabled(running=False), running_spaces=ToManyRelationship(space["guid"]))
    guid = group["guid"]
    assert [rule["protocol"] for rule in group["rules"]] == ["tcp", "icmp"]
    assert v3.security_groups.update(guid, name="surface-two", rules=rules[:1])["name"] == "surface-two"
    many = ToManyRelationship(space["guid"])
    assert v3.security_groups.bind_staging_security_group_to_spaces(guid, many).guids == [space["guid"]]
    assert v3.security_groups.bind_running_security_group_to_spaces(guid, many).guids == [space["guid"]]
    v3.security_groups.unbind_running_security_group_from_space(guid, ToOneRelationship(space["guid"]))
    v3.security_groups.unbind_staging_security_group_from_space(guid, ToOneRelationship(space["guid"]))
    assert v3.security_groups.get(guid)["relationships"]["running_spaces"]["data"] == []
    removed(v3, v3.security_groups, guid)


def test_stacks(v3, app):
    stack = v3.stacks.get_first()
    assert v3.stacks.get(stack["guid"])["name"] == stack["name"]
    assert app["guid"] in [a["guid"] for a in v3.stacks.list_apps(stack["guid"])]
    assert v3.stacks.update(stack["guid"], meta_labels={"tier": "two"})["metadata"]["labels"] == {"tier": "two"}
    # There is one, and it stays.
    assert refused(422, v3.stacks.create, "surface", description="another")["code"] == 10008
    refused(422, v3.stacks.remove, stack["guid"])


def test_tasks(v3, app):
    task = v3.tasks.create(app["guid"], "true", name="surface", memory_in_mb=64)
    assert task["sequence_id"] >= 1
    until("the end of the task", lambda: v3.tasks.get(task["guid"])["state"] in ("SUCCEEDED", "FAILED"))
    assert [t["name"] for t in v3.tasks.list(app_guids=app["guid"])] == ["surface"]
    assert refused(422, v3.tasks.cancel, task["guid"])["code"] == 10008
