//! Users as the UAA knows them: who may log in, and with what.

use crate::{
    Connection, Result,
    record::{self, Record, Values},
    row::{Columns as _, micros},
    uaa::scim::{Listing, page},
};
use sqlx::any::AnyRow;
use virga_model::{Timestamp, UserGuid};

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UaaUserRow {
    /// The guid, the same in the Cloud Controller.
    pub guid: UserGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; logging in changes nothing.
    pub updated_at: Timestamp,
    /// SCIM's version.
    pub version: u32,
    /// The name as it was given; another that differs only by case is the same.
    pub username: String,
    /// The identity provider; `uaa` for users with a password here.
    pub origin: String,
    /// What the identity provider calls the user; empty for users of the own one.
    pub external_id: String,
    /// Primary email.
    pub email: String,
    /// First name.
    pub given_name: String,
    /// Last name.
    pub family_name: String,
    /// Telephone number; empty where there is none.
    pub phone: String,
    /// argon2id, PHC string; `None` for users who cannot log in by password.
    pub password_hash: Option<String>,
    /// When the password was last set.
    pub password_changed_at: Timestamp,
    /// Goes into every token of the user; a new one voids them all.
    pub token_salt: String,
    /// Whether the next login must set a new password.
    pub password_change_required: bool,
    /// False keeps the user out.
    pub active: bool,
    /// Whether the email is known to be the user's.
    pub verified: bool,
    /// Last good login.
    pub last_login_at: Option<Timestamp>,
    /// The one before.
    pub previous_login_at: Option<Timestamp>,
}

impl UaaUserRow {
    /// An active user without a password, whose email is the name.
    #[must_use]
    pub fn new(guid: UserGuid, now: Timestamp, username: &str, origin: &str) -> Self {
        Self {
            guid,
            created_at: now,
            updated_at: now,
            version: 0,
            username: username.to_owned(),
            origin: origin.to_owned(),
            external_id: String::new(),
            email: username.to_owned(),
            given_name: String::new(),
            family_name: String::new(),
            phone: String::new(),
            password_hash: None,
            password_changed_at: now,
            token_salt: String::new(),
            password_change_required: false,
            active: true,
            verified: true,
            last_login_at: None,
            previous_login_at: None,
        }
    }
}

impl Record for UaaUserRow {
    record::head!(UserGuid);
    const TABLE: &'static str = "uaa_users";
    const FIXED: &'static [&'static str] = &["failed_logins", "last_failed_at", "last_login_at", "previous_login_at"];

    fn values(&self) -> Result<Values> {
        Ok(Values::new()
            .set("version", self.version)
            .set("username", self.username.as_str())
            .set("username_key", self.username.to_lowercase())
            .set("origin", self.origin.as_str())
            .set("external_id", self.external_id.as_str())
            .set("email", self.email.as_str())
            .set("given_name", self.given_name.as_str())
            .set("family_name", self.family_name.as_str())
            .set("phone", self.phone.as_str())
            .set("password_hash", self.password_hash.clone())
            .set("password_changed_at", self.password_changed_at)
            .set("token_salt", self.token_salt.as_str())
            .set("password_change_required", self.password_change_required)
            .set("active", self.active)
            .set("verified", self.verified)
            .set("last_login_at", self.last_login_at)
            .set("previous_login_at", self.previous_login_at)
            // Columns of an earlier release, which has no default for them.
            .set("failed_logins", 0_i64)
            .set("last_failed_at", 0_i64))
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            version: row.count("version")?,
            username: row.text("username")?,
            origin: row.text("origin")?,
            external_id: row.text("external_id")?,
            email: row.text("email")?,
            given_name: row.text("given_name")?,
            family_name: row.text("family_name")?,
            phone: row.text("phone")?,
            password_hash: row.opt_text("password_hash")?,
            password_changed_at: row.time("password_changed_at")?,
            token_salt: row.text("token_salt")?,
            password_change_required: row.flag("password_change_required")?,
            active: row.flag("active")?,
            verified: row.flag("verified")?,
            last_login_at: row.opt_time("last_login_at")?,
            previous_login_at: row.opt_time("previous_login_at")?,
        })
    }
}

record::functions!(UaaUserRow);

/// The user of this name and identity provider.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, username: &str, origin: &str) -> Result<Option<UaaUserRow>> {
    record::first(db, "WHERE username_key = $1 AND origin = $2", [username.to_lowercase().into(), origin.into()]).await
}

/// The user whom this identity provider calls so.
///
/// # Errors
/// Those of the database.
pub async fn find_by_external_id(db: &mut Connection, external_id: &str, origin: &str) -> Result<Option<UaaUserRow>> {
    let binds = [origin.into(), external_id.into()];
    record::first(db, "WHERE origin = $1 AND external_id = $2 AND external_id <> '' ORDER BY created_at, guid", binds).await
}

/// The users of this name, one per identity provider that knows it, by the provider's name.
///
/// # Errors
/// Those of the database.
pub async fn list_by_name(db: &mut Connection, username: &str) -> Result<Vec<UaaUserRow>> {
    record::all(db, "WHERE username_key = $1 ORDER BY origin", [username.to_lowercase().into()]).await
}

/// The users that fit, and how many there are on all pages.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, listing: &Listing) -> Result<(Vec<UaaUserRow>, u64)> {
    page(db, "uaa_users", "guid", listing, UaaUserRow::from_row).await
}

/// Notes a good login.
///
/// # Errors
/// Those of the database.
pub async fn note_login(db: &mut Connection, guid: UserGuid, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE uaa_users SET previous_login_at = last_login_at, last_login_at = $1 WHERE guid = $2")
        .bind(micros(now))
        .bind(guid.to_string())
        .execute(db)
        .await?;
    Ok(())
}
