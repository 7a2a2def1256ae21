//! Makes an access token and the answer that carries it.

use crate::{authority::Uaa, refusal::Result, standing::rev_sig};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use std::collections::BTreeSet;
use virga_model::Timestamp;
use virga_serve::auth::Claims;
use virga_store::uaa::{clients::UaaClientRow, users::UaaUserRow};

/// What an access token is made of.
pub(super) struct AccessToken<'a> {
    pub client: &'a UaaClientRow,
    pub user: Option<&'a UaaUserRow>,
    pub scopes: Vec<String>,
    pub grant_type: &'a str,
    pub auth_time: Option<Timestamp>,
}

/// The answer of `/oauth/token`.
#[derive(Serialize)]
pub(crate) struct TokenResponse {
    access_token: String,
    /// Lower case: the `cf` CLI strips exactly `bearer `.
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    expires_in: u32,
    scope: String,
    jti: String,
}

pub(super) fn issue(uaa: &Uaa, token: &AccessToken<'_>, refresh_token: Option<String>) -> Result<TokenResponse> {
    let claims = claims(uaa, token);
    Ok(TokenResponse {
        access_token: uaa.signer.sign(&claims)?,
        token_type: "bearer",
        refresh_token,
        // One second less than the token lives, as the UAA says it.
        expires_in: token.client.access_token_seconds.saturating_sub(1),
        scope: claims.scope.join(" "),
        jti: claims.jti,
    })
}

fn claims(uaa: &Uaa, token: &AccessToken<'_>) -> Claims {
    let (client, user) = (token.client, token.user);
    let client_id = || client.client_id.clone();
    let password_hash = user.and_then(|user| user.password_hash.as_deref());
    let now = uaa.now().as_second();
    let guid = user.map(|user| user.guid.to_string());
    Claims {
        jti: BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()),
        sub: guid.clone().unwrap_or_else(client_id),
        authorities: user.is_none().then(|| client.authorities.clone()),
        scope: token.scopes.clone(),
        client_id: client_id(),
        cid: client_id(),
        azp: client_id(),
        grant_type: token.grant_type.to_owned(),
        user_id: guid,
        origin: user.map(|user| user.origin.clone()),
        user_name: user.map(|user| user.username.clone()),
        email: user.map(|user| user.email.clone()),
        auth_time: token.auth_time.map(Timestamp::as_second),
        rev_sig: rev_sig(password_hash, client.secret_hash.as_deref()),
        iat: now,
        exp: now.saturating_add(client.access_token_seconds.into()),
        iss: uaa.issuer.clone(),
        zid: "uaa".to_owned(),
        aud: audience(&token.scopes, &client.client_id),
    }
}

/// The first parts of the scopes (`cloud_controller` of `cloud_controller.read`), and the client.
fn audience(scopes: &[String], client_id: &str) -> Vec<String> {
    let parts = scopes.iter().map(|scope| scope.rsplit_once('.').map_or(scope.as_str(), |(resource, _)| resource));
    parts.chain([client_id]).map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}
