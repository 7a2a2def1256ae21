//! Isolation segments, security groups of spaces, members, usage events: what operators and managers keep.

use super::{fixture::Fixture, started::started_app};
use crate::testing::{Api, on_both};
use serde_json::{Value, json};
use virga_model::state::RoleType;

fn guid(resource: &Value) -> String {
    resource["guid"].as_str().unwrap().to_owned()
}

fn guids(list: &Value) -> Vec<String> {
    let resources = if list["resources"].is_array() { &list["resources"] } else { &list["data"] };
    resources.as_array().unwrap().iter().map(guid).collect()
}

#[tokio::test]
async fn an_organization_uses_the_segments_it_is_entitled_to() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let manager = api.user_who_is(RoleType::OrganizationManager, org, space).await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let segment = guid(&admin.post("/v3/isolation_segments", json!({ "name": "gpu" })).await.created());
        let path = format!("/v3/isolation_segments/{segment}");
        let again = admin.post("/v3/isolation_segments", json!({ "name": "GPU" })).await.error(422).1;
        assert_eq!(again, "Isolation Segment names are case insensitive and must be unique");
        manager.get(&path).await.expect(404);
        let of_space = format!("/v3/spaces/{space}/relationships/isolation_segment");
        let this = json!({ "data": { "guid": segment } });
        let refused = manager.patch(&of_space, this.clone()).await.error(422).1;
        assert!(refused.ends_with("Ensure it has been entitled to the organization that this space belongs to."), "{refused}");

        let entitle = json!({ "data": [{ "guid": org }, { "guid": "nowhere" }] });
        let refused = admin.post(&format!("{path}/relationships/organizations"), entitle).await.error(422).1;
        assert!(refused.starts_with("Unable to entitle organizations ['nowhere']"), "{refused}");
        manager.get(&path).await.expect(404);
        let entitle = json!({ "data": [{ "guid": org }] });
        assert_eq!(guids(&admin.post(&format!("{path}/relationships/organizations"), entitle).await.ok()), [org.to_string()]);
        assert_eq!(manager.get(&path).await.ok()["name"], "gpu");
        assert_eq!(guids(&manager.get(&format!("{path}/organizations")).await.ok()), [org.to_string()]);
        let entitled = developer.get(&format!("/v3/isolation_segments?organization_guids={org}")).await.ok();
        assert_eq!(guids(&entitled), std::slice::from_ref(&segment));

        developer.patch(&of_space, this.clone()).await.error(403);
        assert_eq!(manager.patch(&of_space, this.clone()).await.ok()["data"]["guid"], json!(segment));
        assert_eq!(guids(&developer.get(&format!("{path}/relationships/spaces")).await.ok()), [space.to_string()]);
        let revoke = format!("{path}/relationships/organizations/{org}");
        let refused = admin.delete(&revoke).await.error(422).1;
        assert!(refused.ends_with("Currently assigned to: 'space'"), "{refused}");
        assert!(admin.patch(&path, json!({ "name": "x" })).await.error(422).1.starts_with("Cannot update Isolation Segments"));
        manager.patch(&of_space, json!({ "data": null })).await.ok();
        let of_org = format!("/v3/organizations/{org}/relationships/default_isolation_segment");
        manager.patch(&of_org, this).await.ok();
        assert_eq!(developer.get(&of_org).await.ok()["data"]["guid"], json!(segment));
        assert!(admin.delete(&revoke).await.error(422).1.contains("Default Isolation Segment for the Organization"));
        manager.patch(&of_org, json!({ "data": null })).await.ok();
        assert!(admin.delete(&path).await.error(422).1.starts_with("Revoke the Organization entitlements"));
        admin.delete(&revoke).await.expect(204);
        admin.delete(&path).await.expect(204);
        let shared = admin.get("/v3/isolation_segments?names=shared").await.ok();
        let shared = format!("/v3/isolation_segments/{}", guids(&shared)[0]);
        assert_eq!(admin.delete(&shared).await.error(422).1, "Cannot delete the shared Isolation Segment");
    })
    .await;
}

#[tokio::test]
async fn security_groups_are_bound_by_managers_and_seen_where_they_hold() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let (_, elsewhere) = api.org_and_space("other").await;
        let manager = api.user_who_is(RoleType::SpaceManager, org, space).await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let rules = json!([{ "protocol": "tcp", "destination": "10.0.0.1,10.0.0.5-10.0.0.9", "ports": "443,8000-9000" }]);
        let made = admin.post("/v3/security_groups", json!({ "name": "db", "rules": rules })).await.created();
        let path = format!("/v3/security_groups/{}", guid(&made));
        developer.get(&path).await.expect(404);
        let bind = json!({ "data": [{ "guid": space }] });
        manager.post(&format!("{path}/relationships/running_spaces"), bind.clone()).await.expect(404);
        admin.post(&format!("{path}/relationships/staging_spaces"), bind.clone()).await.ok();
        // Bound for stagings it is seen, and managers of the space may bind it for running apps too.
        assert_eq!(developer.get(&path).await.ok()["relationships"]["staging_spaces"]["data"][0]["guid"], json!(space));
        developer.post(&format!("{path}/relationships/running_spaces"), bind.clone()).await.error(403);
        assert_eq!(guids(&manager.post(&format!("{path}/relationships/running_spaces"), bind).await.ok()), [space.to_string()]);
        let foreign = json!({ "data": [{ "guid": elsewhere }] });
        let refused = manager.post(&format!("{path}/relationships/running_spaces"), foreign).await.error(422).1;
        assert!(refused.contains("do not exist, or you do not have access to them."), "{refused}");

        let names = |list: &Value| {
            let names = list["resources"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap().to_owned());
            let mut names: Vec<String> = names.collect();
            names.sort();
            names
        };
        let running = developer.get(&format!("/v3/spaces/{space}/running_security_groups")).await.ok();
        assert_eq!(names(&running), ["db", "public_networks"]);
        let other = admin.get(&format!("/v3/spaces/{elsewhere}/running_security_groups")).await.ok();
        assert_eq!(names(&other), ["public_networks"]);
        let filtered = admin.get(&format!("/v3/security_groups?running_space_guids={space}")).await.ok();
        assert_eq!(names(&filtered), ["db"]);
        assert_eq!(names(&admin.get(&format!("/v3/security_groups?staging_space_guids={elsewhere}")).await.ok()), Vec::<String>::new());

        manager.delete(&format!("{path}/relationships/running_spaces/{space}")).await.expect(204);
        let again = manager.delete(&format!("{path}/relationships/running_spaces/{space}")).await.error(422).1;
        assert!(again.ends_with("Ensure the space is bound to this security group."), "{again}");
        admin.delete(&path).await.job();
        assert_eq!(names(&developer.get(&format!("/v3/spaces/{space}/staging_security_groups")).await.ok()), ["public_networks"]);
    })
    .await;
}

#[tokio::test]
async fn members_are_listed_where_they_have_a_role() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("o").await;
        let auditor = api.user_who_is(RoleType::OrganizationAuditor, org, space).await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let in_org = developer.get(&format!("/v3/organizations/{org}/users")).await.ok();
        assert_eq!(guids(&in_org), [auditor.guid.unwrap().to_string()]);
        let in_space = developer.get(&format!("/v3/spaces/{space}/users?order_by=-created_at")).await.ok();
        assert_eq!(guids(&in_space), [developer.guid.unwrap().to_string()]);
        auditor.get(&format!("/v3/spaces/{space}/users")).await.expect(404);
    })
    .await;
}

#[tokio::test]
async fn a_suspended_space_stands_still() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("o").await;
        let manager = api.user_who_is(RoleType::OrganizationManager, org, space).await;
        let own = api.user_who_is(RoleType::SpaceManager, org, space).await;
        let path = format!("/v3/spaces/{space}");
        own.patch(&path, json!({ "suspended": true })).await.error(403);
        assert_eq!(manager.patch(&path, json!({ "suspended": true })).await.ok()["suspended"], true);
        assert_eq!(own.patch(&path, json!({ "name": "x" })).await.error(403).0, 10019);
        own.get(&path).await.ok();
        assert_eq!(manager.patch(&path, json!({ "suspended": false, "name": "y" })).await.ok()["name"], "y");
    })
    .await;
}

fn states(list: &Value) -> Vec<String> {
    list["resources"].as_array().unwrap().iter().map(|event| event["state"]["current"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn usage_is_written_once_for_every_change() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let app = started_app(&api, "a", space).await;
        let scale = format!("/v3/apps/{app}/processes/web/actions/scale");
        admin.post(&scale, json!({ "instances": 3 })).await.expect(202);
        admin.post(&scale, json!({ "instances": 3 })).await.expect(202);
        admin.post(&format!("/v3/apps/{app}/actions/restart"), json!({})).await.ok();
        admin.post(&format!("/v3/apps/{app}/actions/stop"), json!({})).await.ok();
        let events = admin.get("/v3/app_usage_events").await.ok();
        assert_eq!(states(&events), ["STARTED", "STARTED", "STOPPED"], "{events}");
        let scaled = &events["resources"][1];
        assert_eq!(scaled["instance_count"], json!({ "current": 3, "previous": 1 }));
        assert_eq!(scaled["state"]["previous"], "STARTED");
        assert_eq!((&scaled["app"]["name"], &scaled["process"]["type"]), (&json!("a"), &json!("web")));
        assert_eq!((&scaled["space"]["guid"], &scaled["organization"]["guid"]), (&json!(space), &json!(org)));
        let stopped = &events["resources"][2];
        assert_eq!(stopped["memory_in_mb_per_instance"]["current"], 256);

        admin.post(&format!("/v3/apps/{app}/actions/start"), json!({})).await.ok();
        let after = format!("/v3/app_usage_events?after_guid={}", guid(scaled));
        assert_eq!(states(&admin.get(&after).await.ok()), ["STOPPED", "STARTED"]);
        let wrong = admin.get(&format!("/v3/app_usage_events?after_guid={app}")).await.error(422).1;
        assert_eq!(wrong, "After guid filter must be a valid app usage event guid.");
        admin.get("/v3/app_usage_events?order_by=-created_at&per_page=1").await.ok();
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        assert_eq!(developer.get("/v3/app_usage_events").await.ok()["pagination"]["total_results"], 0);
        developer.get(&format!("/v3/app_usage_events/{}", guid(scaled))).await.expect(404);
        let purge = "/v3/app_usage_events/actions/destructively_purge_all_and_reseed";
        developer.post(purge, json!({})).await.error(403);
        admin.post(purge, json!({})).await.ok();
        let seeded = admin.get("/v3/app_usage_events").await.ok();
        assert_eq!((states(&seeded), seeded["resources"][0]["instance_count"]["current"].clone()), (vec!["STARTED".to_owned()], json!(3)));

        let other = started_app(&api, "b", space).await;
        admin.delete(&format!("/v3/organizations/{org}")).await.job();
        api.settle().await;
        let ended = admin.get(&format!("/v3/app_usage_events?order_by=created_at&after_guid={}", guid(&seeded["resources"][0]))).await.ok();
        assert_eq!(states(&ended), ["STARTED", "STOPPED", "STOPPED"]);
        let gone: Vec<&Value> = ended["resources"].as_array().unwrap().iter().skip(1).map(|event| &event["app"]["guid"]).collect();
        assert!(gone.contains(&&json!(app)) && gone.contains(&&json!(other)), "{ended}");
        assert_eq!(
            admin.get("/v3/service_usage_events?service_instance_types=managed_service_instance").await.ok()["resources"],
            json!([])
        );
    })
    .await;
}

#[tokio::test]
async fn stagings_are_used_and_old_events_are_forgotten() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        Fixture::make(&api, false).await;
        let events = states(&admin.get("/v3/app_usage_events").await.ok());
        assert_eq!(events, ["STAGING_STARTED", "BUILDPACK_SET", "STAGING_STOPPED", "STARTED", "STOPPED"]);
        assert_eq!(crate::sweep::sweep(&api.controller).await.unwrap(), 0, "nothing is old");
    })
    .await;
}

#[tokio::test]
async fn flags_take_away_what_they_name() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let app = started_app(&api, "a", space).await;
        let set = async |flag: &str, enabled: bool| {
            let body = json!({ "enabled": enabled, "custom_error_message": if enabled { None } else { Some("Ask us.") } });
            admin.patch(&format!("/v3/feature_flags/{flag}"), body).await.ok();
        };
        let environment = format!("/v3/apps/{app}/environment_variables");
        let scale = format!("/v3/apps/{app}/processes/web/actions/scale");
        developer.get(&environment).await.ok();
        set("space_developer_env_var_visibility", false).await;
        assert_eq!(developer.get(&environment).await.error(403), (330_002, "Feature Disabled: Ask us.".to_owned()));
        admin.get(&environment).await.ok();
        set("env_var_visibility", false).await;
        admin.get(&format!("/v3/apps/{app}/env")).await.error(403);
        set("app_scaling", false).await;
        developer.post(&scale, json!({ "instances": 2 })).await.error(403);
        admin.post(&scale, json!({ "instances": 2 })).await.expect(202);
        set("app_bits_upload", false).await;
        developer.post("/v3/resource_matches", json!({ "resources": [] })).await.error(403);
        set("task_creation", false).await;
        developer.post(&format!("/v3/apps/{app}/tasks"), json!({ "command": "x" })).await.error(403);
        for (flag, body, path) in [
            (
                "private_domain_creation",
                json!({ "name": "d.example", "relationships": { "organization": { "data": { "guid": org } } } }),
                "/v3/domains",
            ),
            ("user_org_creation", json!({ "name": "new" }), "/v3/organizations"),
        ] {
            let manager = api.user_who_is(RoleType::OrganizationManager, org, space).await;
            set(flag, false).await;
            manager.post(path, body.clone()).await.error(403);
            set(flag, true).await;
            manager.post(path, body).await.created();
        }
        set("app_scaling", true).await;
        developer.post(&scale, json!({ "instances": 1 })).await.expect(202);
    })
    .await;
}
