//! A request that changes something and loses the race for a row is done again from its beginning: nothing of it has happened
//! yet, and what it then reads is what the winner left. Only PostgreSQL knows such races; SQLite lets one write at a time.

use bytes::Bytes;
use http::{header::CONTENT_TYPE, request::Parts};
use virga_serve::{
    axum::{
        body::Body,
        extract::{FromRequest as _, Request},
        middleware::Next,
        response::{IntoResponse as _, Response},
    },
    extract::body_failure,
};

/// The mark of an answer that says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LostRace;

/// Tries in all. In each round of a race somebody wins.
const TRIES: u32 = 32;

/// Runs a handler until it loses no race.
pub(crate) async fn run(parts: Parts, body: Body, next: Next) -> Response {
    if parts.method.is_safe() || is_upload(&parts) {
        return next.run(Request::from_parts(parts, body)).await;
    }
    // The limit of the server holds here as it does for a handler.
    let bytes = match Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await {
        Ok(bytes) => bytes,
        Err(rejection) => return body_failure(rejection).into_response(),
    };
    for _ in 1..TRIES {
        let answer = once(parts.clone(), bytes.clone(), next.clone()).await;
        if answer.extensions().get::<LostRace>().is_none() {
            return answer;
        }
    }
    once(parts, bytes, next).await
}

/// Bits go to disk as they come, and are not kept for another try.
fn is_upload(parts: &Parts) -> bool {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.trim_start().get(.."multipart/".len()).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"))
}

async fn once(parts: Parts, bytes: Bytes, next: Next) -> Response {
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}
