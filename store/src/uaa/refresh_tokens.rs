//! Refresh tokens, by their digest.

use crate::{
    Connection, Result,
    row::{Columns as _, json, micros},
};
use virga_model::{Sha256Digest, Timestamp, UserGuid};

/// Refresh tokens of one user with one client at most; the oldest go.
const MAX_PER_USER_AND_CLIENT: i64 = 200;

/// One refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshTokenRow {
    /// SHA-256 of the token.
    pub token_hash: Sha256Digest,
    /// When it was made: when the user gave the password.
    pub created_at: Timestamp,
    /// Void from this moment.
    pub expires_at: Timestamp,
    /// Whose it is.
    pub user: UserGuid,
    /// The client it was given to.
    pub client_id: String,
    /// What was granted.
    pub scopes: Vec<String>,
}

/// Writes a new token, and takes away expired ones and the oldest above what a user may have.
///
/// # Errors
/// [`crate::StoreError::Reference`] when there is no such user; those of the database.
pub async fn insert(db: &mut Connection, token: &RefreshTokenRow) -> Result<()> {
    sqlx::query("DELETE FROM uaa_refresh_tokens WHERE expires_at <= $1").bind(micros(token.created_at)).execute(&mut *db).await?;
    sqlx::query(
        "DELETE FROM uaa_refresh_tokens WHERE user_guid = $1 AND client_id = $2 AND created_at <= \
         (SELECT created_at FROM uaa_refresh_tokens WHERE user_guid = $1 AND client_id = $2 ORDER BY created_at DESC LIMIT 1 OFFSET $3)",
    )
    .bind(token.user.to_string())
    .bind(token.client_id.clone())
    .bind(MAX_PER_USER_AND_CLIENT - 1)
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "INSERT INTO uaa_refresh_tokens (token_hash, created_at, expires_at, user_guid, client_id, scopes) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(token.token_hash.to_string())
    .bind(micros(token.created_at))
    .bind(micros(token.expires_at))
    .bind(token.user.to_string())
    .bind(token.client_id.clone())
    .bind(json("scopes", &token.scopes)?)
    .execute(db)
    .await?;
    Ok(())
}

/// The token with this digest, expired or not.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, token_hash: Sha256Digest) -> Result<Option<RefreshTokenRow>> {
    let row = sqlx::query(
        "SELECT token_hash, created_at, expires_at, user_guid, client_id, scopes FROM uaa_refresh_tokens WHERE token_hash = $1",
    )
    .bind(token_hash.to_string())
    .fetch_optional(db)
    .await?;
    let token = |row: sqlx::any::AnyRow| {
        Ok(RefreshTokenRow {
            token_hash: row.parsed("token_hash")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            user: row.parsed("user_guid")?,
            client_id: row.text("client_id")?,
            scopes: row.json("scopes")?,
        })
    };
    row.map(token).transpose()
}

/// Deletes the token with this digest; where `owner` is given, only if it is that user's. False when there is none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, token_hash: Sha256Digest, owner: Option<UserGuid>) -> Result<bool> {
    let hash = token_hash.to_string();
    let query = match owner {
        Some(owner) => {
            sqlx::query("DELETE FROM uaa_refresh_tokens WHERE token_hash = $1 AND user_guid = $2").bind(hash).bind(owner.to_string())
        }
        None => sqlx::query("DELETE FROM uaa_refresh_tokens WHERE token_hash = $1").bind(hash),
    };
    Ok(query.execute(db).await?.rows_affected() > 0)
}

/// Deletes every token of a user.
///
/// # Errors
/// Those of the database.
pub async fn delete_of_user(db: &mut Connection, user: UserGuid) -> Result<()> {
    sqlx::query("DELETE FROM uaa_refresh_tokens WHERE user_guid = $1").bind(user.to_string()).execute(db).await?;
    Ok(())
}
