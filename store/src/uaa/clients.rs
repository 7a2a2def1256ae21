//! OAuth clients.

use crate::{
    Connection, Result, StoreError,
    row::{Columns as _, json, micros, truth},
    uaa::scim::{Listing, page},
};
use serde_json::{Map, Value};
use sqlx::{
    any::{Any, AnyArguments, AnyRow},
    query::Query,
};
use virga_model::Timestamp;

/// One client.
#[derive(Clone, PartialEq, Eq)]
pub struct UaaClientRow {
    /// Its id.
    pub client_id: String,
    /// What users are shown; empty where that is the id.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// argon2id, PHC string; `None` for a client whose secret is empty.
    pub secret_hash: Option<String>,
    /// The older of two secrets, while one takes the other's place.
    pub second_secret_hash: Option<String>,
    /// Goes into every token; a new one voids them all.
    pub token_salt: String,
    /// Grant types it may use.
    pub grant_types: Vec<String>,
    /// Scopes it may ask for on behalf of a user.
    pub scopes: Vec<String>,
    /// Scopes of its own tokens.
    pub authorities: Vec<String>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// Scopes that users need not be asked about; `true` stands for all.
    pub autoapprove: Vec<String>,
    /// Kept for its owner.
    pub resource_ids: Vec<String>,
    /// Identity providers its users may come from; `None` is every one.
    pub allowed_providers: Option<Vec<String>>,
    /// Whether it may get tokens by PKCE, without its secret.
    pub allow_public: bool,
    /// Whether a refresh gives a new refresh token in place of the old one.
    pub rotate_refresh_tokens: bool,
    /// Life of an access token.
    pub access_token_seconds: u32,
    /// Life of a refresh token.
    pub refresh_token_seconds: u32,
    /// Whatever else was said of it.
    pub extra: Map<String, Value>,
}

impl std::fmt::Debug for UaaClientRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UaaClientRow").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl UaaClientRow {
    /// A client that may do nothing yet.
    #[must_use]
    pub fn new(client_id: &str, now: Timestamp) -> Self {
        Self {
            client_id: client_id.to_owned(),
            name: String::new(),
            created_at: now,
            updated_at: now,
            secret_hash: None,
            second_secret_hash: None,
            token_salt: String::new(),
            grant_types: Vec::new(),
            scopes: Vec::new(),
            authorities: Vec::new(),
            redirect_uris: Vec::new(),
            autoapprove: Vec::new(),
            resource_ids: vec!["none".to_owned()],
            allowed_providers: None,
            allow_public: false,
            rotate_refresh_tokens: false,
            access_token_seconds: 43_200,
            refresh_token_seconds: 2_592_000,
            extra: Map::new(),
        }
    }

    /// From a row with every column.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            client_id: row.text("client_id")?,
            name: row.text("name")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            secret_hash: row.opt_text("secret_hash")?,
            second_secret_hash: row.opt_text("second_secret_hash")?,
            token_salt: row.text("token_salt")?,
            grant_types: row.json("grant_types")?,
            scopes: row.json("scopes")?,
            authorities: row.json("authorities")?,
            redirect_uris: row.json("redirect_uris")?,
            autoapprove: row.json("autoapprove")?,
            resource_ids: row.json("resource_ids")?,
            allowed_providers: row.opt_json("allowed_providers")?,
            allow_public: row.flag("allow_public")?,
            rotate_refresh_tokens: row.flag("rotate_refresh_tokens")?,
            access_token_seconds: row.count("access_token_seconds")?,
            refresh_token_seconds: row.count("refresh_token_seconds")?,
            extra: row.json("extra")?,
        })
    }

    /// Binds every column in the order of `insert!`.
    fn bound(&self, query: Query<'static, Any, AnyArguments>) -> Result<Query<'static, Any, AnyArguments>> {
        Ok(query
            .bind(self.client_id.clone())
            .bind(micros(self.created_at))
            .bind(micros(self.updated_at))
            .bind(self.name.clone())
            .bind(self.secret_hash.clone())
            .bind(self.second_secret_hash.clone())
            .bind(self.token_salt.clone())
            .bind(json("grant_types", &self.grant_types)?)
            .bind(json("scopes", &self.scopes)?)
            .bind(json("authorities", &self.authorities)?)
            .bind(json("redirect_uris", &self.redirect_uris)?)
            .bind(json("autoapprove", &self.autoapprove)?)
            .bind(json("resource_ids", &self.resource_ids)?)
            .bind(self.allowed_providers.as_ref().map(|providers| json("allowed_providers", providers)).transpose()?)
            .bind(truth(self.allow_public))
            .bind(truth(self.rotate_refresh_tokens))
            .bind(i64::from(self.access_token_seconds))
            .bind(i64::from(self.refresh_token_seconds))
            .bind(json("extra", &self.extra)?))
    }
}

/// An INSERT of every column, and the rest of the statement.
macro_rules! insert {
    ($rest:literal) => {
        concat!(
            "INSERT INTO uaa_clients (client_id, created_at, updated_at, name, secret_hash, second_secret_hash, token_salt, grant_types, \
             scopes, authorities, redirect_uris, autoapprove, resource_ids, allowed_providers, allow_public, rotate_refresh_tokens, \
             access_token_seconds, refresh_token_seconds, extra) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
            $rest
        )
    };
}

/// Writes a new client.
///
/// # Errors
/// [`StoreError::Unique`] for an id that is taken; those of the database.
pub async fn insert(db: &mut Connection, client: &UaaClientRow) -> Result<()> {
    client.bound(sqlx::query(insert!("")))?.execute(db).await?;
    Ok(())
}

/// Writes a client, over one of the same id; `created_at` of that one stays.
///
/// # Errors
/// Those of the database.
pub async fn upsert(db: &mut Connection, client: &UaaClientRow) -> Result<()> {
    let query = sqlx::query(insert!(
        " ON CONFLICT (client_id) DO UPDATE SET updated_at = excluded.updated_at, name = excluded.name, \
         secret_hash = excluded.secret_hash, second_secret_hash = excluded.second_secret_hash, token_salt = excluded.token_salt, \
         grant_types = excluded.grant_types, scopes = excluded.scopes, authorities = excluded.authorities, \
         redirect_uris = excluded.redirect_uris, autoapprove = excluded.autoapprove, resource_ids = excluded.resource_ids, \
         allowed_providers = excluded.allowed_providers, allow_public = excluded.allow_public, \
         rotate_refresh_tokens = excluded.rotate_refresh_tokens, access_token_seconds = excluded.access_token_seconds, \
         refresh_token_seconds = excluded.refresh_token_seconds, extra = excluded.extra"
    ));
    client.bound(query)?.execute(db).await?;
    Ok(())
}

/// Writes everything about a client that was read as `client` is now; call it in the transaction that read it.
///
/// # Errors
/// [`StoreError::Conflict`] when it is gone; those of the database.
pub async fn update(db: &mut Connection, client: &UaaClientRow) -> Result<()> {
    if find(db, &client.client_id).await?.is_none() {
        return Err(StoreError::Conflict);
    }
    upsert(db, client).await
}

/// One client.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, client_id: &str) -> Result<Option<UaaClientRow>> {
    let query = sqlx::query("SELECT * FROM uaa_clients WHERE client_id = $1");
    query.bind(client_id.to_owned()).fetch_optional(db).await?.as_ref().map(UaaClientRow::from_row).transpose()
}

/// The clients that fit, and how many there are on all pages.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, listing: &Listing) -> Result<(Vec<UaaClientRow>, u64)> {
    page(db, "uaa_clients", "client_id", listing, UaaClientRow::from_row).await
}

/// Deletes a client. False when there was none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, client_id: &str) -> Result<bool> {
    Ok(sqlx::query("DELETE FROM uaa_clients WHERE client_id = $1").bind(client_id.to_owned()).execute(db).await?.rows_affected() > 0)
}
