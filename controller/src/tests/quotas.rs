//! Quotas of organizations and spaces: who may divide what, and what no longer fits.

use crate::testing::{Api, User, on_both};
use serde_json::{Value, json};
use virga_model::{OrgGuid, SpaceGuid, state::RoleType};

fn in_org(org: OrgGuid) -> Value {
    json!({ "organization": { "data": { "guid": org } } })
}

async fn space_quota(user: &User<'_>, org: OrgGuid, space: SpaceGuid, limits: Value) -> String {
    let mut body = json!({ "name": format!("{limits}").chars().take(200).collect::<String>(), "relationships": in_org(org) });
    body["relationships"]["spaces"] = json!({ "data": [{ "guid": space }] });
    for (section, values) in limits.as_object().unwrap() {
        body[section] = values.clone();
    }
    let made = user.post("/v3/space_quotas", body).await.created();
    assert_eq!(made["relationships"]["spaces"]["data"][0]["guid"], json!(space));
    made["guid"].as_str().unwrap().to_owned()
}

async fn org_quota(api: &Api, org: OrgGuid, limits: Value) {
    let mut body = limits;
    body["name"] = json!(OrgGuid::random());
    body["relationships"] = json!({ "organizations": { "data": [{ "guid": org }] } });
    api.admin().await.post("/v3/organization_quotas", body).await.created();
}

#[tokio::test]
async fn managers_of_an_organization_make_quotas_for_its_spaces() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("o").await;
        let (other, elsewhere) = api.org_and_space("other").await;
        let manager = api.user_who_is(RoleType::OrganizationManager, org, space).await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let quota = space_quota(&manager, org, space, json!({ "apps": { "total_memory_in_mb": 128 } })).await;
        let path = format!("/v3/space_quotas/{quota}");

        let shown = developer.get(&path).await.ok();
        assert_eq!((&shown["apps"]["total_memory_in_mb"], &shown["apps"]["total_instances"]), (&json!(128), &Value::Null));
        assert_eq!(developer.get("/v3/space_quotas").await.ok()["pagination"]["total_results"], 1);
        developer.patch(&path, json!({ "name": "mine" })).await.error(403);
        let space_view = developer.get(&format!("/v3/spaces/{space}")).await.ok();
        assert_eq!(space_view["relationships"]["quota"]["data"]["guid"], json!(quota));

        manager
            .patch(&path, json!({ "name": "small", "routes": { "total_routes": 3 }, "apps": { "total_memory_in_mb": null } }))
            .await
            .ok();
        let same = json!({ "name": "small", "relationships": in_org(org) });
        assert_eq!(manager.post("/v3/space_quotas", same).await.error(422).1, "Space Quota 'small' already exists.");
        let foreign = json!({ "name": "x", "relationships": in_org(other) });
        let refused = manager.post("/v3/space_quotas", foreign).await.error(422).1;
        assert_eq!(refused, format!("Organization with guid '{other}' does not exist, or you do not have access to it."));
        let outside = json!({ "data": [{ "guid": elsewhere }] });
        let refused = api.admin().await.post(&format!("{path}/relationships/spaces"), outside.clone()).await.error(422).1;
        assert_eq!(refused, "Space quotas cannot be applied outside of their owning organization.");
        let refused = manager.post(&format!("{path}/relationships/spaces"), outside).await.error(422).1;
        assert!(refused.starts_with("Spaces with guids [") && refused.contains("do not exist"), "{refused}");
        let negative = manager.patch(&path, json!({ "apps": { "total_instances": -1 } })).await.error(422).1;
        assert_eq!(negative, "Apps total instances must be greater than or equal to 0");
        let ports = manager.patch(&path, json!({ "routes": { "total_reserved_ports": 4 } })).await.error(422).1;
        assert_eq!(ports, "Routes total reserved ports must be less than or equal to total routes");

        let in_use = manager.delete(&path).await.error(422).1;
        assert!(in_use.starts_with("This quota is applied to one or more spaces."), "{in_use}");
        manager.delete(&format!("{path}/relationships/spaces/{space}")).await.expect(204);
        let again = manager.delete(&format!("{path}/relationships/spaces/{space}")).await.error(422).1;
        assert!(again.ends_with("Ensure the space quota is applied to this space."), "{again}");
        let job = manager.delete(&path).await.job();
        assert_eq!(manager.get(&job).await.ok()["state"], "COMPLETE");
    })
    .await;
}

#[tokio::test]
async fn started_apps_fit_into_both_quotas() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let app = super::started::started_app(&api, "a", space).await;
        let scale = format!("/v3/apps/{app}/processes/web/actions/scale");
        let limits = json!({ "apps": { "total_memory_in_mb": 512, "total_instances": 3, "per_process_memory_in_mb": 400 } });
        space_quota(&admin, org, space, limits).await;
        admin.post(&scale, json!({ "instances": 2 })).await.expect(202);
        let refused = |body: Value| async { admin.post(&scale, body).await.error(422).1 };
        assert_eq!(refused(json!({ "instances": 3 })).await, "memory space_quota_exceeded");
        assert_eq!(refused(json!({ "instances": 4, "memory_in_mb": 64 })).await, "app_instance_limit space_app_instance_limit_exceeded");
        let one = json!({ "instances": 1, "memory_in_mb": 401 });
        assert_eq!(refused(one).await, "memory space_instance_memory_limit_exceeded");
        org_quota(&api, org, json!({ "apps": { "total_memory_in_mb": 511 } })).await;
        assert_eq!(refused(json!({ "instances": 2 })).await, "memory quota_exceeded");
        let both = refused(json!({ "instances": 3 })).await;
        assert_eq!(both, "memory space_quota_exceeded, memory quota_exceeded");
        let shown = admin.get(&format!("/v3/apps/{app}/processes/web")).await.ok();
        assert_eq!(shown["instances"], 2, "what was refused changed nothing");
        // A stopped app is promised nothing; to start it again it must fit.
        admin.post(&format!("/v3/apps/{app}/actions/stop"), json!({})).await.ok();
        admin.post(&scale, json!({ "instances": 9 })).await.expect(202);
        let start = admin.post(&format!("/v3/apps/{app}/actions/start"), json!({})).await.error(422).1;
        assert!(start.contains("memory quota_exceeded") && start.contains("space_app_instance_limit_exceeded"), "{start}");
        let manifest = "applications:\n- name: a\n  instances: 1\n  memory: 402M\n";
        let applied = admin
            .send(http::Method::POST, &format!("/v3/spaces/{space}/actions/apply_manifest"), "application/x-yaml", manifest.into())
            .await;
        assert_eq!(applied.status.as_u16(), 202, "the app is stopped: {}", applied.body);
        let started = admin.post(&format!("/v3/apps/{app}/actions/start"), json!({})).await.error(422).1;
        assert_eq!(started, "memory space_instance_memory_limit_exceeded");
    })
    .await;
}

#[tokio::test]
async fn logs_tasks_and_routes_fit_too() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let app = super::started::started_app(&api, "a", space).await;
        let refused = json!({ "name": "logs", "apps": { "log_rate_limit_in_bytes_per_second": 1000 }, "relationships": {
            "organizations": { "data": [{ "guid": org }] } } });
        let refused = admin.post("/v3/organization_quotas", refused).await.error(422).1;
        assert!(refused.contains("org 'o' which contains apps running with an unlimited log rate limit"), "{refused}");
        let scale = format!("/v3/apps/{app}/processes/web/actions/scale");
        admin.post(&scale, json!({ "log_rate_limit_in_bytes_per_second": 600 })).await.expect(202);
        let limits = json!({ "apps": { "log_rate_limit_in_bytes_per_second": 1000, "per_app_tasks": 1, "per_process_memory_in_mb": 300 } });
        org_quota(&api, org, limits).await;
        assert_eq!(admin.post(&scale, json!({ "instances": 2 })).await.error(422).1, "log_rate_limit exceeds organization log rate quota");
        let unlimited = json!({ "log_rate_limit_in_bytes_per_second": -1 });
        assert_eq!(admin.post(&scale, unlimited).await.error(422).1, "log_rate_limit cannot be unlimited in organization 'o'.");

        let tasks = format!("/v3/apps/{app}/tasks");
        let task =
            |memory: u32, rate: i64| json!({ "command": "true", "memory_in_mb": memory, "log_rate_limit_in_bytes_per_second": rate });
        let refused = admin.post(&tasks, task(301, 401)).await.error(422).1;
        assert_eq!(refused, "memory_in_mb exceeds organization instance memory quota, log_rate_limit exceeds organization log rate quota");
        admin.post(&tasks, task(64, 400)).await.expect(202);
        let second = admin.post(&tasks, task(64, 0)).await.error(422).1;
        assert_eq!(second, "app_task_limit quota exceeded");
        let usage = admin.get(&format!("/v3/organizations/{org}/usage_summary")).await.ok();
        assert_eq!(usage["usage_summary"]["memory_in_mb"], json!(256 + 64));
        assert_eq!(usage["usage_summary"]["per_app_tasks"], 1);

        let domain = admin.get(&format!("/v3/organizations/{org}/domains/default")).await.ok();
        space_quota(&admin, org, space, json!({ "routes": { "total_routes": 1 } })).await;
        let route = |host: &str| {
            json!({ "host": host, "relationships": {
            "space": { "data": { "guid": space } }, "domain": { "data": { "guid": domain["guid"] } } } })
        };
        admin.post("/v3/routes", route("one")).await.created();
        assert_eq!(admin.post("/v3/routes", route("two")).await.error(422).1, "Routes quota exceeded for space 'space'.");
        assert_eq!(admin.get("/v3/info/usage_summary").await.ok()["usage_summary"]["routes"], 1);
        let summary = admin.get(&format!("/v3/spaces/{space}/usage_summary")).await.ok();
        assert_eq!(summary["usage_summary"]["started_instances"], 1);
    })
    .await;
}

#[tokio::test]
async fn of_two_that_come_at_once_one_fits() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let (one, two) = (super::started::started_app(&api, "one", space).await, super::started::started_app(&api, "two", space).await);
        // Both run with one instance of 256 MB; there is room for one more.
        org_quota(&api, org, json!({ "apps": { "total_memory_in_mb": 768 }, "routes": { "total_routes": 1 } })).await;
        let scale = async |app: virga_model::AppGuid| {
            let path = format!("/v3/apps/{app}/processes/web/actions/scale");
            admin.post(&path, json!({ "instances": 2 })).await.status.as_u16()
        };
        let (first, second) = tokio::join!(scale(one), scale(two));
        let mut statuses = [first, second];
        statuses.sort_unstable();
        assert_eq!(statuses, [202, 422]);
        let usage = admin.get(&format!("/v3/organizations/{org}/usage_summary")).await.ok();
        assert_eq!(usage["usage_summary"]["memory_in_mb"], 768);

        let domain = admin.get(&format!("/v3/organizations/{org}/domains/default")).await.ok();
        let route = async |host: &str| {
            let places = json!({ "space": { "data": { "guid": space } }, "domain": { "data": { "guid": domain["guid"] } } });
            admin.post("/v3/routes", json!({ "host": host, "relationships": places })).await.status.as_u16()
        };
        let (first, second) = tokio::join!(route("a"), route("b"));
        let mut statuses = [first, second];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 422]);
    })
    .await;
}
