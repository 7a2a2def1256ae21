//! Discovery: where everything is, and which version this is.

use crate::{Controller, answer};
use serde_json::{Map, Value, json};
use virga_serve::{
    Base,
    axum::{extract::State, response::Response},
};

/// The version of Cloud Foundry's API that this one is. High enough that clients never fall back to older calls.
pub const API_VERSION: &str = "3.228.0";

/// `GET /`. What this platform does not have (yet) is `null`, as in Cloud Foundry.
pub async fn links(base: Base) -> Response {
    answer::ok(json!({ "links": {
        "self": { "href": base.api },
        "cloud_controller_v3": { "href": format!("{}/v3", base.api), "meta": { "version": API_VERSION } },
        "network_policy_v0": null,
        "network_policy_v1": { "href": format!("{}/networking/v1/external", base.api) },
        "login": { "href": base.login },
        "uaa": { "href": base.uaa },
        "credhub": null,
        "routing": { "href": format!("{}/routing", base.api) },
        "logging": null,
        "log_cache": { "href": base.log_cache },
        "log_stream": null,
        "app_ssh": null,
    }}))
}

/// `GET /v3`.
pub async fn v3_links(base: Base) -> Response {
    const RESOURCES: &[&str] = &[
        "apps",
        "audit_events",
        "buildpacks",
        "builds",
        "deployments",
        "domains",
        "droplets",
        "environment_variable_groups",
        "feature_flags",
        "info",
        "isolation_segments",
        "organizations",
        "organization_quotas",
        "packages",
        "processes",
        "resource_matches",
        "roles",
        "routes",
        "security_groups",
        "service_brokers",
        "service_instances",
        "service_credential_bindings",
        "service_offerings",
        "service_plans",
        "service_route_bindings",
        "spaces",
        "space_quotas",
        "stacks",
        "tasks",
        "users",
    ];
    let mut links = Map::from_iter([("self".to_owned(), answer::link(&base, "/v3"))]);
    links.extend(RESOURCES.iter().map(|name| ((*name).to_owned(), answer::link(&base, format_args!("/v3/{name}")))));
    answer::ok(json!({ "links": links }))
}

/// `GET /v3/info`.
pub async fn info(State(controller): State<Controller>, base: Base) -> Response {
    let limits = controller.limiter().limits();
    let rate_limits = if limits.enabled {
        json!({ "enabled": true, "general_limit": limits.general_limit, "reset_interval_in_minutes": limits.reset_interval_in_minutes })
    } else {
        json!({ "enabled": false, "general_limit": "", "reset_interval_in_minutes": "" })
    };
    let support: Value = json!({ "href": "" });
    answer::ok(json!({
        "build": env!("CARGO_PKG_VERSION"),
        "cli_version": { "minimum": "", "recommended": "" },
        "custom": {},
        "description": "Cloud Foundry on WebAssembly",
        "name": "virga",
        "version": 0,
        "osbapi_version": "2.15",
        "rate_limits": rate_limits,
        "links": { "self": answer::link(&base, "/v3/info"), "support": support },
    }))
}
