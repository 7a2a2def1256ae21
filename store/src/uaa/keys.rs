//! Keys that sign and verify tokens.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
};
use virga_model::Timestamp;

/// One RS256 key.
#[derive(Clone, PartialEq, Eq)]
pub struct UaaKeyRow {
    /// Its name in a token's header.
    pub kid: String,
    /// When it was made; the newest signs.
    pub created_at: Timestamp,
    /// PKCS #8, PEM.
    pub private_key_pem: String,
}

impl std::fmt::Debug for UaaKeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UaaKeyRow").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Every key, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection) -> Result<Vec<UaaKeyRow>> {
    let rows = sqlx::query("SELECT kid, created_at, private_key_pem FROM uaa_keys ORDER BY created_at DESC, kid").fetch_all(db).await?;
    let key = |row: &sqlx::any::AnyRow| {
        Ok(UaaKeyRow { kid: row.text("kid")?, created_at: row.time("created_at")?, private_key_pem: row.text("private_key_pem")? })
    };
    rows.iter().map(key).collect()
}

/// Writes a key; where one of this name is there already, that one stays.
///
/// # Errors
/// Those of the database.
pub async fn insert(db: &mut Connection, key: &UaaKeyRow) -> Result<()> {
    sqlx::query("INSERT INTO uaa_keys (kid, created_at, private_key_pem) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(key.kid.clone())
        .bind(micros(key.created_at))
        .bind(key.private_key_pem.clone())
        .execute(db)
        .await?;
    Ok(())
}
