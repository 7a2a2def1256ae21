//! Errors in the UAA's shape: `{"error","error_description"}`.

use serde_json::json;
use virga_contract::ApiError;
use virga_serve::{
    auth::{KeyError, TokenError},
    axum::{
        Json,
        http::{HeaderValue, StatusCode, header},
        response::{IntoResponse, Response},
    },
};
use virga_store::StoreError;

/// Seconds after which a caller that was sent away for load may come back.
const RETRY_AFTER_SECONDS: u32 = 2;

/// A request that was not granted. The description is public, the context is only logged.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
    context: Option<String>,
}

pub(crate) type Result<T, E = Refusal> = std::result::Result<T, E>;

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self { status, error, description: description.into(), context: None }
    }

    /// 400 `invalid_request`.
    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// 401 for a wrong user name, password, client or client secret; never says which.
    pub(crate) fn bad_credentials() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Bad credentials")
    }

    /// 401 `invalid_token`; the `cf` CLI then refreshes its token.
    pub(crate) fn invalid_token(description: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_token", description)
    }

    /// 403 `access_denied`.
    pub(crate) fn denied(description: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "access_denied", description)
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The error's name.
    pub(crate) fn error(&self) -> &'static str {
        self.error
    }

    /// What the caller reads.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// 429: too many passwords are being checked at this moment.
    pub(crate) fn too_busy() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many logins at once, try again")
    }

    /// 500 with a context for the log.
    pub(crate) fn internal(context: impl std::fmt::Display) -> Self {
        let refusal = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "The request failed; the failure was recorded.");
        Self { context: Some(context.to_string()), ..refusal }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let context = self.context.as_deref().unwrap_or_default();
        if self.status.is_server_error() {
            tracing::error!(status = self.status.as_u16(), error = self.error, context, "request to the UAA failed");
        } else {
            tracing::debug!(status = self.status.as_u16(), error = self.error, reason = self.description, "request to the UAA refused");
        }
        let body = json!({"error": self.error, "error_description": self.description});
        let mut response = (self.status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let bad_token = self.error == "invalid_token";
            let challenge = if bad_token { "Bearer realm=\"oauth\", error=\"invalid_token\"" } else { "Bearer realm=\"oauth\"" };
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let unavailable = matches!(error, StoreError::Unavailable(_) | StoreError::Conflict);
        let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        let context = chain.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        if unavailable {
            let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "The UAA is not available, try again");
            return Self { context: Some(context), ..refusal };
        }
        Self::internal(context)
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        Self::internal(error)
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Unknown(ApiError { context, .. }) => Self::internal(context.unwrap_or_default()),
            // Which of its parts a forged token gets wrong is nobody's business.
            TokenError::Invalid(_) => Self::invalid_token("The token is invalid"),
            TokenError::Expired => Self::invalid_token("The token has expired"),
            TokenError::Revoked => Self::invalid_token("The token has been revoked"),
        }
    }
}
