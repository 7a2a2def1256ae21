//! The life of organizations, spaces and roles.

use crate::testing::{Api, guid_of, on_both};
use serde_json::{Value, json};
use virga_model::state::RoleType;

fn in_org(org: &impl ToString) -> Value {
    json!({ "organization": { "data": { "guid": org.to_string() } } })
}

#[tokio::test]
async fn a_new_installation_has_what_a_first_push_needs() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let orgs = admin.get("/v3/organizations?order_by=name").await.ok();
        assert_eq!(orgs["resources"][0]["name"], "virga");
        let org = orgs["resources"][0]["guid"].as_str().unwrap();
        let spaces = admin.get(&format!("/v3/spaces?organization_guids={org}&include=org")).await.ok();
        assert_eq!((&spaces["resources"][0]["name"], &spaces["included"]["organizations"][0]["guid"]), (&json!("dev"), &json!(org)));
        let domain = admin.get(&format!("/v3/organizations/{org}/domains/default")).await.ok();
        assert_eq!(domain["name"], "apps.virga.localhost");
        let groups = admin.get("/v3/security_groups?globally_enabled_running=true").await.ok();
        assert_eq!(groups["resources"][0]["name"], "public_networks");
        let quota = orgs["resources"][0]["relationships"]["quota"]["data"]["guid"].as_str().unwrap().to_owned();
        let quota = admin.get(&format!("/v3/organization_quotas/{quota}")).await.ok();
        assert_eq!((&quota["name"], &quota["apps"]["total_memory_in_mb"]), (&json!("default"), &json!(102_400)));
        let roles = admin.get("/v3/roles?include=user").await.ok();
        assert_eq!(roles["pagination"]["total_results"], 4);
        assert_eq!(roles["included"]["users"][0]["username"], "admin");
    })
    .await;
}

#[tokio::test]
async fn what_exists_already_is_refused_in_the_words_that_the_cli_knows() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let org = admin.post("/v3/organizations", json!({ "name": "o" })).await.created();
        let again = admin.post("/v3/organizations", json!({ "name": "o" })).await.error(422);
        assert_eq!(again, (10008, "Organization 'o' already exists.".to_owned()));

        let space = json!({ "name": "s", "relationships": in_org(&org["guid"].as_str().unwrap()) });
        let made = admin.post("/v3/spaces", space.clone()).await.created();
        assert!(admin.post("/v3/spaces", space).await.error(422).1.contains("Name must be unique per organization"));

        let user = api.user("alice").await;
        let role = |kind: &str, place: &str, guid: &Value| {
            json!({ "type": kind, "relationships": { "user": { "data": { "username": "alice" } }, place: { "data": { "guid": guid } } } })
        };
        let early = admin.post("/v3/roles", role("space_developer", "space", &made["guid"])).await.error(422).1;
        assert!(early.starts_with("Users cannot be assigned roles in a space if they do not have a role"), "{early}");
        admin.post("/v3/roles", role("organization_user", "organization", &org["guid"])).await.created();
        let given = admin.post("/v3/roles", role("space_developer", "space", &made["guid"])).await.created();
        let twice = admin.post("/v3/roles", role("space_developer", "space", &made["guid"])).await.error(422).1;
        assert_eq!(twice, "User 'alice' already has 'space_developer' role in space 's'.");
        let nobody = json!({ "type": "organization_user", "relationships": {
            "user": { "data": { "username": "bob" } }, "organization": { "data": { "guid": org["guid"] } } } });
        assert_eq!(admin.post("/v3/roles", nobody).await.error(422).1, "No user exists with the username 'bob'.");

        assert_eq!(user.get("/v3/spaces").await.ok()["resources"][0]["guid"], made["guid"]);
        let job = admin.delete(&format!("/v3/roles/{}", given["guid"].as_str().unwrap())).await.job();
        assert_eq!(user.get(&job).await.ok()["state"], "COMPLETE");
        assert_eq!(user.get("/v3/spaces").await.ok()["pagination"]["total_results"], 0);
    })
    .await;
}

#[tokio::test]
async fn deleting_an_organization_takes_everything_in_it() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("doomed").await;
        let member = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let private = json!({ "name": "doomed.example.com", "relationships": in_org(&org) });
        let domain = admin.post("/v3/domains", private.clone()).await.created();
        let app = json!({ "name": "app", "relationships": { "space": { "data": { "guid": space } } } });
        let app = member.post("/v3/apps", app).await.created();
        let relationships = json!({ "space": { "data": { "guid": space } }, "domain": { "data": { "guid": domain["guid"] } } });
        let route = member.post("/v3/routes", json!({ "host": "a", "relationships": relationships })).await.created();
        let to = json!({ "destinations": [{ "app": { "guid": app["guid"] } }] });
        let route = route["guid"].as_str().unwrap();
        member.post(&format!("/v3/routes/{route}/destinations"), to).await.ok();

        member.delete(&format!("/v3/organizations/{org}")).await.error(403);
        let job = admin.delete(&format!("/v3/organizations/{org}/")).await.job();
        assert_eq!(admin.get(&job).await.ok()["state"], "PROCESSING");
        api.settle().await;
        let ended = admin.get(&job).await.ok();
        assert_eq!((&ended["state"], &ended["operation"]), (&json!("COMPLETE"), &json!("organization.delete")), "{ended}");
        for gone in [
            format!("organizations/{org}"),
            format!("spaces/{space}"),
            format!("routes/{route}"),
            format!("apps/{}", app["guid"].as_str().unwrap()),
        ] {
            admin.get(&format!("/v3/{gone}")).await.expect(404);
        }
        let (again, _) = api.org_and_space("doomed").await;
        admin.post("/v3/domains", json!({ "name": "doomed.example.com", "relationships": in_org(&again) })).await.created();
    })
    .await;
}

#[tokio::test]
async fn managers_manage_and_a_suspended_organization_stands_still() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let manager = api.user_who_is(RoleType::OrganizationManager, org, space).await;
        manager.patch(&format!("/v3/organizations/{org}/"), json!({ "name": "renamed" })).await.ok();
        let made = manager.post("/v3/spaces", json!({ "name": "second", "relationships": in_org(&org) })).await.created();
        manager.patch(&format!("/v3/organizations/{org}"), json!({ "suspended": true })).await.error(403);
        admin.patch(&format!("/v3/organizations/{org}"), json!({ "suspended": true })).await.ok();
        let path = format!("/v3/spaces/{}", made["guid"].as_str().unwrap());
        assert_eq!(manager.patch(&path, json!({ "name": "third" })).await.error(403).0, 10017);
        manager.get(&path).await.ok();
        admin.patch(&path, json!({ "name": "third" })).await.ok();
        let events = admin.get(&format!("/v3/audit_events?organization_guids={org}&order_by=-created_at")).await.ok();
        assert_eq!(events["resources"][0]["type"], "audit.space.update");
        assert_eq!(events["resources"][0]["actor"]["name"], "admin");
        let _: virga_model::EventGuid = guid_of(&events["resources"][0]);
    })
    .await;
}
