//! Checks access tokens: signature by a known key, issuer, expiry, and whether the token still stands.

use crate::{
    auth::{Claims, PublicKey},
    clock::Clock,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};
use virga_contract::{ApiError, ErrorCode};

/// Longest token that is looked at, bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not ours, tampered with, or not a token at all.
    #[error("the token is invalid: {0}")]
    Invalid(String),
    /// Ours, but its time is over.
    #[error("the token expired")]
    Expired,
    /// Ours and in time, but revoked, or its user's password was changed since.
    #[error("the token was revoked")]
    Revoked,
    /// Whether it still stands could not be found out.
    #[error("the standing of the token is unknown")]
    Unknown(#[source] ApiError),
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Unknown(error) => error,
            error => Self::new(ErrorCode::InvalidAuthToken, "Invalid Auth Token").with_context(error),
        }
    }
}

/// Whether a token that is otherwise good still stands; answered by the UAA.
#[async_trait::async_trait]
pub trait Standing: Send + Sync + 'static {
    /// False once the token, its user or its client was revoked or changed.
    async fn stands(&self, claims: &Claims) -> Result<bool, ApiError>;
}

/// Verifies access tokens.
pub struct Verifier {
    keys: RwLock<HashMap<String, DecodingKey>>,
    issuer: String,
    clock: Arc<dyn Clock>,
    standing: Arc<dyn Standing>,
}

impl Verifier {
    /// A verifier that knows no key yet and therefore refuses every token.
    #[must_use]
    pub fn new(issuer: String, clock: Arc<dyn Clock>, standing: Arc<dyn Standing>) -> Self {
        Self { keys: RwLock::default(), issuer, clock, standing }
    }

    /// From now on exactly these keys are good. A key that cannot be read is left out and logged.
    pub fn set_keys<'a>(&self, keys: impl IntoIterator<Item = &'a PublicKey>) {
        let mut known = HashMap::new();
        for key in keys {
            match DecodingKey::from_rsa_components(&key.n, &key.e) {
                Ok(decoding) => drop(known.insert(key.kid.clone(), decoding)),
                Err(error) => tracing::error!(key.id = key.kid, %error, "a token key cannot be read"),
            }
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// The claims of a token with a good signature of a known key and in its time. Does not ask whether it still stands.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] and [`TokenError::Expired`].
    pub fn claims(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid("it is too long".to_owned()));
        }
        let invalid = |error: jsonwebtoken::errors::Error| TokenError::Invalid(error.to_string());
        let header = jsonwebtoken::decode_header(token).map_err(invalid)?;
        let kid = header.kid.ok_or_else(|| TokenError::Invalid("it names no key".to_owned()))?;
        let key = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&kid).cloned();
        let key = key.ok_or_else(|| TokenError::Invalid("it names an unknown key".to_owned()))?;
        // Only RS256, whatever the header says: `none` and HMAC with the public key as secret are refused by this list.
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss"]);
        validation.validate_aud = false;
        // Expiry is checked below, against the clock that was passed in.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(invalid)?.claims;
        if claims.exp <= self.clock.now().as_second() {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    /// The claims of a token that is good in every respect.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let claims = self.claims(token)?;
        match self.standing.stands(&claims).await {
            Ok(true) => Ok(claims),
            Ok(false) => Err(TokenError::Revoked),
            Err(error) => Err(TokenError::Unknown(error)),
        }
    }
}
