//! Revocation: one token by its id, or every token of a user, of a client, of both.

use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
    settings::seconds,
    standing,
    users::user_of,
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
use virga_store::{
    Connection,
    uaa::{
        clients,
        refresh_tokens::{self, RefreshTokenRow},
        revoked_tokens, users,
    },
};

fn revokes_any(claims: &Claims) -> bool {
    claims.scope.iter().any(|scope| scope == "tokens.revoke" || scope == "uaa.admin")
}

/// A refresh token by its name, or by itself.
async fn refresh_token_of(db: &mut Connection, id: &str) -> Result<Option<RefreshTokenRow>> {
    match refresh_tokens::find_by_jti(db, id).await? {
        Some(token) => Ok(Some(token)),
        None => Ok(refresh_tokens::find(db, Sha256Digest::of(id.as_bytes())).await?),
    }
}

/// Revokes the caller's own access token, or a refresh token of the caller's own user; `tokens.revoke` and `uaa.admin` revoke any
/// token. With a refresh token go those it was followed by.
pub(crate) async fn revoke(
    State(uaa): State<Arc<Uaa>>,
    Path(jti): Path<String>,
    Extension(claims): Extension<Claims>,
) -> Result<StatusCode> {
    let missing = || Refusal::new(StatusCode::NOT_FOUND, "not_found", "There is no such token");
    let now = uaa.now();
    let mut transaction = uaa.store.begin().await?;
    if jti == claims.jti {
        let expires_at = Timestamp::from_second(claims.exp).map_err(Refusal::internal)?;
        revoked_tokens::insert(&mut transaction, &jti, expires_at, now).await?;
    } else if let Some(token) = refresh_token_of(&mut transaction, &jti).await? {
        if !revokes_any(&claims) && claims.identity().user != Some(token.user) {
            return Err(missing());
        }
        refresh_tokens::delete_family(&mut transaction, &token).await?;
    } else if revokes_any(&claims) && jti.len() <= 255 {
        // Access tokens are not kept, so that this may be one is all there is to know; it is over by then at the latest.
        let longest = seconds(uaa.settings.max_access_token_seconds);
        revoked_tokens::insert(&mut transaction, &jti, now.checked_add(longest).map_err(Refusal::internal)?, now).await?;
    } else {
        return Err(missing());
    }
    transaction.commit().await?;
    uaa.standing.forget();
    Ok(StatusCode::OK)
}

/// `…/revoke/user/:id`: every token of a user. Users may do it to themselves.
pub(crate) async fn of_user(
    State(uaa): State<Arc<Uaa>>,
    Path(id): Path<String>,
    Extension(claims): Extension<Claims>,
) -> Result<StatusCode> {
    if !revokes_any(&claims) && claims.user_id.as_deref() != Some(id.as_str()) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "insufficient_scope", "Insufficient scope for this resource"));
    }
    let mut transaction = uaa.store.begin().await?;
    let mut user = user_of(&mut transaction, &id).await?;
    user.token_salt = standing::salt();
    users::update(&mut transaction, &mut user, uaa.now()).await?;
    refresh_tokens::delete_of_user(&mut transaction, user.guid).await?;
    transaction.commit().await?;
    uaa.standing.forget();
    Ok(StatusCode::OK)
}

/// `…/revoke/client/:id`: every token of a client.
pub(crate) async fn of_client(State(uaa): State<Arc<Uaa>>, Path(id): Path<String>) -> Result<StatusCode> {
    let mut transaction = uaa.store.begin().await?;
    let client = clients::find(&mut transaction, &id).await?;
    let mut client =
        client.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "not_found", format!("No client with requested id: {id}")))?;
    client.token_salt = standing::salt();
    clients::update(&mut transaction, &client).await?;
    refresh_tokens::delete_of_client(&mut transaction, &id, None).await?;
    transaction.commit().await?;
    uaa.standing.forget();
    Ok(StatusCode::OK)
}

/// `…/revoke/user/:id/client/:client`: every refresh token that a user's client got.
pub(crate) async fn of_user_and_client(
    State(uaa): State<Arc<Uaa>>,
    Path((id, client)): Path<(String, String)>,
    Extension(claims): Extension<Claims>,
) -> Result<StatusCode> {
    if !revokes_any(&claims) && claims.user_id.as_deref() != Some(id.as_str()) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "insufficient_scope", "Insufficient scope for this resource"));
    }
    let mut transaction = uaa.store.begin().await?;
    let user = user_of(&mut transaction, &id).await?;
    refresh_tokens::delete_of_client(&mut transaction, &client, Some(user.guid)).await?;
    transaction.commit().await?;
    Ok(StatusCode::OK)
}
