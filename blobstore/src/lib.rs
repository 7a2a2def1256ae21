//! Packages, droplets, resources and caches: bytes by their SHA-256 digest (or, for caches, by a name), in a local folder
//! or in any S3. Writes are atomic: a reader sees all of a blob or nothing. Reads are checksummed: bytes that are not
//! what the digest says end in an error, never in a silent success.
//!
//! What a blob means is none of this room's business.

mod config;
mod error;
mod read;
mod write;

pub use config::{BlobstoreConfig, SecretText};
pub use error::BlobError;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path};
use std::sync::Arc;
use virga_model::Sha256Digest;

/// A stream of bytes; the same type as `contract`'s.
pub type ByteStream = futures::stream::BoxStream<'static, Result<Bytes, std::io::Error>>;

/// What kind of blob; each has a bucket (a folder) of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Source bits as uploaded.
    Packages,
    /// Staged apps.
    Droplets,
    /// Single files of packages, for resource matching.
    Resources,
    /// Precompiled code: `<component digest>/<engine key>`.
    Code,
    /// What buildpacks keep between stagings of an app.
    BuildpackCache,
    /// Zips of buildpacks, as uploaded.
    Buildpacks,
}

impl Kind {
    fn bucket(self) -> &'static str {
        match self {
            Self::Packages => "packages",
            Self::Droplets => "droplets",
            Self::Resources => "resources",
            Self::Code => "code",
            Self::BuildpackCache => "buildpack-cache",
            Self::Buildpacks => "buildpacks",
        }
    }

    /// What nobody can make again must survive a power cut; caches need not be waited for.
    fn durable(self) -> bool {
        matches!(self, Self::Packages | Self::Droplets)
    }
}

/// The blobs of an installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobstore {
    durable: Arc<dyn ObjectStore>,
    quick: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Blobstore {
    /// Opens the configured place; a local folder is made where missing.
    ///
    /// # Errors
    /// [`BlobError::Location`] for a place that cannot be used.
    pub fn open_at(config: &BlobstoreConfig) -> Result<Self, BlobError> {
        config.open()
    }

    /// Opens a local folder, made where missing.
    ///
    /// # Errors
    /// [`BlobError::Location`].
    pub fn in_folder(folder: &std::path::Path) -> Result<Self, BlobError> {
        Self::open_at(&BlobstoreConfig::in_folder(folder))
    }

    fn objects(&self, kind: Kind) -> &Arc<dyn ObjectStore> {
        if kind.durable() { &self.durable } else { &self.quick }
    }

    /// `ab/cd/abcd…` keeps folders small.
    fn by_digest(&self, kind: Kind, digest: &Sha256Digest) -> Path {
        let hex = digest.to_string();
        let (first, second) = (hex.get(..2).unwrap_or_default(), hex.get(2..4).unwrap_or_default());
        Path::from_iter(self.prefix.parts().chain([kind.bucket().into(), first.into(), second.into(), hex.as_str().into()]))
    }

    /// Names come from this program, and each part is encoded so that none leads out of its bucket.
    fn by_name(&self, kind: Kind, name: &str) -> Path {
        let parts = name.split('/').filter(|part| !part.is_empty()).map(Into::into);
        Path::from_iter(self.prefix.parts().chain([kind.bucket().into(), "named".into()]).chain(parts))
    }

    /// Whether the blob is there. Its bytes are not looked at.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`].
    pub async fn exists(&self, kind: Kind, digest: &Sha256Digest) -> Result<bool, BlobError> {
        Ok(self.size(kind, digest).await?.is_some())
    }

    /// Size in bytes; `None` where it is not there.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`].
    pub async fn size(&self, kind: Kind, digest: &Sha256Digest) -> Result<Option<u64>, BlobError> {
        match self.objects(kind).head(&self.by_digest(kind, digest)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(BlobError::Unavailable(error)),
        }
    }

    /// Removes the blob; one that is not there is fine.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`].
    pub async fn delete(&self, kind: Kind, digest: &Sha256Digest) -> Result<(), BlobError> {
        self.remove(kind, &self.by_digest(kind, digest)).await
    }

    /// Removes the named blob; one that is not there is fine.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`].
    pub async fn delete_named(&self, kind: Kind, name: &str) -> Result<(), BlobError> {
        self.remove(kind, &self.by_name(kind, name)).await
    }

    /// Removes every named blob whose name begins with these whole parts.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`].
    pub async fn delete_all_named(&self, kind: Kind, beginning: &str) -> Result<(), BlobError> {
        let found = self.objects(kind).list(Some(&self.by_name(kind, beginning)));
        found.map_err(BlobError::Unavailable).try_for_each(|blob| async move { self.remove(kind, &blob.location).await }).await
    }

    /// Removes the named blobs that were written before `before` and whose name's last part `judge` gives up; how many.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`].
    pub async fn delete_old_named(
        &self,
        kind: Kind,
        before: std::time::SystemTime,
        judge: impl Fn(&str) -> bool,
    ) -> Result<u64, BlobError> {
        let mut deleted = 0;
        let mut found = self.objects(kind).list(Some(&self.by_name(kind, "")));
        while let Some(blob) = found.try_next().await.map_err(BlobError::Unavailable)? {
            let is_old = std::time::SystemTime::from(blob.last_modified) < before;
            if is_old && blob.location.filename().is_some_and(&judge) {
                self.remove(kind, &blob.location).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    async fn remove(&self, kind: Kind, path: &Path) -> Result<(), BlobError> {
        match self.objects(kind).delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(BlobError::Unavailable(error)),
        }
    }
}
