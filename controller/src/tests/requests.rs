//! What every request keeps: tokens, scopes, bodies, unknown paths, discovery.

use crate::testing::{Api, on_both};
use http::Method;
use serde_json::json;
use virga_model::UserGuid;

#[tokio::test]
async fn requests_that_are_not_right_are_refused_with_cloud_foundrys_codes() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (admin, anonymous) = (api.admin().await, api.anonymous());
        assert_eq!(anonymous.get("/v3/apps").await.error(401).0, 10002);
        let scopeless = api.user_with(UserGuid::random(), "x", &["openid"]);
        assert_eq!(scopeless.get("/v3/apps").await.error(403).0, 10007);
        assert_eq!(admin.get("/v3/nothing").await.error(404), (10000, "Unknown request".to_owned()));
        assert_eq!(admin.get("/v3/organizations?nmaes=x").await.error(400).0, 10005);
        let broken = admin.send(Method::POST, "/v3/organizations", "application/json", b"{".to_vec()).await;
        assert_eq!(broken.error(400).0, 1001);
        let unknown = admin.post("/v3/organizations", json!({ "name": "x", "nmae": "y" })).await.error(422);
        assert_eq!(unknown, (10008, "Unknown field(s): 'nmae'".to_owned()));
        assert_eq!(admin.get("/v3/organizations/not-a-guid").await.expect(404)["errors"][0]["code"], 10010);
        assert_eq!(admin.post("/v3/organizations", json!({ "name": " " })).await.error(422).1, "Name can't be blank");
    })
    .await;
}

#[tokio::test]
async fn discovery_is_open_and_leads_on() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let anonymous = api.anonymous();
        let root = anonymous.get("/").await.ok();
        assert_eq!(root["links"]["cloud_controller_v3"]["href"], "http://api.virga.localhost/v3");
        assert_eq!(root["links"]["login"]["href"], "http://login.virga.localhost");
        assert!(root["links"].as_object().unwrap().contains_key("app_ssh"));
        assert_eq!(anonymous.get("/v3").await.ok()["links"]["apps"]["href"], "http://api.virga.localhost/v3/apps");
        assert_eq!(anonymous.get("/v3/info").await.ok()["name"], "virga");
    })
    .await;
}

#[tokio::test]
async fn flags_groups_and_variables_of_the_platform_change_by_its_administrator() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (admin, user) = (api.admin().await, api.user("u").await);
        assert_eq!(user.post("/v3/organizations", json!({ "name": "own" })).await.error(403).0, 10003);
        user.patch("/v3/feature_flags/user_org_creation", json!({ "enabled": true })).await.error(403);
        admin.patch("/v3/feature_flags/user_org_creation", json!({ "enabled": true })).await.ok();
        user.post("/v3/organizations", json!({ "name": "own" })).await.created();
        assert_eq!(user.get("/v3/roles").await.ok()["pagination"]["total_results"], 2, "the creator is user and manager");
        assert_eq!(admin.get("/v3/feature_flags/nope").await.error(404).1, "Feature flag not found");
        assert_eq!(user.get("/v3/feature_flags?per_page=5").await.ok()["pagination"]["total_results"], 19);

        let group = "/v3/environment_variable_groups/running";
        admin.patch(group, json!({ "var": { "A": "1", "B": "2" } })).await.ok();
        assert_eq!(admin.patch(group, json!({ "var": { "A": null } })).await.ok()["var"], json!({ "B": "2" }));
        admin.patch(group, json!({ "var": { "vcap_x": "1" } })).await.error(422);

        let rules = json!([{ "protocol": "tcp", "destination": "10.0.0.0/8", "ports": "443" }]);
        let made = admin.post("/v3/security_groups", json!({ "name": "g", "rules": rules })).await.created();
        assert_eq!(made["rules"], rules);
        let again = admin.post("/v3/security_groups", json!({ "name": "g" })).await.error(422).1;
        assert_eq!(again, "Security group with name 'g' already exists.");
        let path = format!("/v3/security_groups/{}", made["guid"].as_str().unwrap());
        admin.patch(&path, json!({ "rules": [{ "protocol": "tcp", "destination": "nowhere", "ports": "1" }] })).await.error(422);
        user.get(&path).await.error(404);
        admin.patch(&path, json!({ "globally_enabled": { "running": true } })).await.ok();
        user.get(&path).await.ok();
        admin.delete(&path).await.job();
    })
    .await;
}

#[tokio::test]
async fn changes_of_one_resource_at_once_all_happen() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, _) = api.org_and_space("busy").await;
        let path = format!("/v3/organizations/{org}");
        let changes = (0..8).map(|number| {
            let body = json!({ "metadata": { "labels": { format!("label{number}"): "here" } } });
            admin.patch(&path, body)
        });
        for answer in futures::future::join_all(changes).await {
            answer.ok();
        }
        let labels = admin.get(&path).await.ok()["metadata"]["labels"].clone();
        assert_eq!(labels.as_object().map(serde_json::Map::len), Some(8), "{labels}");
    })
    .await;
}
