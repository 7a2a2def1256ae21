//! `DELETE /oauth/token/revoke/:jti`. The id of an access token is its `jti`; a refresh token is its own id.

use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
};
use std::sync::Arc;
use virga_model::{Sha256Digest, Timestamp};
use virga_serve::{
    auth::Claims,
    axum::{
        Extension,
        extract::{Path, State},
        http::StatusCode,
    },
};
use virga_store::uaa::{refresh_tokens, revoked_tokens};

/// Revokes the caller's own access token, or a refresh token of the caller's own user; `tokens.revoke` and `uaa.admin`
/// revoke any refresh token.
pub(crate) async fn revoke(
    State(uaa): State<Arc<Uaa>>,
    Path(jti): Path<String>,
    Extension(claims): Extension<Claims>,
) -> Result<StatusCode> {
    let refresh_token = Sha256Digest::of(jti.as_bytes());
    let mut transaction = uaa.store.begin().await?;
    let known = if jti == claims.jti {
        let expires_at = Timestamp::from_second(claims.exp).map_err(Refusal::internal)?;
        revoked_tokens::insert(&mut transaction, &jti, expires_at, uaa.now()).await?;
        true
    } else {
        let any = claims.scope.iter().any(|scope| scope == "tokens.revoke" || scope == "uaa.admin");
        match (any, claims.identity().user) {
            (true, _) => refresh_tokens::delete(&mut transaction, refresh_token, None).await?,
            (false, Some(owner)) => refresh_tokens::delete(&mut transaction, refresh_token, Some(owner)).await?,
            (false, None) => false,
        }
    };
    transaction.commit().await?;
    uaa.standing.forget();
    if known { Ok(StatusCode::OK) } else { Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", "There is no such token")) }
}
