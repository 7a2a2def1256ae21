//! Codes that can be used once, by their digest: authorization codes, passcodes, password resets, logins under way at
//! another provider.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
};
use virga_model::{Sha256Digest, Timestamp, UserGuid};

/// Codes of one kind of one user at most; the oldest go.
const MAX_PER_USER_AND_KIND: i64 = 20;
/// Codes of nobody yet (logins under way) at most; the oldest go.
const MAX_OF_NOBODY: i64 = 10_000;

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To be exchanged for tokens.
    Authorization,
    /// To be typed in place of name and password.
    Passcode,
    /// To set a new password.
    PasswordReset,
    /// The `state` of a login at another provider.
    ProviderLogin,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Passcode => "passcode",
            Self::PasswordReset => "password_reset",
            Self::ProviderLogin => "provider_login",
        }
    }
}

/// One code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRow {
    /// SHA-256 of the code.
    pub code_hash: Sha256Digest,
    /// What it is for.
    pub kind: Kind,
    /// When it was made.
    pub created_at: Timestamp,
    /// Void from this moment.
    pub expires_at: Timestamp,
    /// Whose it is.
    pub user: Option<UserGuid>,
    /// What its maker wants back, as JSON.
    pub data: String,
}

/// Writes a new code, and takes away expired ones and the oldest above the limits.
///
/// # Errors
/// [`crate::StoreError::Reference`] when there is no such user; those of the database.
pub async fn insert(db: &mut Connection, code: &CodeRow) -> Result<()> {
    sqlx::query("DELETE FROM uaa_codes WHERE expires_at <= $1").bind(micros(code.created_at)).execute(&mut *db).await?;
    let kind = code.kind.as_str();
    let old = match code.user {
        Some(user) => sqlx::query(
            "DELETE FROM uaa_codes WHERE user_guid = $1 AND kind = $2 AND created_at <= \
             (SELECT created_at FROM uaa_codes WHERE user_guid = $1 AND kind = $2 ORDER BY created_at DESC LIMIT 1 OFFSET $3)",
        )
        .bind(user.to_string())
        .bind(kind)
        .bind(MAX_PER_USER_AND_KIND - 1),
        None => sqlx::query(
            "DELETE FROM uaa_codes WHERE user_guid IS NULL AND kind = $1 AND created_at <= \
             (SELECT created_at FROM uaa_codes WHERE user_guid IS NULL AND kind = $1 ORDER BY created_at DESC LIMIT 1 OFFSET $2)",
        )
        .bind(kind)
        .bind(MAX_OF_NOBODY - 1),
    };
    old.execute(&mut *db).await?;
    sqlx::query("INSERT INTO uaa_codes (code_hash, kind, created_at, expires_at, user_guid, data) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(code.code_hash.to_string())
        .bind(kind)
        .bind(micros(code.created_at))
        .bind(micros(code.expires_at))
        .bind(code.user.map(|user| user.to_string()))
        .bind(code.data.clone())
        .execute(db)
        .await?;
    Ok(())
}

/// The code, which can never be used again: of several that try at once, one gets it. `None` when there is none of this
/// kind that is still in its time.
///
/// # Errors
/// Those of the database.
pub async fn take(db: &mut Connection, kind: Kind, code_hash: Sha256Digest, now: Timestamp) -> Result<Option<CodeRow>> {
    let found = find(db, kind, code_hash, now).await?;
    if found.is_none() {
        return Ok(None);
    }
    let done = sqlx::query("DELETE FROM uaa_codes WHERE code_hash = $1").bind(code_hash.to_string()).execute(db).await?;
    Ok(found.filter(|_| done.rows_affected() > 0))
}

/// As [`take`], but the code stays.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, kind: Kind, code_hash: Sha256Digest, now: Timestamp) -> Result<Option<CodeRow>> {
    let query =
        sqlx::query("SELECT created_at, expires_at, user_guid, data FROM uaa_codes WHERE code_hash = $1 AND kind = $2 AND expires_at > $3");
    let row = query.bind(code_hash.to_string()).bind(kind.as_str()).bind(micros(now)).fetch_optional(db).await?;
    let code = |row: sqlx::any::AnyRow| {
        Ok(CodeRow {
            code_hash,
            kind,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            user: row.opt_parsed("user_guid")?,
            data: row.text("data")?,
        })
    };
    row.map(code).transpose()
}

/// Deletes the codes of a user, all kinds.
///
/// # Errors
/// Those of the database.
pub async fn delete_of_user(db: &mut Connection, user: UserGuid) -> Result<()> {
    sqlx::query("DELETE FROM uaa_codes WHERE user_guid = $1").bind(user.to_string()).execute(db).await?;
    Ok(())
}
