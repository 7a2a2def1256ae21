//! Answers: links, times, metadata, and the statuses that changes are answered with.

use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;
use virga_model::{JobGuid, Timestamp, time::api_time};
use virga_serve::{
    Base,
    axum::{
        Json,
        response::{IntoResponse as _, Response},
    },
};
use virga_store::metadata::Metadata;

/// `{"href": …}` of a path of the v3 API, such as `/v3/apps/…`.
#[must_use]
pub fn link(base: &Base, path: impl std::fmt::Display) -> Value {
    json!({ "href": format!("{}{path}", base.api) })
}

/// A link that is followed with another method than GET.
#[must_use]
pub fn link_with(base: &Base, path: impl std::fmt::Display, method: &str) -> Value {
    json!({ "href": format!("{}{path}", base.api), "method": method })
}

/// `{"data": {"guid": …}}`, or `{"data": null}`.
#[must_use]
pub fn to_one<G: std::fmt::Display>(guid: Option<G>) -> Value {
    match guid {
        Some(guid) => json!({ "data": { "guid": guid.to_string() } }),
        None => json!({ "data": null }),
    }
}

/// `{"data": [{"guid": …}, …]}`.
#[must_use]
pub fn to_many<G: std::fmt::Display>(guids: impl IntoIterator<Item = G>) -> Value {
    let data: Vec<Value> = guids.into_iter().map(|guid| json!({ "guid": guid.to_string() })).collect();
    json!({ "data": data })
}

/// [`to_many`] as an answer of its own, with the link to itself.
#[must_use]
pub fn to_many_at<G: std::fmt::Display>(base: &Base, path: impl std::fmt::Display, guids: impl IntoIterator<Item = G>) -> Value {
    let data: Vec<Value> = guids.into_iter().map(|guid| json!({ "guid": guid.to_string() })).collect();
    json!({ "data": data, "links": { "self": link(base, path) } })
}

/// A time as the API writes it.
#[must_use]
pub fn time(time: Timestamp) -> Value {
    Value::String(api_time(time))
}

/// `metadata` of a resource.
#[must_use]
pub fn metadata(metadata: &Metadata) -> Value {
    json!({ "labels": metadata.labels, "annotations": metadata.annotations })
}

/// 200 with a body.
#[must_use]
pub fn ok(body: Value) -> Response {
    Json(body).into_response()
}

/// 201 with the new resource. It carries no `Location`: clients take that for a job.
#[must_use]
pub fn created(body: Value) -> Response {
    (StatusCode::CREATED, Json(body)).into_response()
}

/// 202 with a body and no job.
#[must_use]
pub fn accepted(body: Value) -> Response {
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

/// 202 without a body; the job is at `Location`.
#[must_use]
pub fn job(base: &Base, guid: JobGuid) -> Response {
    with_job(StatusCode::ACCEPTED.into_response(), base, guid)
}

/// `response` with a job at `Location`.
#[must_use]
pub fn with_job(mut response: Response, base: &Base, guid: JobGuid) -> Response {
    if let Ok(location) = HeaderValue::from_str(&format!("{}/v3/jobs/{guid}", base.api)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// `response` with warnings that clients print, in `X-Cf-Warnings`.
#[must_use]
pub fn with_warnings(mut response: Response, warnings: impl IntoIterator<Item = String>) -> Response {
    let encoded: Vec<String> = warnings.into_iter().map(|text| byte_serialize(text.as_bytes()).collect()).collect();
    if !encoded.is_empty()
        && let Ok(value) = HeaderValue::from_str(&encoded.join(","))
    {
        response.headers_mut().insert("x-cf-warnings", value);
    }
    response
}

/// 204.
#[must_use]
pub fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
