//! The UAA's state: store, clock, keys, and the verifier that the whole API server shares.

use crate::{keys::KeyRing, limiter::Limiter, passwords::Passwords, providers::Providers, settings::UaaSettings, standing::StandingCache};
use std::sync::Arc;
use virga_model::Timestamp;
use virga_serve::{
    Clock,
    auth::{KeyError, Verifier},
};
use virga_store::{Store, StoreError, row::cut_to_micros, uaa::keys};

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
    /// The settings contradict themselves, or cannot be used.
    #[error("{0}")]
    Settings(String),
}

/// The UAA.
pub struct Uaa {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: UaaSettings,
    pub(crate) issuer: String,
    pub(crate) keys: KeyRing,
    pub(crate) standing: Arc<StandingCache>,
    pub(crate) passwords: Passwords,
    pub(crate) limiter: Limiter,
    pub(crate) providers: Providers,
    pub(crate) opened_at: Timestamp,
    pub(crate) first_key_at: Timestamp,
    verifier: Arc<Verifier>,
}

impl Uaa {
    /// Loads the signing keys, making the first one where there is none (some hundred milliseconds). `issuer` goes into
    /// every token: [`virga_serve::Endpoints::issuer`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(store: Store, settings: UaaSettings, issuer: String, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        settings.check().map_err(OpenError::Settings)?;
        let ring = KeyRing::open(&store, &*clock).await?;
        let rows = keys::list(&mut *store.read().await?).await?;
        let first_key_at = rows.last().map_or(Timestamp::UNIX_EPOCH, |key| key.created_at);
        let standing = Arc::new(StandingCache::new(store.clone()));
        let verifier = Arc::new(Verifier::new(issuer.clone(), Arc::clone(&clock), Arc::clone(&standing) as Arc<_>));
        verifier.set_keys(&ring.public());
        let passwords = Passwords::new(settings.password_checks, settings.password_queue);
        let limiter = Limiter::new(settings.logins_per_minute, Arc::clone(&clock));
        let providers = Providers::new(&settings.providers, Arc::clone(&clock)).map_err(OpenError::Settings)?;
        let opened_at = clock.now();
        Ok(Arc::new(Self {
            store,
            clock,
            settings,
            issuer,
            keys: ring,
            standing,
            passwords,
            limiter,
            providers,
            opened_at,
            first_key_at,
            verifier,
        }))
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
