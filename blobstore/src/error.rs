//! What can go wrong with blobs.

use virga_model::Sha256Digest;

/// An error of the blobstore.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob.
    #[error("there is no blob {0}")]
    NotFound(String),
    /// The bytes are not those that were stored.
    #[error("the blob {expected} holds bytes of digest {found}")]
    Corrupt {
        /// The digest it is stored under.
        expected: Sha256Digest,
        /// The digest of what is there.
        found: Sha256Digest,
    },
    /// The place where blobs are cannot be reached or written.
    #[error("the blobstore is not available")]
    Unavailable(#[source] object_store::Error),
    /// A local file could not be read or written.
    #[error("a file outside the blobstore could not be used")]
    File(#[from] std::io::Error),
    /// The configured place cannot be used.
    #[error("the blobstore '{location}' cannot be used: {reason}")]
    Location {
        /// As configured.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl BlobError {
    pub(crate) fn reading(what: &str, error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound(what.to_owned()),
            other => Self::Unavailable(other),
        }
    }
}
