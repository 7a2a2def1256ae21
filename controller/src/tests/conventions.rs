//! What every answer keeps.

use crate::{
    ControllerLimits, RateLimits,
    testing::{Answer, Api, on_both},
};
use serde_json::json;
use std::collections::BTreeMap;
use virga_model::UserGuid;

fn header(answer: &Answer, name: &str) -> String {
    answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn answers_say_whose_token_it_was_and_how_long_it_took() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let user = api.user("somebody").await;
        let answer = user.get("/v3/apps").await;
        assert_eq!(header(&answer, "x-user-guid"), user.guid.unwrap().to_string());
        assert!(header(&answer, "x-runtime").parse::<f64>().unwrap() >= 0.0);
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "content-type"), "application/json");
        assert!(header(&answer, "x-ratelimit-limit").is_empty(), "the limit is off by default");
        assert_eq!(header(&api.anonymous().get("/v3/apps").await, "x-user-guid"), "");
        assert_eq!(header(&user.get("/v3/nothing").await, "x-content-type-options"), "nosniff");
        user.get("/v3/nothing").await.error(404);
    })
    .await;
}

#[tokio::test]
async fn a_rate_limit_counts_callers_apart_and_administrators_not_at_all() {
    on_both(|store| async move {
        let rate = RateLimits { enabled: true, general_limit: 2, unauthenticated_limit: 1, ..RateLimits::default() };
        let api = Api::start_with(store, ControllerLimits { rate, ..ControllerLimits::default() }).await;
        let (one, two) = (api.user("one").await, api.user("two").await);
        let first = one.get("/v3/apps").await;
        assert_eq!((header(&first, "x-ratelimit-limit"), header(&first, "x-ratelimit-remaining")), ("2".into(), "1".into()));
        assert!(header(&first, "x-ratelimit-reset").parse::<i64>().unwrap() > api.controller.now().as_second());
        one.get("/v3/spaces").await.ok();
        let over = one.get("/v3/apps").await;
        assert_eq!(header(&over, "x-ratelimit-remaining"), "0");
        assert!((1..=3600).contains(&header(&over, "retry-after").parse::<i64>().unwrap()));
        assert_eq!(over.error(429).0, 10013);
        two.get("/v3/apps").await.ok();
        assert_eq!(api.anonymous().get("/v3/apps").await.error(401).0, 10002);
        assert_eq!(api.anonymous().get("/v3/info").await.error(429).0, 10014);
        api.anonymous().get("/").await.ok();
        api.anonymous().get("/v3").await.ok();
        let reader = api.user_with(UserGuid::random(), "reader", &["cloud_controller.admin_read_only"]);
        for _ in 0..4 {
            api.admin().await.get("/v3/apps").await.ok();
            reader.get("/v3/apps").await.ok();
        }
        let info = api.admin().await.get("/v3/info").await.ok();
        assert_eq!(info["rate_limits"], json!({ "enabled": true, "general_limit": 2, "reset_interval_in_minutes": 60 }));
    })
    .await;
}

#[tokio::test]
async fn labels_and_annotations_end_by_number() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let many: BTreeMap<String, String> = (0..201).map(|number| (format!("k{number}"), "v".to_owned())).collect();
        let refused = admin.post("/v3/organizations", json!({ "name": "o", "metadata": { "labels": many } })).await.error(422);
        assert_eq!(refused, (390_020, "Failed to add 201 labels because it would exceed maximum of 200".to_owned()));
        let refused = admin.post("/v3/organizations", json!({ "name": "o", "metadata": { "annotations": many } })).await.error(422);
        assert_eq!(refused.0, 390_023);
    })
    .await;
}
