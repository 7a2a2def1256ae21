//! Reading: every byte that goes out by digest is hashed on the way.

use crate::{BlobError, Blobstore, ByteStream, Kind};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{ObjectStoreExt as _, path::Path};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use virga_model::Sha256Digest;

impl Blobstore {
    /// The blob as a stream. Wrong bytes show as an error at its end ([`std::io::ErrorKind::InvalidData`] around
    /// [`BlobError::Corrupt`]): do not act on what came before it.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Unavailable`].
    pub async fn open(&self, kind: Kind, digest: &Sha256Digest) -> Result<ByteStream, BlobError> {
        let stream = self.stream(kind, &self.by_digest(kind, digest), &digest.to_string()).await?;
        Ok(verified(stream, *digest))
    }

    /// The blob in memory, verified; for what is known to be small.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Corrupt`], [`BlobError::Unavailable`].
    pub async fn read(&self, kind: Kind, digest: &Sha256Digest) -> Result<Bytes, BlobError> {
        let bytes = self.whole(kind, &self.by_digest(kind, digest), &digest.to_string()).await?;
        match Sha256Digest::of(&bytes) {
            found if found == *digest => Ok(bytes),
            found => Err(BlobError::Corrupt { expected: *digest, found }),
        }
    }

    /// Writes the blob to `path`, verified: the file appears whole and right, or not at all.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Corrupt`], [`BlobError::Unavailable`], and [`BlobError::File`] where `path`
    /// cannot be written.
    pub async fn to_file(&self, kind: Kind, digest: &Sha256Digest, path: &std::path::Path) -> Result<(), BlobError> {
        let mut stream = self.stream(kind, &self.by_digest(kind, digest), &digest.to_string()).await?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
        let (file, temporary) = tempfile::NamedTempFile::new_in(folder)?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let mut hasher = Sha256::new();
        while let Some(chunk) = stream.try_next().await? {
            hasher.update(&chunk);
            file.write_all(&chunk).await?;
        }
        file.flush().await?;
        let found = Sha256Digest::from_bytes(hasher.finalize().into());
        if found != *digest {
            return Err(BlobError::Corrupt { expected: *digest, found });
        }
        temporary.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// A named blob. Its bytes carry no checksum of this room's: whoever named it authenticates it.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Unavailable`].
    pub async fn open_named(&self, kind: Kind, name: &str) -> Result<ByteStream, BlobError> {
        self.stream(kind, &self.by_name(kind, name), name).await
    }

    /// A named blob in memory; `None` where it is not there. See [`Blobstore::open_named`].
    ///
    /// # Errors
    /// [`BlobError::Unavailable`].
    pub async fn read_named(&self, kind: Kind, name: &str) -> Result<Option<Bytes>, BlobError> {
        match self.whole(kind, &self.by_name(kind, name), name).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(BlobError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn stream(&self, kind: Kind, path: &Path, what: &str) -> Result<ByteStream, BlobError> {
        let found = self.objects(kind).get(path).await.map_err(|error| BlobError::reading(what, error))?;
        Ok(found.into_stream().map_err(std::io::Error::other).boxed())
    }

    async fn whole(&self, kind: Kind, path: &Path, what: &str) -> Result<Bytes, BlobError> {
        let found = self.objects(kind).get(path).await.map_err(|error| BlobError::reading(what, error))?;
        found.bytes().await.map_err(BlobError::Unavailable)
    }
}

/// `stream`, with an error after its last byte where the digest is another.
fn verified(stream: ByteStream, expected: Sha256Digest) -> ByteStream {
    let state = Some((stream, Sha256::new()));
    futures::stream::unfold(state, move |state| async move {
        let (mut stream, mut hasher) = state?;
        match stream.next().await {
            Some(Ok(chunk)) => {
                hasher.update(&chunk);
                Some((Ok(chunk), Some((stream, hasher))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None => {
                let found = Sha256Digest::from_bytes(hasher.finalize().into());
                let wrong = BlobError::Corrupt { expected, found };
                (found != expected).then(|| (Err(std::io::Error::new(std::io::ErrorKind::InvalidData, wrong)), None))
            }
        }
    })
    .boxed()
}
