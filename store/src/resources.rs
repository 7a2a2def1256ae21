//! The resource cache: files of earlier packages, so that a client need not send them again.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
};
use virga_model::{Sha256Digest, Timestamp};

/// One file that the blobstore holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRow {
    /// SHA-1 in hex, as clients name it.
    pub sha1: String,
    /// Its size.
    pub size_bytes: u64,
    /// The blob.
    pub digest: Sha256Digest,
}

/// The file with this SHA-1 and size.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, sha1: &str, size_bytes: u64) -> Result<Option<ResourceRow>> {
    let query = sqlx::query("SELECT digest FROM resources WHERE sha1 = $1 AND size_bytes = $2")
        .bind(sha1.to_owned())
        .bind(size_bytes.cast_signed());
    let Some(row) = query.fetch_optional(db).await? else { return Ok(None) };
    Ok(Some(ResourceRow { sha1: sha1.to_owned(), size_bytes, digest: row.parsed("digest")? }))
}

/// Notes that the blobstore holds this file, or that it was used again.
///
/// # Errors
/// Those of the database.
pub async fn touch(db: &mut Connection, resource: &ResourceRow, now: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT INTO resources (sha1, size_bytes, digest, last_used_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (sha1, size_bytes) DO UPDATE SET last_used_at = excluded.last_used_at",
    )
    .bind(resource.sha1.clone())
    .bind(resource.size_bytes.cast_signed())
    .bind(resource.digest.to_string())
    .bind(micros(now))
    .execute(db)
    .await?;
    Ok(())
}

/// Files that nobody used since `before`, the longest unused first.
///
/// # Errors
/// Those of the database.
pub async fn list_unused(db: &mut Connection, before: Timestamp, limit: u32) -> Result<Vec<ResourceRow>> {
    let query = sqlx::query("SELECT sha1, size_bytes, digest FROM resources WHERE last_used_at < $1 ORDER BY last_used_at LIMIT $2")
        .bind(micros(before))
        .bind(i64::from(limit));
    let read = |row: &sqlx::any::AnyRow| {
        Ok(ResourceRow { sha1: row.text("sha1")?, size_bytes: row.count("size_bytes")?, digest: row.parsed("digest")? })
    };
    query.fetch_all(db).await?.iter().map(read).collect()
}

/// Forgets a file. False when it was not known.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, resource: &ResourceRow) -> Result<bool> {
    let query = sqlx::query("DELETE FROM resources WHERE sha1 = $1 AND size_bytes = $2")
        .bind(resource.sha1.clone())
        .bind(resource.size_bytes.cast_signed());
    Ok(query.execute(db).await?.rows_affected() > 0)
}
