//! The UAA's state: store, clock, keys, and the verifier that the whole API server shares.

use crate::{passwords::Passwords, standing::StandingCache};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use virga_model::Timestamp;
use virga_serve::{
    Clock,
    auth::{KeyError, PublicKey, SigningKey, Verifier},
};
use virga_store::{
    Store, StoreError,
    row::cut_to_micros,
    uaa::keys::{self, UaaKeyRow},
};

/// Settings of the UAA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UaaSettings {
    /// Failed logins in a row that lock an account.
    pub lockout_failures: u32,
    /// How long it stays locked after the last of them, seconds.
    pub lockout_seconds: u32,
    /// A failure this long after the one before begins a new count, seconds.
    pub lockout_window_seconds: u32,
    /// Passwords checked at the same time; each takes a core and 19 MiB.
    pub password_checks: usize,
    /// Further password checks that may wait; more are answered 429.
    pub password_queue: usize,
}

impl Default for UaaSettings {
    /// The lockout is the UAA's own default policy: 5 failures, 5 minutes, counted within an hour.
    fn default() -> Self {
        Self { lockout_failures: 5, lockout_seconds: 300, lockout_window_seconds: 3_600, password_checks: 2, password_queue: 64 }
    }
}

/// The UAA could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database failed.
    #[error("the UAA's rows cannot be read or written")]
    Store(#[from] StoreError),
    /// A signing key cannot be made or used.
    #[error("the UAA has no usable signing key")]
    Key(#[from] KeyError),
    /// A password could not be hashed.
    #[error("a password cannot be hashed: {0}")]
    Hash(String),
}

/// The UAA.
pub struct Uaa {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: UaaSettings,
    pub(crate) issuer: String,
    pub(crate) signer: SigningKey,
    pub(crate) public_keys: Vec<PublicKey>,
    pub(crate) standing: Arc<StandingCache>,
    pub(crate) passwords: Passwords,
    pub(crate) opened_at: Timestamp,
    verifier: Arc<Verifier>,
}

impl Uaa {
    /// Loads the signing keys, making the first one where there is none (some hundred milliseconds). `issuer` goes into
    /// every token: [`virga_serve::Endpoints::issuer`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(store: Store, settings: UaaSettings, issuer: String, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let signers = signing_keys(&store, &*clock).await?;
        let public_keys: Vec<_> = signers.iter().map(|key| key.public().clone()).collect();
        let signer = signers.into_iter().next();
        let signer = signer.ok_or_else(|| KeyError::Unusable { kid: String::new(), reason: "there is none".to_owned() })?;
        let standing = Arc::new(StandingCache::new(store.clone()));
        let verifier = Arc::new(Verifier::new(issuer.clone(), Arc::clone(&clock), Arc::clone(&standing) as Arc<_>));
        verifier.set_keys(&public_keys);
        let passwords = Passwords::new(settings.password_checks, settings.password_queue);
        let opened_at = clock.now();
        Ok(Arc::new(Self { store, clock, settings, issuer, signer, public_keys, standing, passwords, opened_at, verifier }))
    }

    /// What checks tokens; for [`virga_serve::server::ApiContext`].
    #[must_use]
    pub fn verifier(&self) -> Arc<Verifier> {
        Arc::clone(&self.verifier)
    }

    /// Now, as the database keeps it.
    pub(crate) fn now(&self) -> Timestamp {
        cut_to_micros(self.clock.now())
    }
}

/// Every key, the signing one first.
async fn signing_keys(store: &Store, clock: &dyn Clock) -> Result<Vec<SigningKey>, OpenError> {
    let mut rows = keys::list(&mut *store.read().await?).await?;
    if rows.is_empty() {
        let made = tokio::task::spawn_blocking(|| SigningKey::generate("key-1")).await;
        let made = made.map_err(|error| KeyError::Unusable { kid: "key-1".to_owned(), reason: error.to_string() })??;
        let row =
            UaaKeyRow { kid: "key-1".to_owned(), created_at: cut_to_micros(clock.now()), private_key_pem: made.pem().expose().clone() };
        let mut transaction = store.begin().await?;
        keys::insert(&mut transaction, &row).await?;
        // Of several that start at once, the first one's key is everybody's.
        rows = keys::list(&mut transaction).await?;
        transaction.commit().await?;
    }
    Ok(rows.iter().map(|row| SigningKey::from_pem(&row.kid, &row.private_key_pem)).collect::<Result<_, _>>()?)
}
