//! The JWT bearer grant (RFC 7523): a token of a provider, or one of our own that was given to this client, for a token of ours.

use super::{
    TokenForm,
    grants::{granted_to_user, may_have_tokens, may_use},
    issue::{Granted, TokenResponse, tokens_of_login},
};
use crate::{
    authority::Uaa,
    bootstrap::JWT_BEARER,
    providers::{self, user_of_claims},
    refusal::{Refusal, Result},
    users::user_of,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use virga_model::Timestamp;
use virga_store::uaa::{clients::UaaClientRow, users::UaaUserRow};

fn invalid() -> Refusal {
    Refusal::invalid_token("The assertion is not accepted")
}

/// Who a token says it is of; believed only once the signature was checked.
pub(crate) fn claimed_issuer(token: &str) -> Option<String> {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}

pub(super) async fn jwt_bearer(uaa: &Uaa, client: &UaaClientRow, form: TokenForm) -> Result<TokenResponse> {
    may_use(client, JWT_BEARER)?;
    let assertion = form.assertion.ok_or_else(|| Refusal::invalid_request("Missing assertion"))?;
    let token = assertion.expose().as_str();
    let issuer = claimed_issuer(token).ok_or_else(invalid)?;
    let (user, auth_time) = if issuer == uaa.issuer {
        own_user(uaa, client, token).await?
    } else {
        let provider = uaa.providers.find_by_issuer(&issuer).ok_or_else(invalid)?;
        let claims = provider.verify(token).await?;
        (user_of_claims(uaa, provider, &claims).await?, uaa.now())
    };
    may_have_tokens(uaa, client, &user)?;
    let scopes = granted_to_user(uaa, client, &user, form.scope.as_deref()).await?;
    let granted =
        Granted { client, user: Some(&user), scopes, grant_type: JWT_BEARER, auth_time: Some(auth_time), nonce: None, id_token: true };
    tokens_of_login(uaa, &granted, &user).await
}

/// The user of an id token of ours that was given to this client. An access token will not do: it is shown to others, and would
/// become a refresh token here.
async fn own_user(uaa: &Uaa, client: &UaaClientRow, token: &str) -> Result<(UaaUserRow, Timestamp)> {
    let claims = providers::verify_own(token, &client.client_id, &uaa.issuer, &uaa.keys.public(), &uaa.clock)?;
    if claims.get("client_id").is_some() {
        return Err(invalid());
    }
    let id = claims.get("user_id").and_then(Value::as_str).ok_or_else(invalid)?;
    let user = user_of(&mut *uaa.store.read().await?, id).await.map_err(|_| invalid())?;
    let issued = claims.get("iat").and_then(Value::as_i64).unwrap_or_default();
    if !user.active || user.password_changed_at.as_second() > issued {
        return Err(invalid());
    }
    let auth_time = claims.get("auth_time").and_then(Value::as_i64).and_then(|time| Timestamp::from_second(time).ok());
    Ok((user, auth_time.unwrap_or_else(|| uaa.now())))
}
