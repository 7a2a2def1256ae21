//! Extractors for the caller of a request.

use crate::{
    auth::{Claims, Verifier},
    errors::Failure,
};
use axum::extract::FromRequestParts;
use http::{HeaderMap, header, request::Parts};
use std::{ops::Deref, sync::Arc};
use virga_contract::{ApiError, ErrorCode, identity::Identity};

/// Scopes that read everything in the Cloud Controller.
const READ_SCOPES: &[&str] =
    &["cloud_controller.read", "cloud_controller.admin", "cloud_controller.admin_read_only", "cloud_controller.global_auditor"];
const WRITE_SCOPES: &[&str] = &["cloud_controller.write", "cloud_controller.admin"];

/// A caller with a good token. No token is 401 `NotAuthenticated`, a bad or expired one 401 `InvalidAuthToken`, on which
/// clients get themselves a new one.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is.
    pub identity: Identity,
    /// Everything the token says.
    pub claims: Claims,
}

impl Deref for Caller {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

impl Caller {
    /// A caller without a user and without a scope.
    #[must_use]
    pub fn nobody() -> Self {
        let claims = Claims::default();
        Self { identity: claims.identity(), claims }
    }

    /// Passes when the token carries one of these scopes.
    ///
    /// # Errors
    /// 403 `InsufficientScope`.
    pub fn require_any_scope(&self, scopes: &[&str]) -> Result<(), ApiError> {
        if scopes.iter().any(|scope| self.identity.has_scope(scope)) {
            return Ok(());
        }
        Err(ApiError::new(ErrorCode::InsufficientScope, "Your token lacks the necessary scopes to access this resource."))
    }

    /// Passes when the token may read in the Cloud Controller.
    ///
    /// # Errors
    /// 403 `InsufficientScope`.
    pub fn require_read(&self) -> Result<(), ApiError> {
        self.require_any_scope(READ_SCOPES)
    }

    /// Passes when the token may change something in the Cloud Controller.
    ///
    /// # Errors
    /// 403 `InsufficientScope`.
    pub fn require_write(&self) -> Result<(), ApiError> {
        self.require_any_scope(WRITE_SCOPES)
    }

    /// Passes for an administrator.
    ///
    /// # Errors
    /// 403 `NotAuthorized`.
    pub fn require_admin(&self) -> Result<(), ApiError> {
        if self.identity.is_admin() { Ok(()) } else { Err(ApiError::not_authorized()) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let verifier = parts.extensions.get::<Arc<Verifier>>().cloned();
        let verifier = verifier.ok_or_else(|| ApiError::internal("this server checks no tokens"))?;
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Err(ApiError::new(ErrorCode::NotAuthenticated, "Authentication error").into());
        }
        let token = bearer_token(&parts.headers).ok_or_else(|| ApiError::new(ErrorCode::InvalidAuthToken, "Invalid Auth Token"))?;
        let claims = verifier.verify(token).await.map_err(ApiError::from)?;
        Ok(Self { identity: claims.identity(), claims })
    }
}

/// A caller if there is a good token; without a token, or with a bad one, nobody.
#[derive(Debug, Clone)]
pub struct MaybeCaller(pub Option<Caller>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeCaller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(Caller::from_request_parts(parts, state).await.ok()))
    }
}

/// The token of `Authorization: bearer …`; the scheme in any case, as clients differ.
#[must_use]
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
