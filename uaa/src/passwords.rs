//! Hashing of passwords and client secrets with argon2id, on threads of its own and only so many at a time.

use crate::refusal::{Refusal, Result};
use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use virga_serve::Secret;

/// Longest password or secret, bytes.
pub(crate) const MAX_PASSWORD_BYTES: usize = 255;

/// Checked for a user or client that does not exist, so that this takes as long as for one that does. Its parameters are
/// the defaults of [`Argon2`], as in every hash made here; no password is known to fit it.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$dmlyZ2EgZGVjb3kgc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Bounds the work on passwords.
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// The right to hash; what is read and written about failed logins while it is held is read and written by few.
pub(crate) struct Turn {
    _running: OwnedSemaphorePermit,
    _waiting: OwnedSemaphorePermit,
}

impl Passwords {
    pub(crate) fn new(running: usize, waiting: usize) -> Self {
        let running = running.max(1);
        Self { running: Arc::new(Semaphore::new(running)), waiting: Arc::new(Semaphore::new(waiting.saturating_add(running))) }
    }

    /// Whether `password` is the one of `hash`, without a turn; for no hash it takes as long and is false.
    pub(crate) async fn fits(password: &Secret<String>, hash: Option<&str>) -> Result<bool, String> {
        let known = hash.is_some();
        let hash = hash.unwrap_or(DECOY).to_owned();
        let password = password.clone();
        let verify = move || {
            let hash = PasswordHash::new(&hash).map_err(|error| error.to_string())?;
            Ok::<_, String>(Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok())
        };
        let fits = tokio::task::spawn_blocking(verify).await.map_err(|error| error.to_string())??;
        Ok(known && fits)
    }

    /// Waits for a turn; 429 when too many wait already.
    pub(crate) async fn turn(&self) -> Result<Turn> {
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| Refusal::too_busy())?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(Refusal::internal)?;
        Ok(Turn { _running: running, _waiting: waiting })
    }
}

impl Turn {
    /// Whether `password` is the one of `hash`; for no hash it takes as long and is false.
    pub(crate) async fn verify(&self, password: &Secret<String>, hash: Option<&str>) -> Result<bool> {
        Passwords::fits(password, hash).await.map_err(Refusal::internal)
    }

    /// Whether it is the one of any of these; takes as long for none as for one.
    pub(crate) async fn verify_any(&self, password: &Secret<String>, hashes: &[Option<&str>]) -> Result<bool> {
        let mut good = false;
        let (first, others) = hashes.split_first().unwrap_or((&None, &[]));
        good |= self.verify(password, *first).await?;
        for hash in others.iter().flatten() {
            good |= self.verify(password, Some(hash)).await?;
        }
        Ok(good)
    }

    /// The hash of a password, to be stored.
    pub(crate) async fn hash(&self, password: &Secret<String>) -> Result<String> {
        hash(password).await.map_err(Refusal::internal)
    }
}

/// The hash of a password, to be stored (PHC string).
pub(crate) async fn hash(password: &Secret<String>) -> Result<String, String> {
    let password = password.clone();
    let hash = move || {
        let hash = Argon2::default().hash_password(password.expose().as_bytes());
        hash.map(|hash: PasswordHash| hash.to_string()).map_err(|error| error.to_string())
    };
    tokio::task::spawn_blocking(hash).await.map_err(|error| error.to_string())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_fits_its_password_only_and_the_decoy_fits_none() {
        let passwords = Passwords::new(1, 0);
        let turn = passwords.turn().await.unwrap();
        let secret = |text: &str| Secret::new(text.to_owned());
        let stored = turn.hash(&secret("right")).await.unwrap();
        assert!(
            stored.starts_with(DECOY.split_inclusive('$').take(4).collect::<String>().as_str()),
            "the decoy costs what a hash costs: {stored}"
        );
        assert!(turn.verify(&secret("right"), Some(&stored)).await.unwrap());
        assert!(!turn.verify(&secret("wrong"), Some(&stored)).await.unwrap());
        assert!(!turn.verify(&secret("right"), None).await.unwrap());
        assert!(passwords.turn().await.is_err(), "no place to wait");
    }
}
