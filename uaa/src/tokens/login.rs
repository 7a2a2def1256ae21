//! Checks a password, and locks the name out after too many wrong ones. A name that nobody has is treated alike in words, in
//! time and in being locked.

use crate::{
    authority::Uaa,
    passwords::Turn,
    refusal::{Refusal, Result},
    settings::seconds,
};
use virga_model::Timestamp;
use virga_serve::{Secret, axum::http::StatusCode};
use virga_store::uaa::{
    failed_logins::{self, FailedLogins},
    users::{self, UaaUserRow},
};

/// The `cf` CLI knows this sentence.
const LOCKED: &str = "Your account has been locked because of too many failed attempts to login.";
/// Longest name that is looked at, bytes; nobody has a longer one.
const MAX_NAME_BYTES: usize = 255;

/// The user of this name, if the password is right and the account neither locked nor inactive.
pub(crate) async fn log_in(uaa: &Uaa, username: &str, origin: &str, password: &Secret<String>) -> Result<UaaUserRow> {
    if username.len() > MAX_NAME_BYTES || origin.len() > MAX_NAME_BYTES {
        return Err(Refusal::bad_credentials());
    }
    // The turn is held until the outcome is written: guesses sent all at once are counted like guesses sent in a row.
    let turn = uaa.passwords.turn().await?;
    let user = users::find_by_name(&mut *uaa.store.read().await?, username, origin).await?;
    check(uaa, &turn, username, origin, user.as_ref(), password).await?;
    user.filter(|user| user.active).ok_or_else(Refusal::bad_credentials)
}

/// Whether this is the password of the user of this name; counts a wrong one.
pub(crate) async fn check(
    uaa: &Uaa,
    turn: &Turn,
    username: &str,
    origin: &str,
    user: Option<&UaaUserRow>,
    password: &Secret<String>,
) -> Result<()> {
    let failed = failed_logins::find(&mut *uaa.store.read().await?, origin, username).await?;
    if failed.is_some_and(|failed| is_locked(uaa, failed)) {
        tracing::warn!(user.guid = guid_text(user), "login refused: the account is locked");
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", LOCKED));
    }
    let good = turn.verify(password, user.and_then(|user| user.password_hash.as_deref())).await?;
    if good && failed.is_none() {
        return Ok(());
    }
    let mut transaction = uaa.store.begin().await?;
    if good {
        failed_logins::forget(&mut transaction, origin, username).await?;
    } else {
        let now = uaa.now();
        let since = now.checked_sub(seconds(uaa.settings.lockout_window_seconds)).unwrap_or(Timestamp::UNIX_EPOCH);
        failed_logins::count(&mut transaction, origin, username, since, now).await?;
    }
    transaction.commit().await?;
    if good {
        return Ok(());
    }
    tracing::info!(user.guid = guid_text(user), "login refused: wrong name or password");
    Err(Refusal::bad_credentials())
}

fn guid_text(user: Option<&UaaUserRow>) -> String {
    user.map(|user| user.guid.to_string()).unwrap_or_default()
}

fn is_locked(uaa: &Uaa, failed: FailedLogins) -> bool {
    let locked = seconds(uaa.settings.lockout_seconds);
    failed.failures >= uaa.settings.lockout_failures && failed.last_failed_at.checked_add(locked).is_ok_and(|until| uaa.now() < until)
}

/// Whether the user must set a new password before anything else.
pub(crate) fn must_change_password(uaa: &Uaa, user: &UaaUserRow) -> bool {
    let expired = uaa.settings.password.is_expired(user.password_changed_at, uaa.now());
    user.origin == "uaa" && (user.password_change_required || (expired && user.password_hash.is_some()))
}
