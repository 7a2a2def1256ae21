//! A request that changes something and loses the race for a row is done again from its beginning: nothing of it has happened
//! yet, and what it then reads is what the winner left. Only PostgreSQL knows such races; SQLite lets one write at a time.

use crate::Error;
use bytes::Bytes;
use http::request::Parts;
use virga_contract::{ApiError, ErrorCode};
use virga_serve::axum::{
    body::{Body, HttpBody as _, to_bytes},
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};

/// The mark of an answer that says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LostRace;

/// Largest body that is kept for another try; uploads are not.
const LARGEST_BODY: usize = 1 << 20;
/// Tries in all. In each round of a race somebody wins.
const TRIES: u32 = 32;

/// Runs a handler until it loses no race.
pub(crate) async fn run(parts: Parts, body: Body, next: Next) -> Response {
    if parts.method.is_safe() || body.size_hint().upper().is_none_or(|bytes| bytes > LARGEST_BODY as u64) {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let bytes = match to_bytes(body, LARGEST_BODY).await {
        Ok(bytes) => bytes,
        Err(error) => {
            let broken = ApiError::new(ErrorCode::MessageParseError, "The request body could not be read.");
            return Error::from(broken.with_context(error.to_string())).into_response();
        }
    };
    for _ in 1..TRIES {
        let answer = once(parts.clone(), bytes.clone(), next.clone()).await;
        if answer.extensions().get::<LostRace>().is_none() {
            return answer;
        }
    }
    once(parts, bytes, next).await
}

async fn once(parts: Parts, bytes: Bytes, next: Next) -> Response {
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}
