//! `POST /oauth/token` and what else is done with tokens.

mod client;
mod grants;
pub(crate) mod inspect;
mod issue;
pub(crate) mod keys;
pub(crate) mod login;
pub(crate) mod revoke;

use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
};
use client::ClientCredentials;
use serde::Deserialize;
use std::sync::Arc;
use virga_serve::{
    Secret,
    axum::{
        Form, Json,
        extract::{
            Query, State,
            rejection::{FormRejection, QueryRejection},
        },
        http::{HeaderMap, HeaderName, StatusCode, header},
    },
};

/// The form of a token request; what clients send beyond this is left alone.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenForm {
    grant_type: Option<String>,
    username: Option<String>,
    password: Option<Secret<String>>,
    refresh_token: Option<Secret<String>>,
    client_id: Option<String>,
    client_secret: Option<Secret<String>>,
    scope: Option<String>,
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
    query: Result<Query<TokenQuery>, QueryRejection>,
    headers: HeaderMap,
    form: Result<Form<TokenForm>, FormRejection>,
) -> Result<TokenAnswer> {
    let Form(mut form) = form.map_err(|error| Refusal::invalid_request(error.body_text()))?;
    let Query(query) = query.map_err(|error| Refusal::invalid_request(error.body_text()))?;
    form.login_hint = query.login_hint.or(form.login_hint);
    let grant = form.grant_type.clone().filter(|grant| !grant.is_empty());
    let grant = grant.ok_or_else(|| Refusal::invalid_request("Missing grant type"))?;
    let credentials = ClientCredentials::of(&headers, form.client_id.take(), form.client_secret.take())?;
    let client = credentials.authenticate(&uaa).await?;
    let answer = match grant.as_str() {
        "password" => grants::password(&uaa, &client, form).await?,
        "refresh_token" => grants::refresh_token(&uaa, &client, form).await?,
        "client_credentials" => grants::client_credentials(&uaa, &client, &form)?,
        _ => return Err(unsupported(&grant)),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

fn unsupported(grant: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", format!("Unsupported grant type: {grant}"))
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
