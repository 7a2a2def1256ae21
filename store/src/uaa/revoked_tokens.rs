//! Access tokens that were revoked before their time.

use crate::{Connection, Result, row::micros};
use virga_model::Timestamp;

/// Revokes the access token of this name; forgets those whose time is over anyway.
///
/// # Errors
/// Those of the database.
pub async fn insert(db: &mut Connection, jti: &str, expires_at: Timestamp, now: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM uaa_revoked_tokens WHERE expires_at <= $1").bind(micros(now)).execute(&mut *db).await?;
    sqlx::query("INSERT INTO uaa_revoked_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(jti.to_owned())
        .bind(micros(expires_at))
        .execute(db)
        .await?;
    Ok(())
}

/// Whether the access token of this name was revoked.
///
/// # Errors
/// Those of the database.
pub async fn contains(db: &mut Connection, jti: &str) -> Result<bool> {
    Ok(sqlx::query("SELECT jti FROM uaa_revoked_tokens WHERE jti = $1").bind(jti.to_owned()).fetch_optional(db).await?.is_some())
}
