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
    /// When it was made.
    pub created_at: Timestamp,
    /// It signs from then on, until another one does; it verifies before as well, and after.
    pub signs_from: Timestamp,
    /// PKCS #8, PEM.
    pub private_key_pem: String,
}

impl std::fmt::Debug for UaaKeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UaaKeyRow").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Every key, the one that signs last first.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection) -> Result<Vec<UaaKeyRow>> {
    let query =
        sqlx::query("SELECT kid, created_at, signs_from, private_key_pem FROM uaa_keys ORDER BY signs_from DESC, created_at DESC, kid");
    let key = |row: &sqlx::any::AnyRow| {
        Ok(UaaKeyRow {
            kid: row.text("kid")?,
            created_at: row.time("created_at")?,
            signs_from: row.time("signs_from")?,
            private_key_pem: row.text("private_key_pem")?,
        })
    };
    query.fetch_all(db).await?.iter().map(key).collect()
}

/// Writes a key; where one of this name is there already, that one stays and the answer is false.
///
/// # Errors
/// Those of the database.
pub async fn insert(db: &mut Connection, key: &UaaKeyRow) -> Result<bool> {
    let query =
        sqlx::query("INSERT INTO uaa_keys (kid, created_at, signs_from, private_key_pem) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
            .bind(key.kid.clone())
            .bind(micros(key.created_at))
            .bind(micros(key.signs_from))
            .bind(key.private_key_pem.clone());
    Ok(query.execute(db).await?.rows_affected() > 0)
}

/// Deletes a key: what it signed is void. False when there was none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, kid: &str) -> Result<bool> {
    Ok(sqlx::query("DELETE FROM uaa_keys WHERE kid = $1").bind(kid.to_owned()).execute(db).await?.rows_affected() > 0)
}
