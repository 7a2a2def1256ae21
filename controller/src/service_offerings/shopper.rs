//! Whoever looks at the marketplace: with a token what it shows, without one what everybody sees.

use crate::{Access, Error, Result, request::is_enabled};
use http::{StatusCode, header};
use virga_contract::{ApiError, ErrorCode};
use virga_model::UserGuid;
use virga_serve::{Failure, axum::extract::FromRequestParts};
use virga_store::{Connection, select::Visible};

/// A caller, or somebody who has not logged in.
#[derive(Debug, Clone)]
pub struct Shopper(Option<Access>);

impl Shopper {
    /// What is to be seen: without a login the plans that are public, unless the flag hides them.
    ///
    /// # Errors
    /// 401 `NotAuthenticated` while `hide_marketplace_from_unauthenticated_users` is on; those of the database.
    pub(crate) async fn visible(&self, db: &mut Connection) -> Result<Visible> {
        if let Some(access) = &self.0 {
            return Ok(access.visible());
        }
        if is_enabled(db, "hide_marketplace_from_unauthenticated_users").await? {
            return Err(Error::from(ApiError::new(ErrorCode::NotAuthenticated, "Authentication error")));
        }
        // A user who is nobody has no roles, and sees what needs none.
        Ok(Visible::To(UserGuid::from_u128(0)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Shopper {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut http::request::Parts, state: &S) -> Result<Self, Failure> {
        if !parts.headers.contains_key(header::AUTHORIZATION) && parts.extensions.get::<Access>().is_none() {
            return Ok(Self(None));
        }
        match Access::from_request_parts(parts, state).await {
            Ok(access) => Ok(Self(Some(access))),
            // A good token that may read nothing else.
            Err(failure) if failure.error().status() == StatusCode::FORBIDDEN => Ok(Self(None)),
            // A client with a token that has ended gets a new one, and must be told.
            Err(failure) => Err(failure),
        }
    }
}
