//! What can go wrong, in the words of each side.

use serde_json::json;
use virga_serve::axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// The data cannot be opened or served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or socket.
    #[error("the services' folder or socket cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// The list of instances.
    #[error("the services' list of instances cannot be opened: {0}")]
    Database(#[from] rusqlite::Error),
    /// What the list says.
    #[error("the services' list of instances cannot be read: {0}")]
    Corrupt(#[from] serde_json::Error),
}

/// Why an operation on an instance was not done. Apps read it as `{"error": {"code", "message"}}`.
#[derive(Debug)]
pub(crate) struct DataError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl DataError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// The plan has no room for it.
    pub fn full(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "plan_limit", message)
    }

    /// What is said to who asked.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The binding is gone.
    pub fn unbound() -> Self {
        Self::new(StatusCode::FORBIDDEN, "unbound", "the app is not bound to this instance any more")
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }
}

/// Ours, not the guest's: said in full in the log of the process alone.
impl From<rusqlite::Error> for DataError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
            return Self::full("the instance has no room left: its plan's limit is reached, or the platform's disk is full");
        }
        tracing::error!(error = &error as &dyn std::error::Error, "an instance's database cannot be used");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the instance's data cannot be used; the platform's log says why")
    }
}

impl From<std::io::Error> for DataError {
    fn from(error: std::io::Error) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "an instance's folder cannot be used");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the instance's data cannot be used; the platform's log says why")
    }
}

impl IntoResponse for DataError {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": { "code": self.code, "message": self.message } }));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            return (self.status, [(header::RETRY_AFTER, "1")], body).into_response();
        }
        (self.status, body).into_response()
    }
}

/// Why the broker did not do something: `{"error"?, "description"}`, as the protocol has it.
#[derive(Debug)]
pub(crate) struct BrokerError {
    status: StatusCode,
    description: String,
}

impl BrokerError {
    pub fn new(status: StatusCode, description: impl Into<String>) -> Self {
        Self { status, description: description.into() }
    }

    pub fn bad(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, description)
    }
}

impl From<OpenError> for BrokerError {
    fn from(error: OpenError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the list of instances cannot be written");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the services' list of instances cannot be written; the platform's log says why")
    }
}

impl From<DataError> for BrokerError {
    fn from(error: DataError) -> Self {
        Self::new(error.status, error.message)
    }
}

impl IntoResponse for BrokerError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "description": self.description }))).into_response()
    }
}
