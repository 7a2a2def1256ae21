//! The grants by which a user gets tokens: password, one-time passcode, authorization code.

use super::{
    TokenForm,
    client::AskingClient,
    grants::{granted_to_user, may_have_tokens, may_use},
    issue::{Granted, TokenResponse, tokens_of_login},
    login::log_in,
    origin_of,
};
use crate::{
    authority::Uaa,
    authorize::{self, code::CodeData},
    refusal::{Refusal, Result},
};
use virga_model::{Sha256Digest, UserGuid};
use virga_serve::axum::http::StatusCode;
use virga_store::uaa::{
    clients::UaaClientRow,
    codes::{self, CodeRow, Kind},
    users::{self, UaaUserRow},
};

/// Whether an id token is wanted beside the access token.
fn wants_id_token(form: &TokenForm) -> bool {
    form.response_type.as_deref().unwrap_or_default().split_whitespace().any(|part| part == "id_token")
}

pub(super) async fn password(uaa: &Uaa, client: &UaaClientRow, form: TokenForm) -> Result<TokenResponse> {
    may_use(client, "password")?;
    let user = match &form.passcode {
        Some(passcode) => user_of_passcode(uaa, passcode.expose()).await?,
        None => {
            let (Some(username), Some(password)) = (&form.username, &form.password) else {
                return Err(Refusal::bad_credentials());
            };
            let origin = origin_of(form.login_hint.as_deref())?;
            if uaa.providers.find(&origin).is_some() {
                let text = format!("Users of {origin} log in at its own page: use a one-time passcode (cf login --sso)");
                return Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", text));
            }
            log_in(uaa, username, &origin, password).await?
        }
    };
    may_have_tokens(uaa, client, &user)?;
    let scopes = granted_to_user(uaa, client, &user, form.scope.as_deref()).await?;
    let granted = Granted {
        client,
        user: Some(&user),
        scopes,
        grant_type: "password",
        auth_time: Some(uaa.now()),
        nonce: None,
        id_token: wants_id_token(&form),
    };
    tokens_of_login(uaa, &granted, &user).await
}

async fn take(uaa: &Uaa, kind: Kind, code: &str) -> Result<Option<CodeRow>> {
    let mut transaction = uaa.store.begin().await?;
    let code = codes::take(&mut transaction, kind, Sha256Digest::of(code.trim().as_bytes()), uaa.now()).await?;
    transaction.commit().await?;
    Ok(code)
}

async fn active_user(uaa: &Uaa, guid: Option<UserGuid>) -> Result<Option<UaaUserRow>> {
    match guid {
        Some(guid) => Ok(users::find(&mut *uaa.store.read().await?, guid).await?.filter(|user| user.active)),
        None => Ok(None),
    }
}

async fn user_of_passcode(uaa: &Uaa, passcode: &str) -> Result<UaaUserRow> {
    let code = take(uaa, Kind::Passcode, passcode).await?;
    let user = active_user(uaa, code.and_then(|code| code.user)).await?;
    user.ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "Invalid passcode"))
}

/// A code is good once, for the client it was given to, with the redirect URI it was sent to, and with the verifier of its
/// challenge.
pub(super) async fn authorization_code(uaa: &Uaa, asking: &AskingClient, form: TokenForm) -> Result<TokenResponse> {
    let client = &asking.row;
    may_use(client, "authorization_code")?;
    let invalid = |text: &str| Refusal::new(StatusCode::BAD_REQUEST, "invalid_grant", text);
    let code = form.code.as_ref().ok_or_else(|| Refusal::invalid_request("An authorization code must be supplied."))?;
    let code = take(uaa, Kind::Authorization, code.expose()).await?.ok_or_else(|| invalid("Invalid authorization code"))?;
    let data: CodeData = serde_json::from_str(&code.data).map_err(Refusal::internal)?;
    if data.client_id != client.client_id {
        return Err(invalid("The authorization code is another client's"));
    }
    if data.redirect_uri != form.redirect_uri {
        return Err(invalid("Redirect URI mismatch."));
    }
    match (&data.challenge, &form.code_verifier) {
        (Some(challenge), Some(verifier)) if authorize::pkce::fits(verifier.expose(), challenge) => {}
        (Some(_), _) => return Err(invalid("Invalid code verifier")),
        (None, Some(_)) => return Err(invalid("The code was asked for without a code_challenge")),
        (None, None) if asking.is_proven || client.secret_hash.is_none() => {}
        (None, None) => return Err(Refusal::bad_credentials()),
    }
    let user = active_user(uaa, code.user).await?.ok_or_else(|| invalid("Invalid authorization code"))?;
    may_have_tokens(uaa, client, &user)?;
    let scopes = granted_to_user(uaa, client, &user, Some(&data.scopes.join(" "))).await?;
    let granted = Granted {
        client,
        user: Some(&user),
        scopes,
        grant_type: "authorization_code",
        auth_time: Some(data.auth_time()?),
        nonce: data.nonce.clone(),
        id_token: true,
    };
    tokens_of_login(uaa, &granted, &user).await
}
