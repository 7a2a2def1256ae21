//! Users as the UAA knows them: who may log in, and with what.

use crate::{
    Connection, Result,
    row::{Columns as _, micros, truth},
};
use sqlx::{AssertSqlSafe, any::AnyRow};
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
    /// The name as it was given; another that differs only by case is the same.
    pub username: String,
    /// The identity provider; `uaa` for users with a password here.
    pub origin: String,
    /// Primary email.
    pub email: String,
    /// First name.
    pub given_name: String,
    /// Last name.
    pub family_name: String,
    /// argon2id, PHC string; `None` for users who cannot log in by password.
    pub password_hash: Option<String>,
    /// When the password was last set.
    pub password_changed_at: Timestamp,
    /// False keeps the user out.
    pub active: bool,
    /// Failed logins since the last good one.
    pub failed_logins: u32,
    /// The last of them; the epoch where there is none.
    pub last_failed_at: Timestamp,
}

/// A column that a filter may compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// The user's guid.
    Id,
    /// The name, whatever its case.
    Username,
    /// The identity provider.
    Origin,
    /// The primary email, whatever its case.
    Email,
}

/// Alternatives, each a list of equalities that must all hold; no alternative at all means everybody.
pub type UserFilter = Vec<Vec<(Attribute, String)>>;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT guid, created_at, updated_at, username, origin, email, given_name, family_name, password_hash, \
             password_changed_at, active, failed_logins, last_failed_at FROM uaa_users ",
            $rest
        )
    };
}

impl UaaUserRow {
    /// From a row with every column.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            username: row.text("username")?,
            origin: row.text("origin")?,
            email: row.text("email")?,
            given_name: row.text("given_name")?,
            family_name: row.text("family_name")?,
            password_hash: row.opt_text("password_hash")?,
            password_changed_at: row.time("password_changed_at")?,
            active: row.flag("active")?,
            failed_logins: row.count("failed_logins")?,
            last_failed_at: row.time("last_failed_at")?,
        })
    }
}

/// Writes a new user.
///
/// # Errors
/// [`crate::StoreError::Unique`] `uaa_users_username_key_origin` for a name that is taken; those of the database.
pub async fn insert(db: &mut Connection, user: &UaaUserRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO uaa_users (guid, created_at, updated_at, username, username_key, origin, email, given_name, family_name, \
         password_hash, password_changed_at, active, failed_logins, last_failed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(user.guid.to_string())
    .bind(micros(user.created_at))
    .bind(micros(user.updated_at))
    .bind(user.username.clone())
    .bind(user.username.to_lowercase())
    .bind(user.origin.clone())
    .bind(user.email.clone())
    .bind(user.given_name.clone())
    .bind(user.family_name.clone())
    .bind(user.password_hash.clone())
    .bind(micros(user.password_changed_at))
    .bind(truth(user.active))
    .bind(i64::from(user.failed_logins))
    .bind(micros(user.last_failed_at))
    .execute(db)
    .await?;
    Ok(())
}

/// One user.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: UserGuid) -> Result<Option<UaaUserRow>> {
    let row = sqlx::query(select!("WHERE guid = $1")).bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(UaaUserRow::from_row).transpose()
}

/// The user of this name and identity provider.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, username: &str, origin: &str) -> Result<Option<UaaUserRow>> {
    let query = sqlx::query(select!("WHERE username_key = $1 AND origin = $2")).bind(username.to_lowercase()).bind(origin.to_owned());
    query.fetch_optional(db).await?.as_ref().map(UaaUserRow::from_row).transpose()
}

/// The users of this name, one per identity provider that knows it, by the provider's name.
///
/// # Errors
/// Those of the database.
pub async fn list_by_name(db: &mut Connection, username: &str) -> Result<Vec<UaaUserRow>> {
    let rows = sqlx::query(select!("WHERE username_key = $1 ORDER BY origin")).bind(username.to_lowercase()).fetch_all(db).await?;
    rows.iter().map(UaaUserRow::from_row).collect()
}

/// The users that fit the filter, in order of creation, after the first `skip` and at most `limit`; and how many fit.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &UserFilter, skip: u32, limit: u32) -> Result<(Vec<UaaUserRow>, u64)> {
    let (mut condition, mut binds) = (String::new(), Vec::new());
    for alternative in filter {
        condition.push_str(if condition.is_empty() { "WHERE (" } else { " OR (" });
        for (index, (attribute, value)) in alternative.iter().enumerate() {
            let (column, value) = match attribute {
                Attribute::Id => ("guid", value.to_ascii_lowercase()),
                Attribute::Username => ("username_key", value.to_lowercase()),
                Attribute::Origin => ("origin", value.clone()),
                Attribute::Email => ("LOWER(email)", value.to_lowercase()),
            };
            binds.push(value);
            let and = if index == 0 { "" } else { " AND " };
            condition.push_str(&format!("{and}{column} = ${}", binds.len()));
        }
        condition.push(')');
    }
    // The text is made of the constants above and of numbers; values are bound.
    let mut count = sqlx::query(AssertSqlSafe(format!("SELECT COUNT(*) AS total FROM uaa_users {condition}")));
    let page = format!("{}{condition} ORDER BY created_at, guid LIMIT {limit} OFFSET {skip}", select!(""));
    let mut rows = sqlx::query(AssertSqlSafe(page));
    for value in binds {
        count = count.bind(value.clone());
        rows = rows.bind(value);
    }
    let total = count.fetch_one(&mut *db).await?.count("total")?;
    let rows = rows.fetch_all(db).await?;
    Ok((rows.iter().map(UaaUserRow::from_row).collect::<Result<_>>()?, total))
}

/// Sets a password; failed logins are forgotten. False when there is no such user.
///
/// # Errors
/// Those of the database.
pub async fn update_password(db: &mut Connection, guid: UserGuid, hash: &str, now: Timestamp) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE uaa_users SET password_hash = $1, password_changed_at = $2, updated_at = $2, failed_logins = 0 WHERE guid = $3",
    )
    .bind(hash.to_owned())
    .bind(micros(now))
    .bind(guid.to_string())
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Counts a failed login. The count starts at one again when the last failure was before `since`.
///
/// # Errors
/// Those of the database.
pub async fn count_failed_login(db: &mut Connection, guid: UserGuid, since: Timestamp, now: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE uaa_users SET failed_logins = CASE WHEN last_failed_at < $1 THEN 1 ELSE failed_logins + 1 END, last_failed_at = $2 \
         WHERE guid = $3",
    )
    .bind(micros(since))
    .bind(micros(now))
    .bind(guid.to_string())
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets failed logins after a good one.
///
/// # Errors
/// Those of the database.
pub async fn forget_failed_logins(db: &mut Connection, guid: UserGuid) -> Result<()> {
    sqlx::query("UPDATE uaa_users SET failed_logins = 0 WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(())
}

/// Deletes a user with group memberships and refresh tokens. False when there is no such user.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, guid: UserGuid) -> Result<bool> {
    let done = sqlx::query("DELETE FROM uaa_users WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}
