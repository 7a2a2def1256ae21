//! OAuth clients.

use crate::{
    Connection, Result,
    row::{Columns as _, json, micros},
};
use sqlx::any::AnyRow;
use virga_model::Timestamp;

/// One client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UaaClientRow {
    /// Its name.
    pub client_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// argon2id, PHC string; `None` for a public client, whose secret is empty.
    pub secret_hash: Option<String>,
    /// Grant types it may use.
    pub grant_types: Vec<String>,
    /// Scopes it may ask for on behalf of a user.
    pub scopes: Vec<String>,
    /// Scopes of its own tokens.
    pub authorities: Vec<String>,
    /// Life of an access token.
    pub access_token_seconds: u32,
    /// Life of a refresh token.
    pub refresh_token_seconds: u32,
}

impl UaaClientRow {
    /// From a row with every column.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            client_id: row.text("client_id")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            secret_hash: row.opt_text("secret_hash")?,
            grant_types: row.json("grant_types")?,
            scopes: row.json("scopes")?,
            authorities: row.json("authorities")?,
            access_token_seconds: row.count("access_token_seconds")?,
            refresh_token_seconds: row.count("refresh_token_seconds")?,
        })
    }
}

/// Writes a client, over one of the same id; `created_at` of that one stays.
///
/// # Errors
/// Those of the database.
pub async fn upsert(db: &mut Connection, client: &UaaClientRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO uaa_clients (client_id, created_at, updated_at, secret_hash, grant_types, scopes, authorities, \
         access_token_seconds, refresh_token_seconds) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (client_id) DO UPDATE SET updated_at = excluded.updated_at, secret_hash = excluded.secret_hash, \
         grant_types = excluded.grant_types, scopes = excluded.scopes, authorities = excluded.authorities, \
         access_token_seconds = excluded.access_token_seconds, refresh_token_seconds = excluded.refresh_token_seconds",
    )
    .bind(client.client_id.clone())
    .bind(micros(client.created_at))
    .bind(micros(client.updated_at))
    .bind(client.secret_hash.clone())
    .bind(json("grant_types", &client.grant_types)?)
    .bind(json("scopes", &client.scopes)?)
    .bind(json("authorities", &client.authorities)?)
    .bind(i64::from(client.access_token_seconds))
    .bind(i64::from(client.refresh_token_seconds))
    .execute(db)
    .await?;
    Ok(())
}

/// One client.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, client_id: &str) -> Result<Option<UaaClientRow>> {
    let query = sqlx::query(
        "SELECT client_id, created_at, updated_at, secret_hash, grant_types, scopes, authorities, access_token_seconds, \
         refresh_token_seconds FROM uaa_clients WHERE client_id = $1",
    );
    query.bind(client_id.to_owned()).fetch_optional(db).await?.as_ref().map(UaaClientRow::from_row).transpose()
}
