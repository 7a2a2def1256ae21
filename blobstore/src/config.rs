//! Where blobs are.

use crate::{BlobError, Blobstore};
use object_store::{ObjectStore, aws::AmazonS3Builder, local::LocalFileSystem, path::Path};
use std::sync::Arc;

/// A text that shows itself nowhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretText(pub String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Where blobs are, and the keys to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlobstoreConfig {
    /// A folder, or `s3://bucket/prefix`.
    pub location: String,
    /// S3 only: the service's URL, for any that is not Amazon's. `http://` is allowed here.
    pub endpoint: Option<String>,
    /// S3 only (default `us-east-1`).
    pub region: Option<String>,
    /// S3 only; without it, what the machine's role gives.
    pub access_key_id: Option<String>,
    /// S3 only.
    pub secret_access_key: Option<SecretText>,
}

impl BlobstoreConfig {
    /// A local folder.
    #[must_use]
    pub fn in_folder(folder: &std::path::Path) -> Self {
        Self { location: folder.to_string_lossy().into_owned(), ..Self::default() }
    }

    pub(crate) fn open(&self) -> Result<Blobstore, BlobError> {
        match self.location.strip_prefix("s3://") {
            Some(bucket) => self.open_s3(bucket),
            None => self.open_folder(),
        }
    }

    fn refuse(&self, reason: impl std::fmt::Display) -> BlobError {
        BlobError::Location { location: self.location.clone(), reason: reason.to_string() }
    }

    fn open_folder(&self) -> Result<Blobstore, BlobError> {
        std::fs::create_dir_all(&self.location).map_err(|error| self.refuse(error))?;
        let folder = |fsync| {
            let folder = LocalFileSystem::new_with_prefix(&self.location).map_err(|error| self.refuse(error))?;
            Ok::<Arc<dyn ObjectStore>, BlobError>(Arc::new(folder.with_fsync(fsync)))
        };
        Ok(Blobstore { durable: folder(true)?, quick: folder(false)?, prefix: Path::default() })
    }

    fn open_s3(&self, bucket: &str) -> Result<Blobstore, BlobError> {
        let (bucket, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        if bucket.is_empty() {
            return Err(self.refuse("it names no bucket"));
        }
        let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|error| self.refuse(error))?;
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_region(self.region.as_deref().unwrap_or("us-east-1"));
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some(id) = &self.access_key_id {
            builder = builder.with_access_key_id(id);
        }
        if let Some(secret) = &self.secret_access_key {
            builder = builder.with_secret_access_key(&secret.0);
        }
        let objects: Arc<dyn ObjectStore> = Arc::new(builder.build().map_err(|error| self.refuse(error))?);
        Ok(Blobstore { durable: Arc::clone(&objects), quick: objects, prefix })
    }
}
