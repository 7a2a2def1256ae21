//! What every API answers alike.

use crate::support::app;
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use virga_contract::ApiError;
use virga_serve::{
    Base, Failure, Json, Tasks,
    axum::{
        Router,
        body::Body,
        http::{Request, StatusCode},
        response::Response,
        routing,
    },
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    #[serde(default)]
    nested: Option<Nested>,
}

#[derive(Serialize, Deserialize)]
struct Nested {
    size: u32,
}

async fn panics() -> &'static str {
    panic!("hunter2")
}

fn routes() -> Router {
    Router::new()
        .route("/things", routing::post(|Json(create): Json<Create>| async { Json(create) }).get(|| async { "list" }))
        .route("/panic", routing::get(panics).post(panics))
        .route("/fails", routing::get(|| async { Err::<(), Failure>(ApiError::internal("hunter2").into()) }))
        .route("/base", routing::get(|base: Base| async move { base.api }))
}

async fn call(request: Request<Body>) -> (StatusCode, Response) {
    let response = app(&Tasks::new(), routes(), &[]).oneshot(request).await.unwrap();
    (response.status(), response)
}

async fn post(path: &str, body: &str) -> (StatusCode, Value) {
    let request = Request::post(path).body(Body::from(body.to_owned())).unwrap();
    let (status, response) = call(request).await;
    (status, serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap())
}

fn error(code: u32, title: &str, detail: &str) -> Value {
    json!({"errors": [{"code": code, "title": title, "detail": detail}]})
}

#[tokio::test]
async fn unknown_paths_and_methods_are_unknown_requests_and_slashes_do_not_matter() {
    let unknown = error(10000, "CF-NotFound", "Unknown request");
    assert_eq!(post("/nothing", "").await, (StatusCode::NOT_FOUND, unknown.clone()));
    assert_eq!(post("/base", "").await, (StatusCode::NOT_FOUND, unknown));
    for path in ["/things", "/things/", "/things/?page=1"] {
        assert_eq!(call(Request::get(path).body(Body::empty()).unwrap()).await.0, StatusCode::OK, "{path}");
    }
    assert_eq!(call(Request::get("//things").body(Body::empty()).unwrap()).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn panics_and_inner_errors_tell_a_client_nothing() {
    for (method, path) in [("GET", "/panic"), ("POST", "/panic"), ("GET", "/fails")] {
        let (status, response) = call(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.headers().contains_key("x-vcap-request-id"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(body.contains("CF-ServerError") && !body.contains("hunter2"), "{body}");
    }
}

#[tokio::test]
async fn json_bodies_are_refused_in_cloud_foundrys_words() {
    assert_eq!(post("/things", r#"{"name":"a"}"#).await, (StatusCode::OK, json!({"name": "a", "nested": null})));
    let malformed = error(1001, "CF-MessageParseError", "Request invalid due to parse error: invalid request body");
    for body in ["{", "nope", r#"{"name":"a"} {}"#] {
        assert_eq!(post("/things", body).await, (StatusCode::BAD_REQUEST, malformed.clone()), "{body}");
    }
    let unprocessable = |detail: &str| (StatusCode::UNPROCESSABLE_ENTITY, error(10008, "CF-UnprocessableEntity", detail));
    assert_eq!(post("/things", r#"{"name":"a","color":1}"#).await, unprocessable("Unknown field(s): 'color'"));
    assert_eq!(post("/things", "").await, unprocessable("Request body is invalid: missing field `name`"));
    let (_, body) = post("/things", r#"{"name":"a","nested":{"size":"x"}}"#).await;
    assert_eq!(body, error(10008, "CF-UnprocessableEntity", "nested.size is invalid: invalid type: string \"x\", expected u32"));
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(100));
    assert_eq!(post("/things", &large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn request_ids_carry_the_clients_own_unless_it_is_strange() {
    for (theirs, kept) in [("abc-1", true), ("a b", false), ("", false)] {
        let request = Request::get("/things").header("x-vcap-request-id", theirs).body(Body::empty()).unwrap();
        let (_, response) = call(request).await;
        let id = response.headers()["x-vcap-request-id"].to_str().unwrap().to_owned();
        assert_eq!(id.starts_with("abc-1::") && id.len() == "abc-1::".len() + 36, kept, "{id}");
        assert_eq!(id.len() == 36, !kept, "{id}");
    }
}

#[tokio::test]
async fn links_follow_the_host_only_where_it_is_ours() {
    for (host, base) in [("127.0.0.1:8080", "http://127.0.0.1:8080"), ("evil.example", "http://api.virga.localhost")] {
        let (_, response) = call(Request::get("/base").header("host", host).body(Body::empty()).unwrap()).await;
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), base);
    }
}
