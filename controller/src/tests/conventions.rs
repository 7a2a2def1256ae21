//! What every answer keeps.

use crate::{
    ControllerLimits, RateLimits,
    testing::{Answer, Api, on_both},
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
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

/// Lists of Cloud Foundry: path below `/v3/`, filters besides those of every list, what can be included or embedded, columns to order by
/// besides times, whether labels select.
const LISTS: &[(&str, &str, &str, &str, bool)] = &[
    ("apps", "names organization_guids space_guids stacks lifecycle_type", "space org space.organization", "name state", true),
    ("processes", "types app_guids space_guids organization_guids", "process_instances", "", true),
    ("packages", "states types app_guids space_guids organization_guids", "", "", true),
    ("builds", "states app_guids package_guids", "", "", true),
    ("droplets", "states app_guids space_guids organization_guids", "", "", true),
    ("deployments", "app_guids states status_reasons status_values", "", "", true),
    ("tasks", "names states app_guids space_guids organization_guids", "", "", true),
    ("apps/{guid}/tasks", "names states sequence_ids", "", "", true),
    ("apps/{guid}/droplets", "states current", "", "", true),
    ("apps/{guid}/revisions", "versions deployable", "", "", true),
    (
        "routes",
        "hosts paths ports domain_guids app_guids space_guids organization_guids service_instance_guids",
        "domain space space.organization route_policies",
        "",
        true,
    ),
    ("domains", "names organization_guids", "", "", true),
    ("organizations", "names", "", "name", true),
    ("spaces", "names organization_guids", "org organization", "name", true),
    ("organization_quotas", "names organization_guids", "", "", false),
    ("space_quotas", "names organization_guids space_guids", "", "", false),
    ("roles", "types user_guids organization_guids space_guids", "user organization space", "", false),
    ("users", "usernames partial_usernames origins", "", "", true),
    ("buildpacks", "names stacks lifecycle", "", "position lifecycle", true),
    ("stacks", "names default", "", "name", true),
    ("isolation_segments", "names organization_guids", "", "name", true),
    ("security_groups", "names running_space_guids staging_space_guids globally_enabled_running globally_enabled_staging", "", "", false),
    ("audit_events", "types target_guids target_guids[not] space_guids organization_guids", "", "", false),
    ("feature_flags", "", "", "name", false),
    ("app_usage_events", "after_guid", "", "", false),
    (
        "service_instances",
        "names type space_guids organization_guids service_plan_guids service_plan_names fields[space] fields[space.organization] \
         fields[service_plan] fields[service_plan.service_offering] fields[service_plan.service_offering.service_broker]",
        "",
        "name",
        true,
    ),
    (
        "service_credential_bindings",
        "names type app_guids app_names service_instance_guids service_instance_names service_plan_guids service_plan_names \
         service_offering_guids service_offering_names",
        "app service_instance",
        "name",
        true,
    ),
    ("service_route_bindings", "route_guids service_instance_guids service_instance_names", "route service_instance", "", true),
    ("service_usage_events", "after_guid service_instance_types service_offering_guids", "", "", false),
];

#[tokio::test]
async fn lists_take_what_cloud_foundrys_take_and_nothing_else() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let document = api.anonymous().get("/v3/openapi.json").await.ok();
        let mut wrong = Vec::new();
        for (path, filters, inside, columns, labels) in LISTS {
            let parameters = document["paths"][format!("/v3/{path}")]["get"]["parameters"].as_array().unwrap();
            let of = |name: &str| parameters.iter().find(|parameter| parameter["name"] == name);
            let mut expected: BTreeSet<String> = filters.split_whitespace().map(str::to_owned).collect();
            expected.extend(["page", "per_page", "order_by", "guids"].map(str::to_owned));
            for times in ["created_ats", "updated_ats"] {
                expected.insert(times.to_owned());
                expected.extend(["lt", "lte", "gt", "gte"].map(|bound| format!("{times}[{bound}]")));
            }
            expected.extend(labels.then(|| "label_selector".to_owned()));
            let inside: BTreeSet<&str> = inside.split_whitespace().collect();
            let word = if inside.contains("process_instances") { "embed" } else { "include" };
            expected.extend((!inside.is_empty()).then(|| word.to_owned()));
            expected.extend(path.contains('{').then(|| "guid".to_owned()));
            let found: BTreeSet<String> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
            let unlike: Vec<_> = expected.symmetric_difference(&found).collect();
            if !unlike.is_empty() {
                wrong.push(format!("{path}: {unlike:?}"));
            }
            let words = |parameter: &serde_json::Value, at: &str| {
                let words = parameter.pointer(at).and_then(|words| words.as_array()).cloned().unwrap_or_default();
                words.iter().filter_map(|word| word.as_str()).map(str::to_owned).collect::<BTreeSet<_>>()
            };
            let held = of(word).map(|parameter| words(parameter, "/schema/items/enum")).unwrap_or_default();
            if held != inside.iter().map(|word| (*word).to_owned()).collect() {
                wrong.push(format!("{path}: {word} takes {held:?}"));
            }
            let ordered = of("order_by").map(|parameter| words(parameter, "/schema/enum")).unwrap_or_default();
            wrong.extend(
                columns
                    .split_whitespace()
                    .filter(|column| !ordered.contains(*column))
                    .map(|column| format!("{path}: no order by {column}")),
            );
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}
