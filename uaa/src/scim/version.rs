//! SCIM's versions: `ETag` of an answer, `If-Match` of a change.

use crate::refusal::{Refusal, Result};
use virga_serve::axum::http::{HeaderMap, HeaderValue, StatusCode, header};

/// The version a caller expects to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Whatever it is: `*`.
    Any,
    /// This one.
    Version(u32),
}

impl Expected {
    /// From `If-Match`; `None` without one.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>> {
        let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
        let text = value.to_str().unwrap_or_default().trim();
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        match text {
            "*" => Ok(Some(Self::Any)),
            number => {
                let number = number.parse().map_err(|_| super::invalid("Invalid version match header (should be a version or *)"))?;
                Ok(Some(Self::Version(number)))
            }
        }
    }

    /// From `If-Match`, which a change by this method must have.
    pub(crate) fn required(headers: &HeaderMap, method: &str) -> Result<Self> {
        Self::of(headers)?.ok_or_else(|| super::invalid(format!("Missing If-Match for {method}")))
    }

    /// 409 when it is another.
    pub(crate) fn check(self, found: u32) -> Result<()> {
        match self {
            Self::Version(expected) if expected != found => {
                let text = format!("Attempt to update with wrong version: expected={expected} but found={found}");
                Err(Refusal::new(StatusCode::CONFLICT, "scim_resource_conflict", text))
            }
            _ => Ok(()),
        }
    }

    /// The header of an answer.
    pub(crate) fn etag(version: u32) -> [(header::HeaderName, HeaderValue); 1] {
        let value = HeaderValue::try_from(format!("\"{version}\""));
        [(header::ETAG, value.unwrap_or_else(|_| HeaderValue::from_static("\"0\"")))]
    }
}
