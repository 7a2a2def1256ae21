//! Writing: atomic, under the digest of what was written. A blob that is there already is written anew, which heals one
//! that has been damaged.

use crate::{BlobError, Blobstore, ByteStream, Kind};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{ObjectStoreExt as _, WriteMultipart, path::Path};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use virga_model::Sha256Digest;

/// Read and hashed at a time.
const CHUNK_BYTES: usize = 256 * 1024;
/// Up to this size a blob is one request; S3's parts may not be smaller than 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts on their way at a time; bounds the memory of an upload.
const PARTS_AT_A_TIME: usize = 4;

impl Blobstore {
    /// Stores a file; its digest and size in bytes.
    ///
    /// # Errors
    /// [`BlobError::File`] where it cannot be read or changes meanwhile, [`BlobError::Unavailable`].
    pub async fn put_file(&self, kind: Kind, path: &std::path::Path) -> Result<(Sha256Digest, u64), BlobError> {
        let mut hasher = Sha256::new();
        let mut size = 0;
        let mut chunks = chunks_of(tokio::fs::File::open(path).await?);
        while let Some(chunk) = chunks.try_next().await? {
            hasher.update(&chunk);
            size += chunk.len() as u64;
        }
        let digest = Sha256Digest::from_bytes(hasher.finalize().into());
        let again = chunks_of(tokio::fs::File::open(path).await?);
        self.upload(kind, &self.by_digest(kind, &digest), again, Some(digest)).await?;
        Ok((digest, size))
    }

    /// Stores bytes.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`].
    pub async fn put_bytes(&self, kind: Kind, bytes: Bytes) -> Result<Sha256Digest, BlobError> {
        let digest = Sha256Digest::of(&bytes);
        self.objects(kind).put(&self.by_digest(kind, &digest), bytes.into()).await.map_err(BlobError::Unavailable)?;
        Ok(digest)
    }

    /// Stores bytes under a name.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`].
    pub async fn put_named(&self, kind: Kind, name: &str, bytes: Bytes) -> Result<(), BlobError> {
        self.objects(kind).put(&self.by_name(kind, name), bytes.into()).await.map_err(BlobError::Unavailable)?;
        Ok(())
    }

    /// Stores a file under a name.
    ///
    /// # Errors
    /// [`BlobError::File`], [`BlobError::Unavailable`].
    pub async fn put_named_file(&self, kind: Kind, name: &str, path: &std::path::Path) -> Result<(), BlobError> {
        let chunks = chunks_of(tokio::fs::File::open(path).await?);
        self.upload(kind, &self.by_name(kind, name), chunks, None).await
    }

    /// Parts go up as they are read; nothing appears under `path` before all are there and the digest is right.
    async fn upload(&self, kind: Kind, path: &Path, mut chunks: ByteStream, expected: Option<Sha256Digest>) -> Result<(), BlobError> {
        let upload = self.objects(kind).put_multipart(path).await.map_err(BlobError::Unavailable)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        let mut hasher = Sha256::new();
        let sent = async {
            while let Some(chunk) = chunks.try_next().await? {
                hasher.update(&chunk);
                upload.wait_for_capacity(PARTS_AT_A_TIME).await.map_err(BlobError::Unavailable)?;
                upload.put(chunk);
            }
            let found = Sha256Digest::from_bytes(hasher.finalize().into());
            match expected {
                Some(expected) if expected != found => Err(std::io::Error::other("the file changed while it was stored").into()),
                _ => Ok(()),
            }
        };
        match sent.await {
            Ok(()) => upload.finish().await.map(|_| ()).map_err(BlobError::Unavailable),
            Err(error) => {
                if let Err(abort) = upload.abort().await {
                    tracing::warn!(blob.path = %path, error = %abort, "parts of a broken upload stay behind");
                }
                Err(error)
            }
        }
    }
}

fn chunks_of(file: tokio::fs::File) -> ByteStream {
    futures::stream::unfold(Some(file), |file| async move {
        let mut file = file?;
        let mut chunk = bytes::BytesMut::with_capacity(CHUNK_BYTES);
        match file.read_buf(&mut chunk).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(chunk.freeze()), Some(file))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}
