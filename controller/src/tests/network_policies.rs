//! Network policies through the policy server's external API.

use crate::testing::{Api, User, on_both};
use serde_json::{Value, json};
use virga_model::{SpaceGuid, state::RoleType};

const POLICIES: &str = "/networking/v1/external/policies";

async fn app(user: &User<'_>, space: SpaceGuid, name: &str) -> Value {
    let app = json!({ "name": name, "relationships": { "space": { "data": { "guid": space } } } });
    user.post("/v3/apps", app).await.created()["guid"].clone()
}

fn policy(source: &Value, destination: &Value, protocol: &str, start: i64, end: i64) -> Value {
    json!({ "policies": [{ "source": { "id": source }, "destination": {
        "id": destination, "protocol": protocol, "ports": { "start": start, "end": end } } }] })
}

#[tokio::test]
async fn developers_of_both_apps_say_which_may_reach_which() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        assert_eq!(admin.get("/").await.ok()["links"]["network_policy_v1"]["href"], "http://api.virga.localhost/networking/v1/external");
        let (org, space) = api.org_and_space("one").await;
        let (other_org, other) = api.org_and_space("two").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let auditor = api.user_who_is(RoleType::SpaceAuditor, org, space).await;
        let (front, back) = (app(&developer, space, "front").await, app(&developer, space, "back").await);
        let foreign = app(&admin, other, "foreign").await;
        let _ = other_org;

        let before = api.scheduler.nudges();
        assert_eq!(developer.post(POLICIES, policy(&front, &back, "tcp", 8080, 8080)).await.ok(), json!({}));
        assert!(api.scheduler.nudges() > before);
        developer.post(POLICIES, policy(&front, &back, "tcp", 8080, 8080)).await.ok();
        let denied = json!({ "error": "one or more applications cannot be found or accessed" });
        assert_eq!(developer.post(POLICIES, policy(&front, &foreign, "tcp", 8080, 8080)).await.expect(403), denied);
        assert_eq!(auditor.post(POLICIES, policy(&front, &back, "udp", 1, 2)).await.expect(403), denied);
        api.anonymous().get(POLICIES).await.expect(401);
        let network_admin = api.user_with(virga_model::UserGuid::random(), "operator", &["network.admin"]);
        network_admin.post(POLICIES, policy(&front, &foreign, "udp", 53, 54)).await.ok();

        let own = developer.get(&format!("{POLICIES}?id={}", back.as_str().unwrap())).await.ok();
        let mut expected = policy(&front, &back, "tcp", 8080, 8080);
        expected["total_policies"] = json!(1);
        assert_eq!(own, expected);
        assert_eq!(developer.get(POLICIES).await.ok()["total_policies"], 1, "not those with apps of others");
        assert_eq!(auditor.get(POLICIES).await.ok()["total_policies"], 0);
        assert_eq!(admin.get(POLICIES).await.ok()["total_policies"], 2);

        developer.post(&format!("{POLICIES}/delete"), policy(&front, &back, "tcp", 8080, 8081)).await.ok();
        assert_eq!(developer.get(POLICIES).await.ok()["total_policies"], 1, "only exactly what was named goes");
        developer.post(&format!("{POLICIES}/delete"), policy(&front, &back, "tcp", 8080, 8080)).await.ok();
        assert_eq!(developer.get(POLICIES).await.ok(), json!({ "total_policies": 0, "policies": [] }));
        // The last one goes with its app.
        developer.delete(&format!("/v3/apps/{}", front.as_str().unwrap())).await.job();
        api.settle().await;
        assert_eq!(admin.get(POLICIES).await.ok()["total_policies"], 0);
    })
    .await;
}

#[tokio::test]
async fn policies_that_cannot_be_are_refused_whole() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (_, space) = api.org_and_space("o").await;
        let (one, two) = (app(&admin, space, "one").await, app(&admin, space, "two").await);
        for (body, what) in [
            (json!({ "policies": [] }), "missing policies"),
            (policy(&json!(""), &two, "tcp", 1, 1), "missing source id"),
            (policy(&one, &json!(""), "tcp", 1, 1), "missing destination id"),
            (policy(&one, &two, "icmp", 1, 1), "invalid destination protocol, specify either udp or tcp"),
            (policy(&one, &two, "tcp", 2, 1), "invalid destination port range 2-1"),
            (policy(&one, &two, "tcp", 0, 1), "invalid destination port range 0-1"),
            (policy(&one, &two, "tcp", 1, 65_536), "invalid destination port range 1-65536"),
        ] {
            assert_eq!(admin.post(POLICIES, body).await.expect(400), json!({ "error": what }));
        }
        let mut mixed = policy(&one, &two, "tcp", 1, 1);
        mixed["policies"].as_array_mut().unwrap().push(policy(&one, &two, "tcp", 2, 1)["policies"][0].clone());
        admin.post(POLICIES, mixed).await.expect(400);
        assert_eq!(admin.get(POLICIES).await.ok()["total_policies"], 0);
    })
    .await;
}

#[tokio::test]
async fn a_source_has_so_many_policies_and_no_more() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let (one, two) = (app(&developer, space, "one").await, app(&developer, space, "two").await);
        let ports = |ports: std::ops::RangeInclusive<i64>| {
            let all: Vec<Value> = ports.map(|port| policy(&one, &two, "tcp", port, port)["policies"][0].clone()).collect();
            json!({ "policies": all })
        };
        developer.post(POLICIES, ports(1..=150)).await.ok();
        let over = developer.post(POLICIES, ports(151..=151)).await.expect(403);
        assert_eq!(over, json!({ "error": "policy quota exceeded: 150 policies" }));
        assert_eq!(developer.get(POLICIES).await.ok()["total_policies"], 150);
    })
    .await;
}
