//! Failures of staging, in words for the app's developer: what happened, and what to do about it.

use virga_contract::staging::{StagingError, StagingErrorKind};

/// A failure of this kind.
pub(crate) fn of(kind: StagingErrorKind, message: impl Into<String>) -> StagingError {
    StagingError { kind, message: message.into() }
}

/// The app cannot be built as it is.
pub(crate) fn compile(message: impl Into<String>) -> StagingError {
    of(StagingErrorKind::CompileFailed, message)
}

/// The platform failed; the developer can only try again. The cause goes to the platform's own log.
pub(crate) fn internal(what: &str, cause: &dyn std::fmt::Display) -> StagingError {
    tracing::error!(error = %cause, "staging: {what}");
    of(StagingErrorKind::Failed, format!("the platform could not {what}; try again, and tell the operator if it stays so"))
}
