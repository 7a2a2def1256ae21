//! Whether an access token that is in its time still stands: not revoked, its user active, password and secret unchanged.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use moka::sync::Cache;
use std::time::Duration;
use virga_contract::ApiError;
use virga_model::Sha256Digest;
use virga_serve::auth::{Claims, Standing};
use virga_store::{
    Connection, Store, StoreError,
    uaa::{
        clients::{self, UaaClientRow},
        revoked_tokens,
        users::{self, UaaUserRow},
    },
};

/// How long an answer is kept. Changes made by this process show at once, those of another control process after this.
const KEPT: Duration = Duration::from_secs(5);
const MAX_KEPT: u64 = 50_000;

/// Answers of the database, kept for a moment, so that not every request of the API asks it.
pub(crate) struct StandingCache {
    store: Store,
    answers: Cache<String, bool>,
}

impl StandingCache {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, answers: Cache::builder().max_capacity(MAX_KEPT).time_to_live(KEPT).build() }
    }

    /// To be called after every change that may void a token.
    pub(crate) fn forget(&self) {
        self.answers.invalidate_all();
    }
}

/// A new value for a client's `token_salt`.
pub(crate) fn salt() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 9]>())
}

/// Changes with the user's password, where the client's secret is replaced, and where all tokens of either are revoked; shown in
/// a token, it gives nothing away.
pub(crate) fn rev_sig(user: Option<&UaaUserRow>, client: &UaaClientRow) -> String {
    let password_hash = user.and_then(|user| user.password_hash.as_deref()).unwrap_or_default();
    let user_salt = user.map(|user| user.token_salt.as_str()).unwrap_or_default();
    let text = format!("{password_hash}\n{user_salt}\n{}", client.token_salt);
    Sha256Digest::of(text.as_bytes()).to_string().chars().take(16).collect()
}

async fn ask(db: &mut Connection, claims: &Claims) -> Result<bool, StoreError> {
    if revoked_tokens::contains(db, &claims.jti).await? {
        return Ok(false);
    }
    let Some(client) = clients::find(db, &claims.client_id).await? else {
        return Ok(false);
    };
    let user = match claims.user_id.as_deref().map(str::parse) {
        None => None,
        Some(Err(_)) => return Ok(false),
        Some(Ok(guid)) => match users::find(db, guid).await? {
            Some(user) if user.active => Some(user),
            _ => return Ok(false),
        },
    };
    Ok(claims.rev_sig == rev_sig(user.as_ref(), &client))
}

#[async_trait::async_trait]
impl Standing for StandingCache {
    async fn stands(&self, claims: &Claims) -> Result<bool, ApiError> {
        if let Some(stands) = self.answers.get(&claims.jti) {
            return Ok(stands);
        }
        let answer = async { ask(&mut *self.store.read().await?, claims).await };
        let stands = answer.await.map_err(ApiError::internal)?;
        self.answers.insert(claims.jti.clone(), stands);
        Ok(stands)
    }
}
