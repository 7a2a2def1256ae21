//! The keys that sign tokens: several, of which one signs. A new one is published before it signs and an old one verifies
//! until every token it signed is over, so that a rotation fails no request.

use crate::{
    authority::{OpenError, Uaa},
    refusal::{Refusal, Result},
    settings::seconds,
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use virga_model::Timestamp;
use virga_serve::{
    Clock,
    auth::{KeyError, PublicKey, SigningKey},
    axum::{
        Json,
        extract::{Path, State},
        http::StatusCode,
    },
};
use virga_store::{
    Store,
    row::cut_to_micros,
    uaa::keys::{self, UaaKeyRow},
};

/// How often keys are read anew; half of the shortest time a key is published before it signs.
pub(crate) const RELOAD: Duration = Duration::from_secs(15);
/// Keys at once; a rotation beyond is refused.
const MAX_KEYS: usize = 20;

struct Key {
    signs_from: Timestamp,
    signer: SigningKey,
}

/// Every key this process knows, the one that signs last first.
pub(crate) struct KeyRing {
    keys: RwLock<Arc<Vec<Key>>>,
}

impl KeyRing {
    /// Reads every key, and makes the first one where there is none (some hundred milliseconds).
    pub(crate) async fn open(store: &Store, clock: &dyn Clock) -> Result<Self, OpenError> {
        let mut rows = keys::list(&mut *store.read().await?).await?;
        if rows.is_empty() {
            let first = make("key-1".to_owned(), cut_to_micros(clock.now()), Timestamp::UNIX_EPOCH).await?;
            let mut transaction = store.begin().await?;
            keys::insert(&mut transaction, &first).await?;
            // Of several that start at once, the first one's key is everybody's.
            rows = keys::list(&mut transaction).await?;
            transaction.commit().await?;
        }
        Ok(Self { keys: RwLock::new(Arc::new(read(&rows)?)) })
    }

    fn known(&self) -> Arc<Vec<Key>> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that signs now.
    pub(crate) fn signer(&self, now: Timestamp) -> Result<SigningKey, KeyError> {
        let known = self.known();
        let signer = known.iter().find(|key| key.signs_from <= now).or(known.last());
        signer.map(|key| key.signer.clone()).ok_or_else(|| KeyError::Unusable { kid: String::new(), reason: "there is none".to_owned() })
    }

    /// What everybody may know of them.
    pub(crate) fn public(&self) -> Vec<PublicKey> {
        self.known().iter().map(|key| key.signer.public().clone()).collect()
    }
}

fn read(rows: &[UaaKeyRow]) -> Result<Vec<Key>, KeyError> {
    let key = |row: &UaaKeyRow| Ok(Key { signs_from: row.signs_from, signer: SigningKey::from_pem(&row.kid, &row.private_key_pem)? });
    rows.iter().map(key).collect()
}

async fn make(kid: String, now: Timestamp, signs_from: Timestamp) -> Result<UaaKeyRow, KeyError> {
    let name = kid.clone();
    let made = tokio::task::spawn_blocking(move || SigningKey::generate(&name)).await;
    let made = made.map_err(|error| KeyError::Unusable { kid: kid.clone(), reason: error.to_string() })??;
    Ok(UaaKeyRow { kid, created_at: now, signs_from, private_key_pem: made.pem().expose().clone() })
}

impl Uaa {
    /// Reads the keys anew, so that one made by another process verifies here.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn reload_keys(&self) -> Result<(), OpenError> {
        let rows = keys::list(&mut *self.store.read().await?).await?;
        let known = read(&rows)?;
        if !known.is_empty() {
            *self.keys.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
            self.verifier().set_keys(&self.keys.public());
        }
        Ok(())
    }

    /// Makes a key that signs after the overlap, and takes away those whose every token is over.
    ///
    /// # Errors
    /// See [`OpenError`]. A rotation while there are too many keys gives `None`.
    pub async fn rotate_keys(&self) -> Result<Option<String>, OpenError> {
        let now = self.now();
        let signs_from = now.checked_add(seconds(self.settings.key_overlap_seconds)).unwrap_or(now);
        let fresh = make(format!("key-{}", now.as_microsecond()), now, signs_from).await?;
        let mut transaction = self.store.begin().await?;
        let rows = keys::list(&mut transaction).await?;
        for old in self.outlived(&rows, now) {
            keys::delete(&mut transaction, &old).await?;
            tracing::info!(key.id = old, "a signing key is no longer needed");
        }
        let kept = keys::list(&mut transaction).await?.len();
        let made = kept < MAX_KEYS && keys::insert(&mut transaction, &fresh).await?;
        transaction.commit().await?;
        self.reload_keys().await?;
        tracing::info!(key.id = fresh.kid, made, "signing keys rotated");
        Ok(made.then_some(fresh.kid))
    }

    /// Keys that stopped signing longer ago than a token can live.
    fn outlived(&self, rows: &[UaaKeyRow], now: Timestamp) -> Vec<String> {
        let life = seconds(self.settings.max_access_token_seconds);
        let pairs = rows.iter().zip(rows.iter().skip(1));
        let outlived = pairs.filter(|(next, _)| next.signs_from.checked_add(life).is_ok_and(|over| over <= now));
        outlived.map(|(_, old)| old.kid.clone()).collect()
    }

    /// Whether the newest key has signed for as long as the settings let it.
    fn rotation_is_due(&self) -> bool {
        let days = self.settings.key_rotation_days;
        let newest = self.keys.known().first().map(|key| (key.signs_from, key.signer.public().kid.clone()));
        let now = self.now();
        newest.is_some_and(|(signs_from, kid)| {
            // The first key signs from the epoch on; its age is the installation's.
            let since = if kid == "key-1" { self.first_key_at } else { signs_from };
            days > 0 && now.as_second().saturating_sub(since.as_second()) >= i64::from(days).saturating_mul(86_400)
        })
    }

    /// Reads the keys anew and, where the settings say so and it is time, rotates them.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn tend_keys(&self) -> Result<(), OpenError> {
        self.reload_keys().await?;
        if self.rotation_is_due() {
            self.rotate_keys().await?;
        }
        Ok(())
    }

    /// Keeps this process's keys those of the database and, where the settings say so, rotates them; ends with `stop`.
    pub async fn keep_keys(self: Arc<Self>, stop: impl Future<Output = ()> + Send) {
        let work = async {
            loop {
                tokio::time::sleep(RELOAD).await;
                if let Err(error) = self.tend_keys().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the signing keys could not be read anew");
                }
            }
        };
        tokio::select! {
            () = stop => {}
            () = work => {}
        }
    }
}

/// `GET /token_keys`
pub(crate) async fn list(State(uaa): State<Arc<Uaa>>) -> Json<Value> {
    Json(json!({"keys": uaa.keys.public()}))
}

/// `GET /token_key`: the one that signs now.
pub(crate) async fn show(State(uaa): State<Arc<Uaa>>) -> Result<Json<PublicKey>> {
    Ok(Json(uaa.keys.signer(uaa.now())?.public().clone()))
}

/// `POST /token_keys`: a new key, which signs after the overlap.
pub(crate) async fn rotate(State(uaa): State<Arc<Uaa>>) -> Result<(StatusCode, Json<Value>)> {
    let made = uaa.rotate_keys().await.map_err(Refusal::internal)?;
    let kid = made.ok_or_else(|| {
        Refusal::new(
            StatusCode::CONFLICT,
            "too_many_keys",
            format!("There are {MAX_KEYS} keys already; delete one that is no longer needed"),
        )
    })?;
    Ok((StatusCode::CREATED, Json(json!({"kid": kid, "signs_in_seconds": uaa.settings.key_overlap_seconds}))))
}

/// `DELETE /token_keys/:kid`: what the key signed is void at once. The one that signs stays.
pub(crate) async fn delete(State(uaa): State<Arc<Uaa>>, Path(kid): Path<String>) -> Result<StatusCode> {
    if uaa.keys.signer(uaa.now())?.public().kid == kid {
        return Err(Refusal::new(StatusCode::CONFLICT, "key_in_use", "This key signs tokens; rotate first"));
    }
    let mut transaction = uaa.store.begin().await?;
    let known = keys::delete(&mut transaction, &kid).await?;
    transaction.commit().await?;
    uaa.reload_keys().await.map_err(Refusal::internal)?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", "There is no such key")) }
}
