//! A caller, and what the API answers.

use super::Api;
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt as _;
use virga_model::UserGuid;
use virga_serve::axum::body::{Body, to_bytes};

/// A caller with a token, or nobody.
pub(crate) struct User<'a> {
    pub(super) api: &'a Api,
    /// The user's guid.
    pub guid: Option<UserGuid>,
    /// The user's name.
    pub name: String,
    pub(super) token: Option<String>,
}

impl User<'_> {
    /// Sends any request; the body's bytes as they are.
    pub async fn send(&self, method: Method, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
        let mut request = Request::builder().method(&method).uri(path).header(header::HOST, "api.virga.localhost");
        request = request.header(header::CONTENT_TYPE, content_type);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("bearer {token}"));
        }
        let response = self.api.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { what: format!("{method} {path}"), status: parts.status, headers: parts.headers, body }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "application/json", Vec::new()).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, "application/json", body.to_string().into_bytes()).await
    }

    /// PATCH of JSON.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, "application/json", body.to_string().into_bytes()).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, "application/json", Vec::new()).await
    }
}

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Answer {
    what: String,
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as JSON; `null` where it is none.
    pub body: Value,
}

impl Answer {
    /// The body of an answer with this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.what, self.body);
        self.body
    }

    /// The body of a 200.
    #[track_caller]
    pub fn ok(self) -> Value {
        self.expect(200)
    }

    /// The body of a 201; it must not look like a job.
    #[track_caller]
    pub fn created(self) -> Value {
        assert!(!self.headers.contains_key(header::LOCATION), "{}", self.what);
        self.expect(201)
    }

    /// The path of the job of a 202.
    #[track_caller]
    pub fn job(self) -> String {
        let location = self.headers.get(header::LOCATION).map(|location| location.to_str().unwrap().to_owned());
        let what = self.what.clone();
        self.expect(202);
        location.unwrap_or_else(|| panic!("{what} names no job")).replace("http://api.virga.localhost", "")
    }

    /// Code and detail of an answer with one error and this status.
    #[track_caller]
    pub fn error(self, status: u16) -> (u64, String) {
        let what = self.what.clone();
        let body = self.expect(status);
        let errors = body["errors"].as_array().unwrap_or_else(|| panic!("{what}: {body}"));
        assert_eq!(errors.len(), 1, "{what}: {body}");
        (errors[0]["code"].as_u64().unwrap(), errors[0]["detail"].as_str().unwrap().to_owned())
    }
}
