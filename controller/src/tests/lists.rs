//! What every list keeps.

use crate::testing::{Api, on_both};
use serde_json::json;
use virga_model::state::RoleType;

#[tokio::test]
async fn pages_follow_each_other_and_hold_everything_once() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        for number in 0..7 {
            admin.post("/v3/organizations", json!({ "name": format!("org,{number}") })).await.created();
        }
        let mut path = "/v3/organizations?order_by=-name&per_page=3".to_owned();
        let mut names = Vec::new();
        loop {
            let page = admin.get(&path).await.ok();
            assert_eq!((&page["pagination"]["total_results"], &page["pagination"]["total_pages"]), (&json!(8), &json!(3)));
            names.extend(page["resources"].as_array().unwrap().iter().map(|org| org["name"].as_str().unwrap().to_owned()));
            match page["pagination"]["next"]["href"].as_str() {
                Some(next) => path = next.replace("http://api.virga.localhost", ""),
                None => break,
            }
        }
        let mut sorted = names.clone();
        sorted.sort_by(|a, b| b.cmp(a));
        assert_eq!((names.len(), &names), (8, &sorted));
        let one = admin.get("/v3/organizations?names=org%252C3&per_page=1&page=1").await.ok();
        assert_eq!((&one["pagination"]["total_results"], &one["resources"][0]["name"]), (&json!(1), &json!("org,3")));
    })
    .await;
}

#[tokio::test]
async fn labels_select() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        for (name, labels) in [("a", json!({ "env": "prod", "tier": "1" })), ("b", json!({ "env": "dev" })), ("c", json!({}))] {
            admin.post("/v3/organizations", json!({ "name": name, "metadata": { "labels": labels } })).await.created();
        }
        let names = async |selector: &str| {
            let page = admin.get(&format!("/v3/organizations?names=a,b,c&order_by=name&label_selector={selector}")).await.ok();
            page["resources"].as_array().unwrap().iter().map(|org| org["name"].as_str().unwrap().to_owned()).collect::<String>()
        };
        assert_eq!(names("env").await, "ab");
        assert_eq!(names("!env").await, "c");
        assert_eq!(names("env%3Dprod").await, "a");
        assert_eq!(names("env!%3Dprod").await, "bc");
        assert_eq!(names("env%20in%20(prod,dev),tier").await, "a");
        assert_eq!(names("env%20notin%20(prod)").await, "bc");
        let a = admin.get("/v3/organizations?names=a").await.ok()["resources"][0]["guid"].as_str().unwrap().to_owned();
        admin.patch(&format!("/v3/organizations/{a}"), json!({ "metadata": { "labels": { "env": null } } })).await.ok();
        assert_eq!(names("env").await, "b");
        assert_eq!(admin.get("/v3/organizations?label_selector=%3D").await.error(400).0, 10005);
    })
    .await;
}

#[tokio::test]
async fn times_filter_by_the_second() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let org = admin.post("/v3/organizations", json!({ "name": "o" })).await.created();
        let made = org["created_at"].as_str().unwrap();
        let count = async |filter: &str| {
            admin.get(&format!("/v3/organizations?names=o&{filter}")).await.ok()["pagination"]["total_results"].clone()
        };
        assert_eq!(count(&format!("created_ats={made}")).await, 1);
        assert_eq!(count(&format!("created_ats%5Bgte%5D={made}")).await, 1);
        assert_eq!(count(&format!("created_ats[gt]={made}")).await, 0);
        assert_eq!(count(&format!("created_ats[lte]={made}&updated_ats[lt]=2020-01-01T00:00:00Z")).await, 0);
    })
    .await;
}

#[tokio::test]
async fn everybody_sees_their_own() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("mine").await;
        api.org_and_space("theirs").await;
        let auditor = api.user_who_is(RoleType::SpaceAuditor, org, space).await;
        for (path, expected) in [
            ("/v3/organizations", 1),
            ("/v3/spaces", 1),
            ("/v3/users", 1),
            ("/v3/roles", 1),
            ("/v3/routes", 0),
            ("/v3/apps", 0),
            ("/v3/security_groups", 1),
        ] {
            assert_eq!(auditor.get(path).await.ok()["pagination"]["total_results"], expected, "{path}");
        }
        let reader = api.user_with(virga_model::UserGuid::random(), "reader", &["cloud_controller.admin_read_only"]);
        assert_eq!(reader.get("/v3/spaces").await.ok()["pagination"]["total_results"], 3);
        assert_eq!(reader.post("/v3/organizations", json!({ "name": "x" })).await.error(403).0, 10007);
    })
    .await;
}
