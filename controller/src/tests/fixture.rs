//! One of everything, in a space of its own.

use crate::testing::{Api, User, guid_of};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use virga_blobstore::Kind;
use virga_model::{
    OrgGuid, PackageGuid, ServiceBrokerGuid, ServiceOfferingGuid, ServicePlanGuid, SpaceGuid, service::BrokerState, state::PackageState,
};
use virga_store::{
    Sealed,
    metadata::Metadata,
    packages,
    service_brokers::{self, ServiceBrokerRow},
    service_offerings::{self, OfferingCatalog, ServiceOfferingRow},
    service_plans::{self, PlanCatalog, ServicePlanRow},
};

/// Guids of one of everything.
pub(super) struct Fixture {
    pub org: OrgGuid,
    pub space: SpaceGuid,
    /// An empty space of the same organization.
    pub spare: SpaceGuid,
    app: String,
    package: String,
    build: String,
    droplet: String,
    deployment: Option<String>,
    task: String,
    revision: String,
    route: String,
    destination: String,
    domain: String,
    user: String,
    username: String,
    role: String,
    job: String,
    event: String,
    usage_event: String,
    quota: String,
    space_quota: String,
    isolation_segment: String,
    security_group: String,
    stack: String,
    buildpack: String,
    service_instance: String,
    binding: String,
    route_binding: String,
    broker: String,
    offering: String,
    plan: String,
}

fn text(resource: &Value) -> String {
    resource["guid"].as_str().unwrap().to_owned()
}

fn first(list: &Value) -> String {
    text(&list["resources"][0])
}

fn to(kind: &str, guid: &impl ToString) -> Value {
    json!({ kind: { "data": { "guid": guid.to_string() } } })
}

fn space_quota(org: &OrgGuid) -> Value {
    json!({ "name": uuid(), "relationships": to("organization", org) })
}

async fn applied_quota(admin: &User<'_>, org: &OrgGuid, space: &SpaceGuid) -> String {
    let mut body = space_quota(org);
    body["relationships"]["spaces"] = json!({ "data": [{ "guid": space }] });
    text(&admin.post("/v3/space_quotas", body).await.created())
}

async fn entitled_segment(admin: &User<'_>, name: &str, org: &OrgGuid) -> String {
    let segment = text(&admin.post("/v3/isolation_segments", json!({ "name": name })).await.created());
    let path = format!("/v3/isolation_segments/{segment}/relationships/organizations");
    admin.post(&path, json!({ "data": [{ "guid": org }] })).await.ok();
    segment
}

async fn bound_group(admin: &User<'_>, name: &str, space: &SpaceGuid) -> String {
    let spaces = json!({ "data": [{ "guid": space }] });
    let body = json!({ "name": name, "relationships": { "running_spaces": spaces, "staging_spaces": spaces } });
    text(&admin.post("/v3/security_groups", body).await.created())
}

fn user_provided(name: &str, space: &SpaceGuid) -> Value {
    json!({ "type": "user-provided", "name": name, "credentials": { "password": "hunter2" }, "route_service_url": "https://gateway.example.com",
        "relationships": to("space", space) })
}

/// A service instance; `other` is bound to the app, which the walk can bind to the first. Guids of both.
async fn instance(admin: &User<'_>, space: &SpaceGuid, app: &str, name: &str) -> (String, String) {
    let instance = text(&admin.post("/v3/service_instances", user_provided(name, space)).await.created());
    if name != "other" {
        return (instance, String::new());
    }
    let mut relationships = to("app", &app);
    relationships["service_instance"] = json!({ "data": { "guid": instance } });
    let binding = json!({ "type": "app", "relationships": relationships });
    (instance, text(&admin.post("/v3/service_credential_bindings", binding).await.created()))
}

impl Fixture {
    /// Makes it all. A deployment stands in the way of much else and is made on request only.
    pub async fn make(api: &Api, with_deployment: bool) -> Self {
        let admin = api.admin().await;
        let name = uuid();
        let (org, space) = api.org_and_space(&name).await;
        let spare = admin.post("/v3/spaces", json!({ "name": "spare", "relationships": to("organization", &org) })).await.created();
        let app = text(&admin.post("/v3/apps", json!({ "name": "app", "relationships": to("space", &space) })).await.created());
        let package = json!({ "type": "bits", "relationships": to("app", &app) });
        let package = text(&admin.post("/v3/packages", package).await.created());
        upload(api, package.parse().unwrap()).await;
        let build = text(&admin.post("/v3/builds", json!({ "package": { "guid": package } })).await.created());
        api.settle().await;
        let staged = admin.get(&format!("/v3/builds/{build}")).await.ok();
        assert_eq!(staged["state"], "STAGED", "{staged}");
        let droplet = text(&staged["droplet"]);
        let current = json!({ "data": { "guid": droplet } });
        admin.patch(&format!("/v3/apps/{app}/relationships/current_droplet"), current).await.ok();
        for action in ["start", "stop"] {
            admin.post(&format!("/v3/apps/{app}/actions/{action}"), json!({})).await.ok();
        }
        let revision = first(&admin.get(&format!("/v3/apps/{app}/revisions")).await.ok());
        let deployment = if with_deployment { Some(deploy(&admin, &app).await) } else { None };
        let task = text(&admin.post(&format!("/v3/apps/{app}/tasks"), json!({ "command": "true" })).await.expect(202));
        let domain = json!({ "name": format!("{name}.example"), "relationships": to("organization", &org) });
        let domain = text(&admin.post("/v3/domains", domain).await.created());
        let places = json!({ "space": { "data": { "guid": space } }, "domain": { "data": { "guid": domain } } });
        let route = text(&admin.post("/v3/routes", json!({ "host": "a", "relationships": places.clone() })).await.created());
        let behind = text(&admin.post("/v3/routes", json!({ "host": "behind", "relationships": places })).await.created());
        let destination = json!({ "destinations": [{ "app": { "guid": app } }] });
        let destination = admin.post(&format!("/v3/routes/{route}/destinations"), destination).await.ok();
        let (user, username, role) = member(api, &admin, org, space).await;
        let (broker, offering, plan) = marketplace(api, space).await;
        let service_instance = instance(&admin, &space, &app, "free").await.0;
        let relationships =
            json!({ "route": { "data": { "guid": behind } }, "service_instance": { "data": { "guid": service_instance } } });
        let route_binding = text(&admin.post("/v3/service_route_bindings", json!({ "relationships": relationships })).await.created());
        Self {
            org,
            space,
            spare: guid_of(&spare),
            package,
            build,
            droplet,
            deployment,
            task,
            revision,
            destination: text(&destination["destinations"][0]),
            route,
            domain,
            user,
            username,
            role,
            job: admin
                .delete(&format!("/v3/spaces/{}/routes?unmapped=true", text(&spare)))
                .await
                .job()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned(),
            event: first(&admin.get(&format!("/v3/audit_events?target_guids={app}")).await.ok()),
            space_quota: applied_quota(&admin, &org, &space).await,
            usage_event: first(&admin.get("/v3/app_usage_events").await.ok()),
            isolation_segment: entitled_segment(&admin, &name, &org).await,
            quota: text(&admin.post("/v3/organization_quotas", json!({ "name": name })).await.created()),
            security_group: bound_group(&admin, &name, &space).await,
            stack: first(&admin.get("/v3/stacks").await.ok()),
            buildpack: text(&admin.post("/v3/buildpacks", json!({ "name": name })).await.created()),
            service_instance,
            route_binding,
            binding: instance(&admin, &space, &app, "other").await.1,
            broker,
            offering,
            plan,
            app,
        }
    }

    /// The path with its parameters filled in.
    pub fn path(&self, template: &str) -> String {
        let mut parts = template.trim_start_matches('/').split('/');
        let resource = parts.nth(1).unwrap_or_default();
        let guid = match resource {
            "organizations" => self.org.to_string(),
            "spaces" => self.space.to_string(),
            "apps" | "processes" => self.app.clone(),
            "packages" => self.package.clone(),
            "builds" => self.build.clone(),
            "droplets" => self.droplet.clone(),
            "deployments" => self.deployment.clone().unwrap_or_default(),
            "tasks" => self.task.clone(),
            "revisions" => self.revision.clone(),
            "routes" => self.route.clone(),
            "domains" => self.domain.clone(),
            "users" => self.user.clone(),
            "roles" => self.role.clone(),
            "jobs" => self.job.clone(),
            "audit_events" => self.event.clone(),
            "app_usage_events" => self.usage_event.clone(),
            "organization_quotas" => self.quota.clone(),
            "space_quotas" => self.space_quota.clone(),
            "isolation_segments" => self.isolation_segment.clone(),
            "security_groups" => self.security_group.clone(),
            "stacks" => self.stack.clone(),
            "buildpacks" => self.buildpack.clone(),
            "service_instances" => self.service_instance.clone(),
            "service_credential_bindings" => self.binding.clone(),
            "service_route_bindings" => self.route_binding.clone(),
            "service_brokers" => self.broker.clone(),
            "service_offerings" => self.offering.clone(),
            "service_plans" => self.plan.clone(),
            _ => uuid(),
        };
        let name = match resource {
            "feature_flags" => "task_creation",
            "environment_variable_groups" => "running",
            _ => "ssh",
        };
        let path = template.replace("{guid}", &guid).replace("{name}", name).replace("{type}", "web").replace("{index}", "0");
        let path = path.replace("{destination}", &self.destination).replace("{source}", &self.app).replace("{task}", &self.task);
        let path = path.replace("{organization}", &self.org.to_string()).replace("{space}", &self.space.to_string());
        if template == "/v3/spaces/{guid}/routes" { format!("{path}?unmapped=true") } else { path }
    }

    /// A body that the endpoint takes from who may.
    pub fn body(&self, method: &Method, template: &str) -> (&'static str, Vec<u8>) {
        if template.contains("manifest") && *method == Method::POST {
            return ("application/x-yaml", b"applications:\n- name: app\n  memory: 64M\n".to_vec());
        }
        let body = match (method.as_str(), template) {
            ("POST", "/v3/organizations" | "/v3/organization_quotas" | "/v3/security_groups" | "/v3/isolation_segments") => {
                json!({ "name": uuid() })
            }
            ("POST", "/v3/buildpacks" | "/v3/stacks") => json!({ "name": uuid() }),
            ("POST", "/v3/spaces") => json!({ "name": uuid(), "relationships": to("organization", &self.org) }),
            ("POST", "/v3/space_quotas") => space_quota(&self.org),
            (
                "POST",
                "/v3/domains/{guid}/relationships/shared_organizations" | "/v3/isolation_segments/{guid}/relationships/organizations",
            ) => {
                json!({ "data": [{ "guid": self.org }] })
            }
            ("POST", "/v3/service_brokers") => json!({
                "name": uuid(),
                "url": "https://broker.example.com",
                "authentication": { "type": "basic", "credentials": { "username": "u", "password": "hunter2" } },
                "relationships": to("space", &self.space),
            }),
            ("POST" | "PATCH", "/v3/service_plans/{guid}/visibility") => json!({ "type": "public" }),
            ("POST", "/v3/service_instances") => user_provided(&uuid(), &self.space),
            ("POST", "/v3/service_route_bindings") => json!({ "relationships": {
                "route": { "data": { "guid": self.route } }, "service_instance": { "data": { "guid": self.service_instance } } } }),
            ("POST", "/v3/service_credential_bindings") => json!({ "type": "app", "relationships": {
                "app": { "data": { "guid": self.app } }, "service_instance": { "data": { "guid": self.service_instance } } } }),
            ("POST", "/v3/routes/{guid}/relationships/shared_spaces" | "/v3/service_instances/{guid}/relationships/shared_spaces") => {
                json!({ "data": [{ "guid": self.spare }] })
            }
            ("POST", path) if path.starts_with("/networking/") => {
                let destination = json!({ "id": self.app, "protocol": "tcp", "ports": { "start": 8080, "end": 8080 } });
                json!({ "policies": [{ "source": { "id": self.app }, "destination": destination }] })
            }
            (
                "POST",
                "/v3/space_quotas/{guid}/relationships/spaces"
                | "/v3/security_groups/{guid}/relationships/running_spaces"
                | "/v3/security_groups/{guid}/relationships/staging_spaces",
            ) => json!({ "data": [{ "guid": self.space }] }),
            ("POST", "/v3/apps") => json!({ "name": uuid(), "relationships": to("space", &self.space) }),
            ("POST", "/v3/domains") => json!({ "name": format!("{}.example", uuid()), "relationships": to("organization", &self.org) }),
            ("POST", "/v3/routes") => json!({ "host": uuid(), "relationships": {
                "space": { "data": { "guid": self.space } }, "domain": { "data": { "guid": self.domain } } } }),
            ("POST", "/v3/users") => json!({ "guid": uuid() }),
            ("POST", "/v3/roles") => json!({ "type": "space_auditor", "relationships": {
                "user": { "data": { "username": self.username } }, "space": { "data": { "guid": self.space } } } }),
            ("POST", "/v3/packages") => json!({ "type": "bits", "relationships": to("app", &self.app) }),
            ("POST", "/v3/builds") => json!({ "package": { "guid": self.package } }),
            ("POST", "/v3/droplets") => json!({ "relationships": to("app", &self.app) }),
            ("POST", "/v3/deployments") => json!({ "relationships": to("app", &self.app) }),
            ("POST", "/v3/resource_matches") => json!({ "resources": [] }),
            ("POST" | "PATCH", "/v3/routes/{guid}/destinations") => json!({ "destinations": [{ "app": { "guid": self.app } }] }),
            ("PATCH", "/v3/routes/{guid}/relationships/space") => json!({ "data": { "guid": self.spare } }),
            ("PATCH", "/v3/apps/{guid}/relationships/current_droplet") => json!({ "data": { "guid": self.droplet } }),
            ("PATCH", "/v3/apps/{guid}/environment_variables" | "/v3/environment_variable_groups/{name}") => json!({ "var": { "A": "1" } }),
            ("PATCH", path) if path.contains("/feature") => json!({ "enabled": false }),
            ("PATCH", path) if path.ends_with("isolation_segment") => json!({ "data": null }),
            ("POST", path) if path.ends_with("/actions/scale") => json!({ "instances": 1 }),
            ("POST", path) if path.ends_with("/relationships/organizations") => json!({ "data": [{ "guid": self.org }] }),
            ("POST", path) if path.ends_with("/tasks") => json!({ "command": "true" }),
            ("POST", path) if path.ends_with("/sidecars") => json!({ "name": "s", "command": "true", "process_types": ["web"] }),
            _ => json!({}),
        };
        ("application/json", body.to_string().into_bytes())
    }
}

/// A new guid, or a name that nobody has.
fn uuid() -> String {
    PackageGuid::random().to_string()
}

/// A broker of the space with an offering and a plan; guids of all three.
async fn marketplace(api: &Api, space: SpaceGuid) -> (String, String, String) {
    let now = api.controller.now();
    let broker = ServiceBrokerRow {
        guid: ServiceBrokerGuid::random(),
        created_at: now,
        updated_at: now,
        name: uuid(),
        url: "https://broker.example.com".into(),
        username: "u".into(),
        password: Sealed::from_stored(String::new()),
        space: Some(space),
        is_own: false,
        state: BrokerState::Available,
        metadata: Metadata::default(),
    };
    let offering = ServiceOfferingRow {
        guid: ServiceOfferingGuid::random(),
        created_at: now,
        updated_at: now,
        broker: broker.guid,
        catalog_id: uuid(),
        name: "database".into(),
        description: "a database".into(),
        available: true,
        catalog: OfferingCatalog::default(),
        metadata: Metadata::default(),
    };
    let plan = ServicePlanRow {
        guid: ServicePlanGuid::random(),
        created_at: now,
        updated_at: now,
        offering: offering.guid,
        catalog_id: uuid(),
        name: "small".into(),
        description: "a small one".into(),
        available: true,
        is_free: true,
        is_public: false,
        catalog: PlanCatalog::default(),
        metadata: Metadata::default(),
    };
    let mut tx = api.controller.store.begin().await.unwrap();
    service_brokers::insert(&mut tx, &broker).await.unwrap();
    service_offerings::insert(&mut tx, &offering).await.unwrap();
    service_plans::insert(&mut tx, &plan).await.unwrap();
    tx.commit().await.unwrap();
    (broker.guid.to_string(), offering.guid.to_string(), plan.guid.to_string())
}

/// Makes the package ready as an upload would.
async fn upload(api: &Api, guid: PackageGuid) {
    let bits = Bytes::from_static(b"bits");
    let digest = api.controller.blobs.put_bytes(Kind::Packages, bits.clone()).await.unwrap();
    // The fake stager's droplet has its package's digest.
    api.controller.blobs.put_bytes(Kind::Droplets, bits).await.unwrap();
    let mut tx = api.controller.store.begin().await.unwrap();
    let mut package = packages::find(&mut tx, guid).await.unwrap().unwrap();
    (package.state, package.digest, package.size_bytes) = (PackageState::Ready, Some(digest), Some(4));
    packages::update(&mut tx, &mut package, api.controller.now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn deploy(admin: &User<'_>, app: &str) -> String {
    admin.post(&format!("/v3/apps/{app}/actions/start"), json!({})).await.ok();
    text(&admin.post("/v3/deployments", json!({ "relationships": to("app", &app) })).await.created())
}

/// A user with a role in the organization and one in the space; guid and name, and guid of the space's role.
async fn member(api: &Api, admin: &User<'_>, org: OrgGuid, space: SpaceGuid) -> (String, String, String) {
    let user = api.user(&uuid()).await;
    let give = |kind: &str, place: &str, guid: String| {
        let mut relationships = to(place, &guid);
        relationships["user"] = json!({ "data": { "guid": user.guid } });
        json!({ "type": kind, "relationships": relationships })
    };
    admin.post("/v3/roles", give("organization_user", "organization", org.to_string())).await.created();
    let role = admin.post("/v3/roles", give("space_developer", "space", space.to_string())).await.created();
    (user.guid.unwrap().to_string(), user.name.clone(), text(&role))
}
