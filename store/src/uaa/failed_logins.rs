//! Failed logins, by name. A name that nobody has is counted like any other, so that being locked tells nothing.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
};
use virga_model::Timestamp;

/// Failures in a row, and the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedLogins {
    /// How many.
    pub failures: u32,
    /// The last one.
    pub last_failed_at: Timestamp,
}

/// The failures of a name.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, origin: &str, username: &str) -> Result<Option<FailedLogins>> {
    let query = sqlx::query("SELECT failures, last_failed_at FROM uaa_failed_logins WHERE origin = $1 AND name_key = $2");
    let row = query.bind(origin.to_owned()).bind(username.to_lowercase()).fetch_optional(db).await?;
    row.map(|row| Ok(FailedLogins { failures: row.count("failures")?, last_failed_at: row.time("last_failed_at")? })).transpose()
}

/// Counts one more. The count starts at one again when the last failure was before `since`; names that failed last before
/// `since` are forgotten.
///
/// # Errors
/// Those of the database.
pub async fn count(db: &mut Connection, origin: &str, username: &str, since: Timestamp, now: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM uaa_failed_logins WHERE last_failed_at < $1").bind(micros(since)).execute(&mut *db).await?;
    sqlx::query(
        "INSERT INTO uaa_failed_logins (origin, name_key, failures, last_failed_at) VALUES ($1, $2, 1, $3) \
         ON CONFLICT (origin, name_key) DO UPDATE SET failures = uaa_failed_logins.failures + 1, last_failed_at = excluded.last_failed_at",
    )
    .bind(origin.to_owned())
    .bind(username.to_lowercase())
    .bind(micros(now))
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets them, after a good login or a new password.
///
/// # Errors
/// Those of the database.
pub async fn forget(db: &mut Connection, origin: &str, username: &str) -> Result<()> {
    sqlx::query("DELETE FROM uaa_failed_logins WHERE origin = $1 AND name_key = $2")
        .bind(origin.to_owned())
        .bind(username.to_lowercase())
        .execute(db)
        .await?;
    Ok(())
}
