//! Whether an access token that is in its time still stands: not revoked, its user active, password and secret unchanged.

use moka::sync::Cache;
use std::time::Duration;
use virga_contract::ApiError;
use virga_model::Sha256Digest;
use virga_serve::auth::{Claims, Standing};
use virga_store::{
    Connection, Store, StoreError,
    uaa::{clients, revoked_tokens, users},
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

/// Changes with the user's password and the client's secret; shown in a token, it gives neither away.
pub(crate) fn rev_sig(password_hash: Option<&str>, secret_hash: Option<&str>) -> String {
    let text = format!("{}\n{}", password_hash.unwrap_or_default(), secret_hash.unwrap_or_default());
    Sha256Digest::of(text.as_bytes()).to_string().chars().take(16).collect()
}

async fn ask(db: &mut Connection, claims: &Claims) -> Result<bool, StoreError> {
    if revoked_tokens::contains(db, &claims.jti).await? {
        return Ok(false);
    }
    let Some(client) = clients::find(db, &claims.client_id).await? else {
        return Ok(false);
    };
    let password_hash = match claims.user_id.as_deref().map(str::parse) {
        None => None,
        Some(Err(_)) => return Ok(false),
        Some(Ok(guid)) => match users::find(db, guid).await? {
            Some(user) if user.active => user.password_hash,
            _ => return Ok(false),
        },
    };
    Ok(claims.rev_sig == rev_sig(password_hash.as_deref(), client.secret_hash.as_deref()))
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
