//! The body type that requests and answers carry between the router and the cell.

use bytes::Bytes;

/// Any error of a body; shown, never matched on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A streaming HTTP body. Boxed once at the seam between router and cell, so that neither knows the other's type.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// A stream of bytes outside HTTP (blobs, droplets, precompiled code).
pub type ByteStream = futures::stream::BoxStream<'static, Result<Bytes, std::io::Error>>;

/// A body that is already whole.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Body {
    use http_body_util::BodyExt as _;
    http_body_util::Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body with nothing in it.
#[must_use]
pub fn empty() -> Body {
    full(Bytes::new())
}
