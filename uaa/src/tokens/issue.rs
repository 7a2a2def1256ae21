//! Makes tokens, and the answer that carries them.

use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
    settings::seconds,
    standing::rev_sig,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use virga_model::{Sha256Digest, Timestamp};
use virga_serve::auth::Claims;
use virga_store::{
    Connection,
    uaa::{
        clients::UaaClientRow,
        refresh_tokens::{self, RefreshTokenRow},
        users::{self, UaaUserRow},
    },
};

/// What was granted.
pub(crate) struct Granted<'a> {
    pub(crate) client: &'a UaaClientRow,
    pub(crate) user: Option<&'a UaaUserRow>,
    pub(crate) scopes: Vec<String>,
    pub(crate) grant_type: &'a str,
    /// When the user logged in.
    pub(crate) auth_time: Option<Timestamp>,
    /// What an id token must say again.
    pub(crate) nonce: Option<String>,
    /// Whether an id token was asked for.
    pub(crate) id_token: bool,
}

/// The answer of `/oauth/token`.
#[derive(Serialize)]
pub(crate) struct TokenResponse {
    access_token: String,
    /// Lower case: the `cf` CLI strips exactly `bearer `.
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    expires_in: u32,
    scope: String,
    jti: String,
}

/// An access token as it is signed.
#[derive(Serialize)]
struct AccessToken<'a> {
    #[serde(flatten)]
    claims: &'a Claims,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    revocable: bool,
}

/// An id token. It has no `client_id`, without which nothing takes it for an access token.
#[derive(Serialize)]
struct IdToken<'a> {
    jti: String,
    sub: String,
    aud: [&'a str; 1],
    azp: &'a str,
    cid: &'a str,
    iss: &'a str,
    iat: i64,
    exp: i64,
    auth_time: i64,
    zid: &'static str,
    scope: [&'static str; 1],
    user_id: String,
    user_name: &'a str,
    origin: &'a str,
    email: &'a str,
    email_verified: bool,
    grant_type: &'a str,
    rev_sig: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    given_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Option<&'a str>,
}

/// A fresh secret for a token, a code or a cookie: 256 bits.
pub(crate) fn secret() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

fn name() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}

/// The tokens of a user who just logged in; a refresh token as well where the client may have one. Notes the login.
pub(crate) async fn tokens_of_login(uaa: &Uaa, granted: &Granted<'_>, user: &UaaUserRow) -> Result<TokenResponse> {
    let now = uaa.now();
    let mut transaction = uaa.store.begin().await?;
    users::note_login(&mut transaction, user.guid, now).await?;
    let refresh_token = match granted.client.grant_types.iter().any(|grant| grant == "refresh_token") {
        false => None,
        true => Some(begin_family(uaa, &mut transaction, granted, user).await?),
    };
    transaction.commit().await?;
    tracing::info!(user.guid = %user.guid, client.id = granted.client.client_id, grant = granted.grant_type, "logged in");
    respond(uaa, granted, refresh_token)
}

async fn begin_family(uaa: &Uaa, db: &mut Connection, granted: &Granted<'_>, user: &UaaUserRow) -> Result<String> {
    let now = uaa.now();
    let (token, jti) = refresh_token()?;
    let row = RefreshTokenRow {
        token_hash: Sha256Digest::of(token.as_bytes()),
        family: jti.clone(),
        jti,
        created_at: now,
        auth_time: granted.auth_time.unwrap_or(now),
        expires_at: now.checked_add(seconds(granted.client.refresh_token_seconds)).map_err(Refusal::internal)?,
        used_at: None,
        user: user.guid,
        client_id: granted.client.client_id.clone(),
        grant_type: granted.grant_type.to_owned(),
        scopes: granted.scopes.clone(),
    };
    refresh_tokens::insert(db, &row).await?;
    Ok(token)
}

/// The token that follows `before`, to the end of the time that one had.
pub(crate) async fn succeed(uaa: &Uaa, db: &mut Connection, before: &RefreshTokenRow) -> Result<String> {
    let (token, jti) = refresh_token()?;
    let row =
        RefreshTokenRow { token_hash: Sha256Digest::of(token.as_bytes()), jti, created_at: uaa.now(), used_at: None, ..before.clone() };
    refresh_tokens::insert(db, &row).await?;
    refresh_tokens::mark_used(db, before.token_hash, uaa.now()).await?;
    Ok(token)
}

/// A refresh token and its name. It looks like a JWT, because the `cf` CLI reads the name out of it to revoke it; what counts is
/// the secret in the place of the signature.
fn refresh_token() -> Result<(String, String)> {
    let jti = format!("{}-r", name());
    let part = |value: serde_json::Value| serde_json::to_vec(&value).map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let head = part(json!({"typ": "refresh"})).map_err(Refusal::internal)?;
    let body = part(json!({"jti": jti})).map_err(Refusal::internal)?;
    Ok((format!("{head}.{body}.{}", secret()), jti))
}

/// Signs what was granted.
pub(crate) fn respond(uaa: &Uaa, granted: &Granted<'_>, refresh_token: Option<String>) -> Result<TokenResponse> {
    let claims = claims(uaa, granted);
    let signer = uaa.keys.signer(uaa.now())?;
    let id_token = match granted.user.filter(|_| granted.id_token && granted.scopes.iter().any(|scope| scope == "openid")) {
        Some(user) => Some(signer.sign(&id_token(uaa, granted, user))?),
        None => None,
    };
    Ok(TokenResponse {
        access_token: signer.sign(&AccessToken { claims: &claims, revocable: uaa.settings.revocable_tokens })?,
        token_type: "bearer",
        id_token,
        refresh_token,
        // One second less than the token lives, as the UAA says it.
        expires_in: granted.client.access_token_seconds.saturating_sub(1),
        scope: claims.scope.join(" "),
        jti: claims.jti,
    })
}

fn claims(uaa: &Uaa, token: &Granted<'_>) -> Claims {
    let (client, user) = (token.client, token.user);
    let client_id = || client.client_id.clone();
    let now = uaa.now().as_second();
    let guid = user.map(|user| user.guid.to_string());
    Claims {
        jti: name(),
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
        rev_sig: rev_sig(user, client),
        iat: now,
        exp: now.saturating_add(client.access_token_seconds.into()),
        iss: uaa.issuer.clone(),
        zid: "uaa".to_owned(),
        aud: audience(&token.scopes, &client.client_id),
    }
}

fn id_token<'a>(uaa: &'a Uaa, granted: &'a Granted<'_>, user: &'a UaaUserRow) -> IdToken<'a> {
    let now = uaa.now();
    let profile = granted.scopes.iter().any(|scope| scope == "profile");
    let client_id = granted.client.client_id.as_str();
    IdToken {
        jti: name(),
        sub: user.guid.to_string(),
        aud: [client_id],
        azp: client_id,
        cid: client_id,
        iss: &uaa.issuer,
        iat: now.as_second(),
        exp: now.as_second().saturating_add(granted.client.access_token_seconds.into()),
        auth_time: granted.auth_time.unwrap_or(now).as_second(),
        zid: "uaa",
        scope: ["openid"],
        user_id: user.guid.to_string(),
        user_name: &user.username,
        origin: &user.origin,
        email: &user.email,
        email_verified: user.verified,
        grant_type: granted.grant_type,
        rev_sig: rev_sig(Some(user), granted.client),
        nonce: granted.nonce.as_deref(),
        given_name: profile.then_some(user.given_name.as_str()),
        family_name: profile.then_some(user.family_name.as_str()),
    }
}

/// The first parts of the scopes (`cloud_controller` of `cloud_controller.read`), and the client.
fn audience(scopes: &[String], client_id: &str) -> Vec<String> {
    let parts = scopes.iter().map(|scope| scope.rsplit_once('.').map_or(scope.as_str(), |(resource, _)| resource));
    parts.chain([client_id]).map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}
