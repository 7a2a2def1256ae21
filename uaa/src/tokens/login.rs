//! Checks a password, and locks the account out after too many wrong ones.

use crate::{
    authority::Uaa,
    passwords::Turn,
    refusal::{Refusal, Result},
};
use std::time::Duration;
use virga_serve::{Secret, axum::http::StatusCode};
use virga_store::uaa::users::{self, UaaUserRow};

/// The `cf` CLI knows this sentence.
const LOCKED: &str = "Your account has been locked because of too many failed attempts to login.";

/// The user of this name, if the password is right and the account neither locked nor inactive.
pub(crate) async fn log_in(uaa: &Uaa, username: &str, origin: &str, password: &Secret<String>) -> Result<UaaUserRow> {
    // The turn is held until the outcome is written: guesses sent all at once are counted like guesses sent in a row.
    let turn = uaa.passwords.turn().await?;
    let user = users::find_by_name(&mut *uaa.store.read().await?, username, origin).await?;
    let Some(user) = user else {
        turn.verify(password, None).await?;
        tracing::info!("login refused: there is no such user");
        return Err(Refusal::bad_credentials());
    };
    check(uaa, &turn, &user, password).await?;
    if !user.active {
        return Err(Refusal::bad_credentials());
    }
    Ok(user)
}

/// Whether this is the user's password; counts a wrong one.
pub(crate) async fn check(uaa: &Uaa, turn: &Turn, user: &UaaUserRow, password: &Secret<String>) -> Result<()> {
    if is_locked(uaa, user) {
        tracing::warn!(user.guid = %user.guid, "login refused: the account is locked");
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", LOCKED));
    }
    let good = turn.verify(password, user.password_hash.as_deref()).await?;
    if good && user.failed_logins == 0 {
        return Ok(());
    }
    let mut transaction = uaa.store.begin().await?;
    if good {
        users::forget_failed_logins(&mut transaction, user.guid).await?;
    } else {
        let now = uaa.now();
        let window = Duration::from_secs(uaa.settings.lockout_window_seconds.into());
        let since = now.checked_sub(window).unwrap_or(virga_model::Timestamp::UNIX_EPOCH);
        users::count_failed_login(&mut transaction, user.guid, since, now).await?;
    }
    transaction.commit().await?;
    if good {
        return Ok(());
    }
    tracing::info!(user.guid = %user.guid, "login refused: wrong password");
    Err(Refusal::bad_credentials())
}

fn is_locked(uaa: &Uaa, user: &UaaUserRow) -> bool {
    let locked = Duration::from_secs(uaa.settings.lockout_seconds.into());
    user.failed_logins >= uaa.settings.lockout_failures && user.last_failed_at.checked_add(locked).is_ok_and(|until| uaa.now() < until)
}
