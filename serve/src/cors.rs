//! Calls from pages of other origins, as the Cloud Controller answers them: refused by saying nothing, unless the operator
//! allows the origin.

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use std::sync::Arc;

/// What a page may read of an answer besides its body.
const EXPOSED: HeaderValue = HeaderValue::from_static("x-cf-warnings,x-vcap-request-id,location,range");
const METHODS: &str = "GET,PUT,POST,PATCH,DELETE";
/// How long a browser need not ask again, seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("900");

/// Origins that may call; `*` stands for any text.
#[derive(Debug, Clone)]
pub(crate) struct Origins(Arc<[String]>);

impl Origins {
    pub(crate) fn new(allowed: &[String]) -> Self {
        Self(allowed.iter().map(|origin| origin.to_ascii_lowercase()).collect())
    }

    fn allow(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str().map(str::to_ascii_lowercase) else { return false };
        self.0.iter().any(|pattern| matches(pattern, &origin))
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(last)
}

/// Answers what a browser asks before a call, and marks the answers of calls.
pub(crate) async fn cross_origin(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(header::ORIGIN).filter(|origin| origins.allow(origin)).cloned() else {
        return next.run(request).await;
    };
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD).and_then(|method| method.to_str().ok());
    let is_question = asked.is_some_and(|asked| METHODS.split(',').any(|method| method.eq_ignore_ascii_case(asked)));
    let mut response =
        if request.method() == Method::OPTIONS && is_question { may_come(request.headers()) } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    response
}

fn may_come(asked: &HeaderMap) -> Response {
    let named = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).and_then(|names| names.to_str().ok()).unwrap_or_default();
    let mut names = vec!["origin".to_owned(), "content-type".to_owned(), "authorization".to_owned()];
    for name in named.split(',').filter_map(|name| name.trim().parse::<HeaderName>().ok()) {
        if !names.iter().any(|known| known == name.as_str()) {
            names.push(name.to_string());
        }
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    if let Ok(names) = HeaderValue::from_str(&names.join(",")) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, middleware::from_fn_with_state, routing::get};
    use tower::ServiceExt as _;

    #[test]
    fn a_star_is_any_text_and_nothing_else_is() {
        for (pattern, origin, expected) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "https://a.example.evil", false),
            ("https://*.example", "https://x.y.example", true),
            ("https://*.example", "https://example", false),
            ("https://*.example", "http://x.example", false),
            ("https://*-*.example", "https://a-b.example", true),
            ("https://*-*.example", "https://ab.example", false),
            ("*", "null", true),
        ] {
            assert_eq!(matches(pattern, origin), expected, "{pattern} {origin}");
        }
    }

    async fn ask(method: Method, origin: &str) -> Response {
        let origins = Origins::new(&["https://*.example".to_owned()]);
        let app = Router::new().route("/", get(async || "hello")).layer(from_fn_with_state(origins, cross_origin));
        let request = Request::builder().method(method).uri("/").header("origin", origin).header("access-control-request-method", "PATCH");
        app.oneshot(request.header("access-control-request-headers", "X-Mine, origin, b d").body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn only_allowed_origins_are_answered() {
        let answer = ask(Method::GET, "https://a.example").await;
        assert_eq!(answer.headers()["access-control-allow-origin"], "https://a.example");
        assert_eq!(answer.headers()["vary"], "Origin");
        assert!(!ask(Method::GET, "https://evil.test").await.headers().contains_key("access-control-allow-origin"));
        let question = ask(Method::OPTIONS, "https://a.example").await;
        assert_eq!(question.status(), StatusCode::OK);
        assert_eq!(question.headers()["access-control-allow-headers"], "origin,content-type,authorization,x-mine");
        assert_eq!(ask(Method::OPTIONS, "https://evil.test").await.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
