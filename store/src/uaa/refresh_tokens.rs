//! Refresh tokens, by their digest.

use crate::{
    Connection, Result,
    row::{Columns as _, json, micros},
};
use sqlx::any::AnyRow;
use virga_model::{Sha256Digest, Timestamp, UserGuid};

/// Refresh tokens of one user with one client at most; the oldest go.
const MAX_PER_USER_AND_CLIENT: i64 = 200;

/// One refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshTokenRow {
    /// SHA-256 of the token.
    pub token_hash: Sha256Digest,
    /// Its name, by which it can be revoked; not secret.
    pub jti: String,
    /// The tokens that followed one another from one login have one.
    pub family: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the user logged in.
    pub auth_time: Timestamp,
    /// Void from this moment.
    pub expires_at: Timestamp,
    /// When another one took its place.
    pub used_at: Option<Timestamp>,
    /// Whose it is.
    pub user: UserGuid,
    /// The client it was given to.
    pub client_id: String,
    /// The grant by which the first of the family was got.
    pub grant_type: String,
    /// What was granted.
    pub scopes: Vec<String>,
}

fn token(row: &AnyRow) -> Result<RefreshTokenRow> {
    let created_at = row.time("created_at")?;
    Ok(RefreshTokenRow {
        token_hash: row.parsed("token_hash")?,
        jti: row.text("jti")?,
        family: row.text("family")?,
        created_at,
        // Tokens of before this column was there have 0.
        auth_time: if row.int("auth_time")? == 0 { created_at } else { row.time("auth_time")? },
        expires_at: row.time("expires_at")?,
        used_at: row.opt_time("used_at")?,
        user: row.parsed("user_guid")?,
        client_id: row.text("client_id")?,
        grant_type: row.text("grant_type")?,
        scopes: row.json("scopes")?,
    })
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
        "INSERT INTO uaa_refresh_tokens (token_hash, created_at, expires_at, user_guid, client_id, scopes, jti, family, grant_type, \
         auth_time, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(token.token_hash.to_string())
    .bind(micros(token.created_at))
    .bind(micros(token.expires_at))
    .bind(token.user.to_string())
    .bind(token.client_id.clone())
    .bind(json("scopes", &token.scopes)?)
    .bind(token.jti.clone())
    .bind(token.family.clone())
    .bind(token.grant_type.clone())
    .bind(micros(token.auth_time))
    .bind(token.used_at.map(micros))
    .execute(db)
    .await?;
    Ok(())
}

/// The token with this digest, expired, used or neither.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, token_hash: Sha256Digest) -> Result<Option<RefreshTokenRow>> {
    let query = sqlx::query("SELECT * FROM uaa_refresh_tokens WHERE token_hash = $1").bind(token_hash.to_string());
    query.fetch_optional(db).await?.as_ref().map(token).transpose()
}

/// The token of this name.
///
/// # Errors
/// Those of the database.
pub async fn find_by_jti(db: &mut Connection, jti: &str) -> Result<Option<RefreshTokenRow>> {
    if jti.is_empty() {
        return Ok(None);
    }
    let query = sqlx::query("SELECT * FROM uaa_refresh_tokens WHERE jti = $1").bind(jti.to_owned());
    query.fetch_optional(db).await?.as_ref().map(token).transpose()
}

/// Notes that another token took this one's place; the first time counts.
///
/// # Errors
/// Those of the database.
pub async fn mark_used(db: &mut Connection, token_hash: Sha256Digest, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE uaa_refresh_tokens SET used_at = $1 WHERE token_hash = $2 AND used_at IS NULL")
        .bind(micros(now))
        .bind(token_hash.to_string())
        .execute(db)
        .await?;
    Ok(())
}

/// Deletes a token, and with it every other of its family.
///
/// # Errors
/// Those of the database.
pub async fn delete_family(db: &mut Connection, token: &RefreshTokenRow) -> Result<()> {
    sqlx::query("DELETE FROM uaa_refresh_tokens WHERE token_hash = $1 OR (family = $2 AND family <> '')")
        .bind(token.token_hash.to_string())
        .bind(token.family.clone())
        .execute(db)
        .await?;
    Ok(())
}

/// Deletes every token of a user.
///
/// # Errors
/// Those of the database.
pub async fn delete_of_user(db: &mut Connection, user: UserGuid) -> Result<()> {
    sqlx::query("DELETE FROM uaa_refresh_tokens WHERE user_guid = $1").bind(user.to_string()).execute(db).await?;
    Ok(())
}

/// Deletes every token that a client was given; where `user` is given, only those of that user.
///
/// # Errors
/// Those of the database.
pub async fn delete_of_client(db: &mut Connection, client_id: &str, user: Option<UserGuid>) -> Result<()> {
    let query = match user {
        Some(user) => sqlx::query("DELETE FROM uaa_refresh_tokens WHERE client_id = $1 AND user_guid = $2")
            .bind(client_id.to_owned())
            .bind(user.to_string()),
        None => sqlx::query("DELETE FROM uaa_refresh_tokens WHERE client_id = $1").bind(client_id.to_owned()),
    };
    query.execute(db).await?;
    Ok(())
}
