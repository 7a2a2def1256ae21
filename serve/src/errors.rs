//! Error answers: the one place where an [`ApiError`] becomes HTTP and is logged.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use virga_contract::{ApiError, ErrorCode};

/// What a handler returns when it fails: `Result<_, Failure>`. `?` turns everything into it that turns into an [`ApiError`].
#[derive(Debug)]
pub struct Failure {
    error: ApiError,
    status: StatusCode,
}

impl Failure {
    /// The error with another status than its code's; for what HTTP knows and the error table does not, such as 413.
    #[must_use]
    pub fn with_status(error: ApiError, status: StatusCode) -> Self {
        Self { error, status }
    }

    /// The error that will be answered.
    #[must_use]
    pub fn error(&self) -> &ApiError {
        &self.error
    }
}

impl<E: Into<ApiError>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        Self { status: error.status(), error }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let context = self.error.context.as_deref().unwrap_or_default();
        if self.status.is_server_error() {
            tracing::error!(status = self.status.as_u16(), error = %self.error, context, "request failed");
        } else {
            tracing::debug!(status = self.status.as_u16(), error = %self.error, context, "request refused");
        }
        let mut response = (self.status, axum::Json(self.error.to_json())).into_response();
        if let Some(seconds) = self.error.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// 404 `Unknown request`, for a path or method that no route has.
pub async fn unknown_request() -> Failure {
    ApiError::new(ErrorCode::NotFound, "Unknown request").into()
}
