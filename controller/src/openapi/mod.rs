//! The OpenAPI document of this API, made from the route table: every endpoint is in it because it is in the table. Bodies are
//! described by the types that handlers read ([`shape`]), the parameters of lists by the [`ListSpec`] that their handler
//! itself parses with. Nothing here is kept by hand beside the statuses in [`answers`], which a test compares with what the
//! endpoints answer.

mod answers;
mod arguments;
mod parameters;
mod shape;

#[cfg(test)]
pub(crate) use answers::success;
pub(crate) use arguments::{Arguments, Reads};

use crate::{
    Controller, Endpoint, OrgRight, Result, SpaceRight, Who, answer,
    list::{ListSpec, Probe},
    root::API_VERSION,
    routes::endpoints,
};
use http::{Method, Request};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;
use tower::ServiceExt as _;
use virga_contract::ApiError;
use virga_serve::{
    Base,
    axum::{Router, body::Body, extract::State, response::Response},
};

/// Media types of bodies that are not JSON, by the end of the path.
const RAW_BODIES: &[(&str, &str)] =
    &[("/actions/apply_manifest", "application/x-yaml"), ("/manifest_diff", "application/x-yaml"), ("/upload", "multipart/form-data")];

/// `GET /v3/openapi.json`.
///
/// # Errors
/// 500 for an endpoint that cannot be described.
pub async fn show(State(controller): State<Controller>, base: Base) -> Result<Response> {
    // It is the same for every controller of this program.
    static DOCUMENT: OnceCell<Value> = OnceCell::const_new();
    let mut document = DOCUMENT.get_or_try_init(|| document(&controller)).await?.clone();
    if let Value::Object(members) = &mut document {
        members.insert("servers".to_owned(), json!([{ "url": base.api }]));
    }
    Ok(answer::ok(document))
}

pub(crate) async fn document(controller: &Controller) -> Result<Value> {
    let mut paths = Map::new();
    for endpoint in endpoints() {
        let operation = operation(controller, &endpoint).await?;
        let path = paths.entry(endpoint.path).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(path) = path {
            path.insert(endpoint.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cloud Controller API v3",
            "version": API_VERSION,
            "description": "Cloud Foundry's API as this platform answers it. Tokens come from the UAA that `/` links to.",
        },
        "paths": paths,
        "components": answers::components(),
    }))
}

async fn operation(controller: &Controller, endpoint: &Endpoint) -> Result<Value> {
    let reads = (endpoint.reads)();
    let spec = if reads.list { Some(spec_of(controller, endpoint).await?) } else { None };
    let mut parameters = parameters::of_path(endpoint.path);
    parameters.extend(spec.iter().flat_map(parameters::of_list));
    parameters.extend(reads.query.iter().flat_map(parameters::of_query));
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), json!(operation_id(endpoint)));
    operation.insert("tags".to_owned(), json!([tag(endpoint.path)]));
    operation.insert("description".to_owned(), json!(format!("Who may: {}.", caller(endpoint.who))));
    operation.insert("parameters".to_owned(), Value::Array(parameters));
    if let Some(body) = request_body(endpoint, &reads) {
        operation.insert("requestBody".to_owned(), body);
    }
    operation.insert("responses".to_owned(), answers::responses(endpoint, &reads));
    let security = if endpoint.who == Who::Anyone { json!([]) } else { json!([{ "token": [] }]) };
    operation.insert("security".to_owned(), security);
    Ok(Value::Object(operation))
}

/// The parameters of a list, asked of its handler: it parses them before anything else, and a request that carries a
/// [`Probe`] ends there. The probe's caller is nobody, so a handler that forgets the order finds nothing to do.
async fn spec_of(controller: &Controller, endpoint: &Endpoint) -> Result<ListSpec> {
    let probe = Probe::default();
    let path = endpoint.path.replace("{guid}", "00000000-0000-4000-8000-000000000000").replace("{type}", "web").replace("{name}", "x");
    let mut request = Request::builder().method(endpoint.method.clone()).uri(path).body(Body::empty()).map_err(ApiError::internal)?;
    request.extensions_mut().insert(probe.clone());
    request.extensions_mut().insert(crate::Access::of_nobody());
    let router = Router::new().route(endpoint.path, endpoint.route.clone()).with_state(controller.clone());
    // Its answer is a refusal; what it was going to parse is in the probe.
    let Ok(_refusal) = router.oneshot(request).await;
    let undescribed = || ApiError::internal(format_args!("{} {} does not parse its parameters first", endpoint.method, endpoint.path));
    Ok(probe.seen().ok_or_else(undescribed)?)
}

fn request_body(endpoint: &Endpoint, reads: &Reads) -> Option<Value> {
    if let Some(schema) = &reads.body {
        return Some(json!({ "content": { "application/json": { "schema": schema } } }));
    }
    let media = reads.raw.then(|| RAW_BODIES.iter().find(|(end, _)| endpoint.path.ends_with(end)))??.1;
    let schema = if media.starts_with("multipart") {
        json!({ "type": "object", "properties": {
            "bits": { "type": "string", "contentMediaType": "application/octet-stream" },
            "resources": { "type": "string", "contentMediaType": "application/json" } } })
    } else {
        json!({ "type": "string" })
    };
    Some(json!({ "required": true, "content": { media: { "schema": schema } } }))
}

/// `get_v3_apps_guid_tasks`.
fn operation_id(endpoint: &Endpoint) -> String {
    let words = endpoint.path.split(['/', '{', '}']).filter(|word| !word.is_empty());
    std::iter::once(endpoint.method.as_str().to_ascii_lowercase().as_str()).chain(words).collect::<Vec<_>>().join("_")
}

fn tag(path: &str) -> &str {
    path.trim_start_matches("/v3/").split('/').find(|part| !part.is_empty()).unwrap_or("discovery")
}

fn caller(who: Who) -> &'static str {
    match who {
        Who::Anyone => "anyone, without a token",
        Who::LoggedIn => "whoever has a token; it shows what the caller may see",
        Who::Admin => "administrators",
        Who::Org(OrgRight::See) => "any role in the organization",
        Who::Org(OrgRight::Write) => "managers of the organization",
        Who::Space(right) => match right {
            SpaceRight::See => "any role in the space; managers of its organization",
            SpaceRight::SeeRoutes => "any role in the space; managers and auditors of its organization",
            SpaceRight::SeeEvents => "developers, auditors and supporters of the space",
            SpaceRight::Write | SpaceRight::ReadSecrets => "developers of the space",
            SpaceRight::Manage | SpaceRight::ReadEnvironment => "developers and supporters of the space",
            SpaceRight::Update => "managers of the space or of its organization",
            SpaceRight::Download => "developers, managers and auditors of the space; managers of its organization",
        },
    }
}

/// Whether an endpoint of this method may carry a body.
fn takes_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PATCH | Method::PUT)
}
