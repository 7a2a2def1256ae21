//! The log cache's HTTP API.

use crate::support::Harness;
use serde_json::json;
use virga_serve::axum::http::Method;

#[tokio::test]
async fn logs_carry_the_names_of_now_and_only_for_those_who_may_see() {
    let harness = Harness::start().await;
    assert_eq!(harness.get("/api/v1/info").await.is(200).text("/version"), "3.0.10");
    let app = harness.app("before").await;
    harness.patch(&format!("/v3/apps/{app}"), json!({ "name": "after" })).await.is(200);
    let path = format!("/api/v1/read/{app}?descending=true&envelope_types=LOG&limit=1000&start_time=-6795364578871345152");
    let batch = harness.get(&path).await.is(200).body["envelopes"]["batch"].clone();
    let first = &batch[1];
    assert_eq!(first["tags"]["app_name"], "after", "a rename shows at once");
    assert_eq!((&first["tags"]["source_type"], &first["instance_id"]), (&json!("API"), &json!("0")));
    assert!(first["timestamp"].as_str().unwrap().starts_with("18000000000"), "nanoseconds, as a text");
    assert!(first["log"]["payload"].is_string());
    assert_eq!(harness.get("/api/v1/meta").await.is(200).body["meta"][&app]["count"], "2");

    let stranger = harness.user(None).await;
    assert_eq!(harness.send(&stranger, Method::GET, &path, "", "").await.status, 404);
    assert_eq!(harness.send(&stranger, Method::GET, "/api/v1/meta", "", "").await.is(200).body["meta"], json!({}));
    assert_eq!(harness.get("/api/v1/read/nonsense").await.status, 404);
    assert_eq!(harness.get(&format!("/api/v1/read/{app}?limit=1001")).await.status, 500);
}
