//! What endpoints answer: statuses and the schemas of bodies.

use super::{Reads, takes_body};
use crate::{Endpoint, Who};
use http::Method;
use serde_json::{Map, Value, json};

/// The statuses of success. Cloud Foundry's conventions by method and path; a test compares them with every endpoint's own
/// answer.
pub(crate) fn success(method: &Method, path: &str) -> &'static [u16] {
    let ends = |ends: &[&str]| ends.iter().any(|end| path.ends_with(end));
    match *method {
        Method::GET if ends(&["/download"]) => &[200, 302],
        Method::PUT if ends(&["/cancel"]) => &[202],
        // At once where no broker has to be asked.
        Method::PATCH if ends(&["/service_brokers/{guid}", "/service_instances/{guid}"]) => &[200, 202],
        Method::DELETE if ends(&["/service_credential_bindings/{guid}", "/service_instances/{guid}"]) => &[202, 204],
        Method::POST if ends(&["/v3/service_credential_bindings", "/v3/service_instances"]) => &[201, 202],
        Method::PATCH | Method::GET | Method::PUT => &[200],
        Method::DELETE if is_other_api(path) => &[204],
        Method::POST if path.starts_with("/networking/") => &[200],
        Method::DELETE if path.contains("/relationships/") || path.contains("/instances/") || ends(NO_CONTENT) => &[204],
        Method::DELETE => &[202],
        Method::POST if ends(&["/packages/{guid}/upload", "/visibility"]) => &[200],
        Method::POST if ends(&["/v3/service_brokers"]) => &[202],
        Method::POST if ends(&["/upload", "/tasks", "/actions/scale", "/actions/apply_manifest"]) => &[202],
        Method::POST if ends(&["/tasks/{guid}/actions/cancel", "/actions/clear_buildpack_cache"]) => &[202],
        Method::POST if path.contains("/relationships/") || path.contains("/actions/") || ends(&["/destinations"]) => &[200],
        _ => &[201],
    }
}

/// The routing API and the policy server stand beside v3 and write answers of their own.
fn is_other_api(path: &str) -> bool {
    path.starts_with("/routing/") || path.starts_with("/networking/")
}

/// Ends of paths whose DELETE is done when it is answered.
const NO_CONTENT: &[&str] = &[
    "/destinations/{destination}",
    "/isolation_segments/{guid}",
    "/service_offerings/{guid}",
    "/service_plans/{guid}",
    "/sidecars/{guid}",
    "/stacks/{guid}",
    "/visibility/{organization}",
    "/v3/service_route_bindings/{guid}",
];

/// Ends of paths that are answered 202 with the resource. Every other 202 has no body.
const WITH_BODY: &[&str] = &["/upload", "/tasks", "/actions/scale", "/tasks/{guid}/actions/cancel", "/cancel"];

/// What is answered 200 without a body, as in Cloud Foundry.
const EMPTY: &[&str] = &["/v3/deployments/{guid}/actions/cancel", "/v3/deployments/{guid}/actions/continue"];

/// Every status an endpoint may answer, with its body.
pub(super) fn responses(endpoint: &Endpoint, reads: &Reads) -> Value {
    let mut responses = Map::new();
    for status in success(&endpoint.method, endpoint.path) {
        responses.insert(status.to_string(), succeeded(*status, endpoint, reads));
    }
    for (status, there) in [
        (400, true),
        // The marketplace may be hidden from who has not logged in.
        (401, endpoint.who != Who::Anyone || endpoint.path.starts_with("/v3/service_")),
        (403, endpoint.who != Who::Anyone),
        // The routing API finds a group by its name, too.
        (404, endpoint.path.contains('{') || is_other_api(endpoint.path)),
        (409, !endpoint.method.is_safe() || endpoint.path.ends_with("/parameters")),
        (413, takes_body(&endpoint.method)),
        (422, !endpoint.method.is_safe() || reads.list || endpoint.path.contains('{')),
        (429, true),
        (500, true),
        (502, endpoint.path.contains("service")),
        (503, true),
    ] {
        if there {
            let kind = if is_other_api(endpoint.path) { "OtherError" } else { "Error" };
            responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{kind}") }));
        }
    }
    Value::Object(responses)
}

fn succeeded(status: u16, endpoint: &Endpoint, reads: &Reads) -> Value {
    let paged = reads.list && endpoint.method == Method::GET && !endpoint.path.ends_with('}');
    let schema = if is_other_api(endpoint.path) {
        json!({})
    } else if paged {
        json!({ "$ref": "#/components/schemas/Page" })
    } else {
        json!({ "type": "object" })
    };
    match status {
        204 => json!({ "description": "Done." }),
        302 => json!({ "description": "It is at `Location`.", "headers": { "Location": { "schema": { "type": "string" } } } }),
        202 if WITH_BODY.iter().any(|end| endpoint.path.ends_with(end)) => {
            json!({ "description": "Accepted.", "content": { "application/json": { "schema": schema } } })
        }
        202 => {
            json!({ "description": "Accepted; the job is at `Location`.", "headers": { "Location": { "schema": { "type": "string" } } } })
        }
        200 if EMPTY.contains(&endpoint.path) => json!({ "description": "Done." }),
        _ if endpoint.path.ends_with("/download") => {
            json!({ "description": "The bits.", "content": { "application/octet-stream": {}, "application/zip": {}, "application/gzip": {} } })
        }
        _ if endpoint.path.ends_with("/manifest") => json!({ "description": "The manifest.", "content": { "application/x-yaml": {} } }),
        _ => json!({ "description": "Done.", "content": { "application/json": { "schema": schema } } }),
    }
}

/// Schemas that many endpoints share.
pub(super) fn components() -> Value {
    let href = json!({ "type": "object", "properties": { "href": { "type": "string" } }, "required": ["href"] });
    let maybe_href = json!({ "anyOf": [href, { "type": "null" }] });
    json!({
        "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
        "responses": {
            "Error": {
                "description": "Why not.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Errors" } } },
            },
            "OtherError": {
                "description": "Why not, in the words of the routing API or of the policy server.",
                "content": { "application/json": { "schema": { "type": "object" } } },
            },
        },
        "schemas": {
            "Errors": {
                "type": "object",
                "required": ["errors"],
                "properties": { "errors": { "type": "array", "minItems": 1, "items": {
                    "type": "object",
                    "required": ["code", "title", "detail"],
                    "properties": {
                        "code": { "type": "integer" },
                        "title": { "type": "string", "pattern": "^CF-" },
                        "detail": { "type": "string" },
                    },
                } } },
            },
            "Page": {
                "type": "object",
                "required": ["pagination", "resources"],
                "properties": {
                    "pagination": {
                        "type": "object",
                        "required": ["total_results", "total_pages", "first", "last", "next", "previous"],
                        "properties": {
                            "total_results": { "type": "integer", "minimum": 0 },
                            "total_pages": { "type": "integer", "minimum": 1 },
                            "first": href,
                            "last": href,
                            "next": maybe_href,
                            "previous": maybe_href,
                        },
                    },
                    "resources": { "type": "array", "items": { "type": "object" } },
                    "included": { "type": "object" },
                },
            },
        },
    })
}
