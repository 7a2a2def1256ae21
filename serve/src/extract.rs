//! Extractors whose rejections are Cloud Foundry's errors.

use crate::errors::Failure;
use axum::{
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{StatusCode, request::Parts};
use serde::{Serialize, de::DeserializeOwned};
use virga_contract::{ApiError, ErrorCode};

/// A JSON body, whatever its content type says (the `cf` CLI sends that header always); as an answer, JSON.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = Bytes::from_request(request, state).await.map_err(body_failure)?;
        parse_json(&bytes).map(Self).map_err(Failure::from)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// A body that could not be read: 413 when it is too large, else 400.
#[must_use]
pub fn body_failure(rejection: BytesRejection) -> Failure {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Failure::with_status(ApiError::new(ErrorCode::InvalidRequest, "The request body is too large"), StatusCode::PAYLOAD_TOO_LARGE)
        }
        _ => ApiError::new(ErrorCode::MessageParseError, "Request invalid due to parse error: the body could not be read").into(),
    }
}

/// JSON into `T` with Cloud Foundry's errors: 400 `MessageParseError` for what is no JSON, 422 naming the member for what
/// does not fit. No body at all reads as `{}`, as in the Cloud Controller.
///
/// # Errors
/// As above.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let bytes = if bytes.iter().all(u8::is_ascii_whitespace) { b"{}" } else { bytes };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| json_error(&error))?;
    deserializer.end().map_err(|_| malformed())?;
    Ok(value)
}

fn malformed() -> ApiError {
    ApiError::new(ErrorCode::MessageParseError, "Request invalid due to parse error: invalid request body")
}

fn json_error(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    if !error.inner().is_data() {
        return malformed();
    }
    let message = error.inner().to_string();
    // serde_json ends its messages with the place in the text, which says nothing to somebody who wrote no text.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    if let Some(field) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
        return ApiError::unprocessable(format!("Unknown field(s): '{field}'"));
    }
    match error.path().to_string().as_str() {
        "." => ApiError::unprocessable(format!("Request body is invalid: {message}")),
        path => ApiError::unprocessable(format!("{path} is invalid: {message}")),
    }
}

/// Path parameters; what does not parse names nothing and is answered 404.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(ApiError::not_found("Resource").with_context(rejection.body_text()).into()),
        }
    }
}

/// Query parameters; what does not parse is 400 `BadQueryParameter`.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let detail = format!("The query parameter is invalid: {}", rejection.body_text());
                Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into())
            }
        }
    }
}
