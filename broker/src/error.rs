//! What can go wrong with a broker, in Cloud Controller's words.

use virga_contract::{ApiError, ErrorCode};

/// What a caller can tell apart. Each has an error code of the v3 API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BrokerErrorKind {
    /// The URL leads to an address that brokers may not be at; nothing was sent.
    AddressNotAllowed,
    /// No connection came about; nothing was sent.
    Unreachable,
    /// There was no whole answer in time, or the broker answered 408. What was asked for may have been done.
    Timeout,
    /// Name and password are not accepted.
    AuthenticationFailed,
    /// A status the protocol has no place for here, or 5xx.
    BadResponse,
    /// The right status with a body that is no such answer.
    ResponseMalformed,
    /// Another 4xx: the broker will not do it.
    RequestRejected,
    /// There is one with this guid already, with other values.
    Conflict,
    /// The broker only does this asynchronously.
    AsyncRequired,
    /// The broker answered asynchronously, which was not allowed.
    RespondedAsync,
    /// The broker is busy with something else of the same instance.
    Concurrency,
    /// The plan's version is not the one the broker has.
    MaintenanceInfoConflict,
    /// The broker gives credentials to apps only, not to keys.
    AppRequired,
    /// A syslog drain of an offering that did not announce any.
    InvalidSyslogDrain,
    /// Volume mounts of an offering that did not announce any, or ones that are none.
    InvalidVolumeMounts,
    /// The catalog breaks rules; the message lists all of them.
    CatalogInvalid,
    /// Instead of a catalog there was something that is no JSON object.
    CatalogMalformed,
}

impl BrokerErrorKind {
    /// The v3 API's error code.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::AddressNotAllowed | Self::Unreachable => ErrorCode::ServiceBrokerApiUnreachable,
            Self::Timeout => ErrorCode::ServiceBrokerApiTimeout,
            Self::AuthenticationFailed => ErrorCode::ServiceBrokerApiAuthenticationFailed,
            Self::BadResponse => ErrorCode::ServiceBrokerBadResponse,
            Self::ResponseMalformed => ErrorCode::ServiceBrokerResponseMalformed,
            Self::RequestRejected => ErrorCode::ServiceBrokerRequestRejected,
            Self::Conflict => ErrorCode::ServiceBrokerConflict,
            Self::AsyncRequired => ErrorCode::ServiceBrokerAsyncRequired,
            Self::RespondedAsync => ErrorCode::ServiceBrokerRespondedAsyncWhenNotAllowed,
            Self::Concurrency => ErrorCode::ServiceBrokerConcurrencyError,
            Self::MaintenanceInfoConflict => ErrorCode::MaintenanceInfoConflict,
            Self::AppRequired => ErrorCode::AppRequired,
            Self::InvalidSyslogDrain => ErrorCode::ServiceBrokerInvalidSyslogDrainUrl,
            Self::InvalidVolumeMounts => ErrorCode::ServiceBrokerInvalidVolumeMounts,
            Self::CatalogInvalid => ErrorCode::ServiceBrokerCatalogInvalid,
            Self::CatalogMalformed => ErrorCode::ServiceBrokerRequestMalformed,
        }
    }

    /// Whether the same request may succeed later with nothing changed: what a poll of an operation goes on after.
    #[must_use]
    pub fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::Timeout
                | Self::AuthenticationFailed
                | Self::BadResponse
                | Self::ResponseMalformed
                | Self::RequestRejected
                | Self::Concurrency
        )
    }
}

/// A request to a broker failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BrokerError {
    /// Which way.
    pub kind: BrokerErrorKind,
    /// For people: Cloud Controller's text, with the broker's description where it gave one. Without control characters, at
    /// most 16 KiB.
    pub message: String,
    /// For the operator's log; never shown.
    pub context: Option<String>,
    /// The answer's HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Whether what was asked for may exist at the broker now although the request failed: the caller has to delete it there
    /// (the protocol's table "orphan mitigation"). Only ever true of provisioning and binding: what could not be deleted stays
    /// with the platform, and is deleted again by the same request.
    pub leaves_orphan: bool,
}

impl BrokerError {
    pub(crate) fn new(kind: BrokerErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), context: None, status: None, leaves_orphan: false }
    }

    /// As the v3 API shows it.
    #[must_use]
    pub fn to_api_error(&self) -> ApiError {
        let error = ApiError::new(self.kind.code(), self.message.clone());
        match &self.context {
            Some(context) => error.with_context(context),
            None => error,
        }
    }
}

impl From<BrokerError> for ApiError {
    fn from(error: BrokerError) -> Self {
        error.to_api_error()
    }
}
