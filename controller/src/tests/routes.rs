//! Routes, destinations and domains.

use crate::testing::{Answer, Api, User, on_both};
use serde_json::{Value, json};
use virga_model::{SpaceGuid, state::RoleType};

async fn shared_domain(admin: &User<'_>) -> Value {
    admin.get("/v3/domains?names=apps.virga.localhost&per_page=1&page=1").await.ok()["resources"][0].clone()
}

async fn make(user: &User<'_>, space: SpaceGuid, domain: &Value, rest: Value) -> Answer {
    let mut body = rest;
    body["relationships"] = json!({ "space": { "data": { "guid": space } }, "domain": { "data": { "guid": domain["guid"] } } });
    user.post("/v3/routes", body).await
}

#[tokio::test]
async fn a_route_is_one_host_and_path_whatever_its_case() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let domain = shared_domain(&admin).await;
        let route = make(&developer, space, &domain, json!({ "host": "Shop", "path": "/v1" })).await.created();
        assert_eq!(route["url"], "shop.apps.virga.localhost/v1");
        assert_eq!(route.get("options"), None);
        let again = make(&developer, space, &domain, json!({ "host": "shop", "path": "/v1" })).await.error(422).1;
        assert_eq!(again, "Route already exists with host 'shop' and path '/v1' for domain 'apps.virga.localhost'.");
        make(&developer, space, &domain, json!({ "host": "shop" })).await.created();
        let exact = format!("/v3/routes?domain_guids={}&hosts=SHOP&paths=&per_page=1&page=1", domain["guid"].as_str().unwrap());
        let found = developer.get(&exact).await.ok();
        assert_eq!((&found["pagination"]["total_results"], &found["resources"][0]["path"]), (&json!(1), &json!("")));
        let reserved = format!("/v3/domains/{}/route_reservations?host=shop&path=/v1&port=", domain["guid"].as_str().unwrap());
        assert_eq!(developer.get(&reserved).await.ok()["matching_route"], true);
        for (body, what) in [
            (json!({ "host": "" }), "Missing host"),
            (json!({ "host": "a.b" }), "Host must be"),
            (json!({ "host": "a", "path": "x" }), "Path must"),
            (json!({ "host": "a", "port": 1 }), "do not support ports"),
            (json!({ "host": "a", "options": { "loadbalancing": "guess" } }), "Loadbalancing"),
        ] {
            let detail = make(&developer, space, &domain, body).await.error(422).1;
            assert!(detail.contains(what), "{detail}");
        }
    })
    .await;
}

#[tokio::test]
async fn destinations_come_once_and_go() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let route = make(&developer, space, &shared_domain(&admin).await, json!({ "host": "a" })).await.created();
        let path = format!("/v3/routes/{}", route["guid"].as_str().unwrap());
        let app = json!({ "name": "app", "relationships": { "space": { "data": { "guid": space } } } });
        let app = developer.post("/v3/apps", app).await.created();
        let to = json!({ "destinations": [{ "app": { "guid": app["guid"] } }] });
        let before = api.scheduler.nudges();
        developer.post(&format!("{path}/destinations"), to.clone()).await.ok();
        let both = developer.post(&format!("{path}/destinations"), to).await.ok();
        assert!(api.scheduler.nudges() > before);
        let [destination] = both["destinations"].as_array().unwrap().as_slice() else { panic!("{both}") };
        assert_eq!(
            (&destination["port"], &destination["protocol"], &destination["app"]["process"]["type"]),
            (&json!(8080), &json!("http1"), &json!("web"))
        );
        let of_app = developer.get(&format!("/v3/apps/{}/routes", app["guid"].as_str().unwrap())).await.ok();
        assert_eq!(of_app["resources"][0]["destinations"][0]["guid"], destination["guid"]);

        let one = format!("{path}/destinations/{}", destination["guid"].as_str().unwrap());
        assert_eq!(developer.patch(&one, json!({ "protocol": "http2" })).await.ok()["protocol"], "http2");
        developer.delete(&format!("/v3/spaces/{space}/routes?unmapped=true")).await.job();
        developer.get(&path).await.ok();
        developer.delete(&one).await.expect(204);
        developer.delete(&one).await.error(422);
        developer.delete(&format!("/v3/spaces/{space}/routes")).await.error(400);
        developer.delete(&format!("/v3/spaces/{space}/routes?unmapped=true")).await.job();
        assert_eq!(developer.get(&path).await.error(404).1, "Route not found");
        let types =
            format!("/v3/audit_events?types=audit.app.map-route,audit.app.unmap-route&target_guids={}", app["guid"].as_str().unwrap());
        assert_eq!(developer.get(&types).await.ok()["pagination"]["total_results"], 2);
    })
    .await;
}

#[tokio::test]
async fn another_organizations_domain_and_the_systems_names_cannot_be_had() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("mine").await;
        let (other, elsewhere) = api.org_and_space("theirs").await;
        let in_org = |guid: virga_model::OrgGuid| json!({ "organization": { "data": { "guid": guid } } });
        let manager = api.user_who_is(RoleType::OrganizationManager, org, space).await;
        let domain = manager.post("/v3/domains", json!({ "name": "Mine.example", "relationships": in_org(org) })).await.created();
        assert_eq!((&domain["name"], &domain["relationships"]["organization"]["data"]["guid"]), (&json!("mine.example"), &json!(org)));
        manager.post("/v3/domains", json!({ "name": "shared.example" })).await.error(403);
        let rival = api.user_who_is(RoleType::OrganizationManager, other, elsewhere).await;
        for taken in ["mine.example", "below.mine.example", "virga.localhost"] {
            rival.post("/v3/domains", json!({ "name": taken, "relationships": in_org(other) })).await.error(422);
        }
        rival.get(&format!("/v3/domains/{}", domain["guid"].as_str().unwrap())).await.error(404);
        let developer = api.user_who_is(RoleType::SpaceDeveloper, other, elsewhere).await;
        assert!(make(&developer, elsewhere, &domain, json!({ "host": "a" })).await.error(422).1.contains("Invalid domain"));
        let system = admin.post("/v3/domains", json!({ "name": "virga.localhost" })).await.error(422).1;
        assert!(system.contains("reserved"), "{system}");
        make(&developer, space, &shared_domain(&admin).await, json!({ "host": "a" })).await.error(422);
    })
    .await;
}

#[tokio::test]
async fn a_quota_of_routes_ends() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (_, space) = api.org_and_space("o").await;
        let org = admin.get("/v3/organizations?names=o").await.ok()["resources"][0]["guid"].as_str().unwrap().to_owned();
        let quota = json!({ "name": "small", "routes": { "total_routes": 1 }, "relationships": { "organizations": { "data": [{ "guid": org }] } } });
        let quota = admin.post("/v3/organization_quotas", quota).await.created();
        assert_eq!((&quota["routes"]["total_routes"], &quota["apps"]["total_memory_in_mb"]), (&json!(1), &Value::Null));
        let domain = shared_domain(&admin).await;
        make(&admin, space, &domain, json!({ "host": "one" })).await.created();
        let over = make(&admin, space, &domain, json!({ "host": "two" })).await.error(422).1;
        assert_eq!(over, "Routes quota exceeded for organization 'o'.");
        admin.delete(&format!("/v3/organization_quotas/{}", quota["guid"].as_str().unwrap())).await.error(422);
    })
    .await;
}
