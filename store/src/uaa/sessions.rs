//! Sessions of browsers, by the digest of their cookie.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
};
use virga_model::{Sha256Digest, Timestamp, UserGuid};

/// Sessions of one user at most; the oldest go.
const MAX_PER_USER: i64 = 50;

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of the cookie's value.
    pub token_hash: Sha256Digest,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// Void from this moment.
    pub expires_at: Timestamp,
    /// Who logged in.
    pub user: UserGuid,
}

/// Writes a new session, and takes away expired ones and the oldest above what a user may have.
///
/// # Errors
/// [`crate::StoreError::Reference`] when there is no such user; those of the database.
pub async fn insert(db: &mut Connection, session: &SessionRow) -> Result<()> {
    sqlx::query("DELETE FROM uaa_sessions WHERE expires_at <= $1").bind(micros(session.created_at)).execute(&mut *db).await?;
    sqlx::query(
        "DELETE FROM uaa_sessions WHERE user_guid = $1 AND created_at <= \
         (SELECT created_at FROM uaa_sessions WHERE user_guid = $1 ORDER BY created_at DESC LIMIT 1 OFFSET $2)",
    )
    .bind(session.user.to_string())
    .bind(MAX_PER_USER - 1)
    .execute(&mut *db)
    .await?;
    sqlx::query("INSERT INTO uaa_sessions (token_hash, created_at, expires_at, user_guid) VALUES ($1, $2, $3, $4)")
        .bind(session.token_hash.to_string())
        .bind(micros(session.created_at))
        .bind(micros(session.expires_at))
        .bind(session.user.to_string())
        .execute(db)
        .await?;
    Ok(())
}

/// The session with this digest, if it is still in its time.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, token_hash: Sha256Digest, now: Timestamp) -> Result<Option<SessionRow>> {
    let query = sqlx::query("SELECT created_at, expires_at, user_guid FROM uaa_sessions WHERE token_hash = $1 AND expires_at > $2");
    let row = query.bind(token_hash.to_string()).bind(micros(now)).fetch_optional(db).await?;
    let session = |row: sqlx::any::AnyRow| {
        Ok(SessionRow {
            token_hash,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            user: row.parsed("user_guid")?,
        })
    };
    row.map(session).transpose()
}

/// Ends a session; no session is no error.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, token_hash: Sha256Digest) -> Result<()> {
    sqlx::query("DELETE FROM uaa_sessions WHERE token_hash = $1").bind(token_hash.to_string()).execute(db).await?;
    Ok(())
}

/// Ends every session of a user.
///
/// # Errors
/// Those of the database.
pub async fn delete_of_user(db: &mut Connection, user: UserGuid) -> Result<()> {
    sqlx::query("DELETE FROM uaa_sessions WHERE user_guid = $1").bind(user.to_string()).execute(db).await?;
    Ok(())
}
