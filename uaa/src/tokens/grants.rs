//! The grants: password, refresh token, client credentials.

use super::{
    TokenForm,
    issue::{AccessToken, TokenResponse, issue},
    login::log_in,
    origin_of,
};
use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
    users::groups_of,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use std::time::Duration;
use virga_model::Sha256Digest;
use virga_serve::axum::http::StatusCode;
use virga_store::uaa::{
    clients::UaaClientRow,
    refresh_tokens::{self, RefreshTokenRow},
    users,
};

fn may_use(client: &UaaClientRow, grant: &str) -> Result<()> {
    if client.grant_types.iter().any(|allowed| allowed == grant) {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::UNAUTHORIZED, "invalid_client", format!("Unauthorized grant type: {grant}")))
}

/// What is asked for of what there is. No `scope`, or an empty one, asks for everything; one that the client may never
/// have is an error, one that only this user lacks is left out.
fn granted(asked: Option<&str>, allowed: &[String], held: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let asked: Vec<&str> = asked.unwrap_or_default().split_whitespace().collect();
    if let Some(strange) = asked.iter().find(|scope| !allowed.iter().any(|allowed| allowed == *scope)) {
        let text = format!("Invalid scope: {strange}. Did you know that you can get default scopes by simply sending no value?");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_scope", text));
    }
    let wanted = |scope: &&String| (asked.is_empty() || asked.contains(&scope.as_str())) && held(scope);
    let granted: Vec<String> = allowed.iter().filter(wanted).cloned().collect();
    if granted.is_empty() {
        let text = "The user is not allowed any of the requested scopes";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_scope", text));
    }
    Ok(granted)
}

pub(super) async fn password(uaa: &Uaa, client: &UaaClientRow, form: TokenForm) -> Result<TokenResponse> {
    may_use(client, "password")?;
    let (Some(username), Some(password)) = (form.username, form.password) else {
        return Err(Refusal::bad_credentials());
    };
    let origin = origin_of(form.login_hint.as_deref())?;
    let user = log_in(uaa, &username, &origin, &password).await?;
    let groups = groups_of(&mut *uaa.store.read().await?, user.guid).await?;
    let scopes = granted(form.scope.as_deref(), &client.scopes, |scope| groups.iter().any(|group| group == scope))?;
    let now = uaa.now();
    let refresh_token = match may_use(client, "refresh_token") {
        Err(_) => None,
        Ok(()) => {
            let token = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
            let life = Duration::from_secs(client.refresh_token_seconds.into());
            let row = RefreshTokenRow {
                token_hash: Sha256Digest::of(token.as_bytes()),
                created_at: now,
                expires_at: now.checked_add(life).map_err(Refusal::internal)?,
                user: user.guid,
                client_id: client.client_id.clone(),
                scopes: scopes.clone(),
            };
            let mut transaction = uaa.store.begin().await?;
            refresh_tokens::insert(&mut transaction, &row).await?;
            transaction.commit().await?;
            Some(token)
        }
    };
    tracing::info!(user.guid = %user.guid, client.id = client.client_id, "logged in");
    issue(uaa, &AccessToken { client, user: Some(&user), scopes, grant_type: "password", auth_time: Some(now) }, refresh_token)
}

/// The refresh token stays the same (the UAA's default): several commands of one user refresh side by side.
pub(super) async fn refresh_token(uaa: &Uaa, client: &UaaClientRow, form: TokenForm) -> Result<TokenResponse> {
    may_use(client, "refresh_token")?;
    let token = form.refresh_token.ok_or_else(|| Refusal::invalid_request("Missing refresh_token"))?;
    let invalid = || {
        let text = "The token expired, was revoked, or the token ID is incorrect. Please log back in to re-authenticate.";
        Refusal::invalid_token(text)
    };
    let mut db = uaa.store.read().await?;
    let row = refresh_tokens::find(&mut db, Sha256Digest::of(token.expose().as_bytes())).await?.ok_or_else(invalid)?;
    if row.client_id != client.client_id || row.expires_at <= uaa.now() {
        return Err(invalid());
    }
    let user = users::find(&mut db, row.user).await?.filter(|user| user.active).ok_or_else(invalid)?;
    let groups = groups_of(&mut db, user.guid).await?;
    drop(db);
    let still = |scope: &str| client.scopes.iter().any(|held| held == scope) && groups.iter().any(|group| group == scope);
    let scopes = granted(form.scope.as_deref(), &row.scopes, still)?;
    let access = AccessToken { client, user: Some(&user), scopes, grant_type: "password", auth_time: Some(row.created_at) };
    issue(uaa, &access, Some(token.expose().clone()))
}

pub(super) fn client_credentials(uaa: &Uaa, client: &UaaClientRow, form: &TokenForm) -> Result<TokenResponse> {
    may_use(client, "client_credentials")?;
    let scopes = granted(form.scope.as_deref(), &client.authorities, |_| true)?;
    issue(uaa, &AccessToken { client, user: None, scopes, grant_type: "client_credentials", auth_time: None }, None)
}
