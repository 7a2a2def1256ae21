//! `POST /oauth/token` and what else is done with tokens.

pub(crate) mod assertion;
pub(crate) mod client;
pub(crate) mod grants;
pub(crate) mod inspect;
pub(crate) mod issue;
pub(crate) mod login;
pub(crate) mod revoke;
mod user_grants;

use crate::{
    authority::Uaa,
    bootstrap::JWT_BEARER,
    extract::{FormBody, QueryFields},
    refusal::{Refusal, Result},
};
use client::ClientCredentials;
use serde::Deserialize;
use std::sync::Arc;
use virga_serve::{
    Secret,
    axum::{
        Json,
        extract::State,
        http::{HeaderMap, HeaderName, StatusCode, header},
    },
};

/// The form of a token request; what clients send beyond this is left alone.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenForm {
    grant_type: Option<String>,
    username: Option<String>,
    password: Option<Secret<String>>,
    passcode: Option<Secret<String>>,
    refresh_token: Option<Secret<String>>,
    code: Option<Secret<String>>,
    code_verifier: Option<Secret<String>>,
    redirect_uri: Option<String>,
    assertion: Option<Secret<String>>,
    client_id: Option<String>,
    client_secret: Option<Secret<String>>,
    scope: Option<String>,
    response_type: Option<String>,
    login_hint: Option<String>,
}

/// What the `cf` CLI puts into the query rather than the form.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct TokenQuery {
    login_hint: Option<String>,
}

#[derive(Deserialize)]
struct LoginHint {
    origin: String,
}

type TokenAnswer = ([(HeaderName, &'static str); 1], Json<issue::TokenResponse>);

pub(crate) async fn create(
    State(uaa): State<Arc<Uaa>>,
    QueryFields(query): QueryFields<TokenQuery>,
    headers: HeaderMap,
    FormBody(mut form): FormBody<TokenForm>,
) -> Result<TokenAnswer> {
    form.login_hint = query.login_hint.or(form.login_hint);
    let grant = form.grant_type.clone().filter(|grant| !grant.is_empty());
    let grant = grant.ok_or_else(|| Refusal::invalid_request("Missing grant type"))?;
    let credentials = ClientCredentials::of(&headers, form.client_id.take(), form.client_secret.take())?;
    if grant != "refresh_token" {
        uaa.limiter.check(&headers)?;
    }
    // Only these two are safe for a client that does not show the secret it has: by PKCE, and by rotation.
    let answer = match grant.as_str() {
        "authorization_code" => user_grants::authorization_code(&uaa, &credentials.authenticate(&uaa).await?, form).await?,
        "refresh_token" => grants::refresh_token(&uaa, &credentials.authenticate(&uaa).await?, form).await?,
        "password" => user_grants::password(&uaa, &credentials.authenticate_fully(&uaa).await?, form).await?,
        "client_credentials" => grants::client_credentials(&uaa, &credentials.authenticate_fully(&uaa).await?, &form)?,
        JWT_BEARER => assertion::jwt_bearer(&uaa, &credentials.authenticate_fully(&uaa).await?, form).await?,
        _ => {
            credentials.authenticate_fully(&uaa).await?;
            return Err(unsupported(&grant));
        }
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

fn unsupported(grant: &str) -> Refusal {
    let grant: String = grant.chars().take(255).collect();
    let text = match grant.as_str() {
        "implicit" => "The implicit grant is not supported: use authorization_code with PKCE".to_owned(),
        _ => format!("Unsupported grant type: {grant}"),
    };
    Refusal::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", text)
}

/// The identity provider that a `login_hint` (`{"origin":"…"}`) names; `uaa` without one.
fn origin_of(hint: Option<&str>) -> Result<String> {
    match hint.filter(|hint| !hint.is_empty()) {
        None => Ok("uaa".to_owned()),
        Some(hint) => {
            let hint: LoginHint = serde_json::from_str(hint).map_err(|_| Refusal::invalid_request("The login_hint is malformed"))?;
            Ok(hint.origin)
        }
    }
}
