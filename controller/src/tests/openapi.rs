//! The description of the API is the route table's.

use crate::{
    openapi::{self, success},
    routes::endpoints,
    testing::{Api, on_both},
};
use serde_json::{Value, json};
use std::collections::HashSet;

#[tokio::test]
async fn every_endpoint_is_described_by_what_its_handler_reads() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        if let Err(error) = openapi::document(&api.controller).await {
            panic!("{error}: {:?}", error.api().context);
        }
        let document = api.anonymous().get("/v3/openapi.json").await.ok();
        assert_eq!((&document["openapi"], &document["servers"][0]["url"]), (&json!("3.1.0"), &json!("http://api.virga.localhost")));
        let mut ids = HashSet::new();
        for endpoint in endpoints() {
            let operation = &document["paths"][endpoint.path][endpoint.method.as_str().to_ascii_lowercase()];
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{operation}");
            for status in success(&endpoint.method, endpoint.path) {
                assert!(operation["responses"][status.to_string()].is_object(), "{} {}: {operation}", endpoint.method, endpoint.path);
            }
            let reads = (endpoint.reads)();
            assert!(
                !reads.raw || operation["requestBody"]["content"].is_object(),
                "say in RAW_BODIES what {} {} takes",
                endpoint.method,
                endpoint.path
            );
        }
        let names = |operation: &Value| {
            operation["parameters"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap().to_owned()).collect::<HashSet<_>>()
        };
        let apps = names(&document["paths"]["/v3/apps"]["get"]);
        for name in
            ["page", "per_page", "order_by", "guids", "created_ats[lt]", "label_selector", "include", "space_guids", "lifecycle_type"]
        {
            assert!(apps.contains(name), "{name} in {apps:?}");
        }
        let events = names(&document["paths"]["/v3/audit_events"]["get"]);
        assert!(events.contains("target_guids[not]") && !events.contains("label_selector"), "{events:?}");
        let body = &document["paths"]["/v3/apps"]["post"]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!((&body["properties"]["name"]["type"], &body["additionalProperties"]), (&json!("string"), &json!(false)), "{body}");
        assert!(body["properties"]["relationships"]["properties"]["space"].is_object(), "{body}");
    })
    .await;
}
