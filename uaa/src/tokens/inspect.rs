//! `POST /check_token`, `POST /introspect`, `GET /userinfo`: what a token says.

use super::client::ClientCredentials;
use crate::{
    authority::Uaa,
    extract::FormBody,
    refusal::{Refusal, Result},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use virga_serve::{
    Secret,
    auth::{Claims, TokenError},
    axum::{
        Extension, Json,
        extract::State,
        http::{HeaderMap, StatusCode},
    },
};
use virga_store::uaa::users;

/// The authority a client needs to look into tokens.
const RESOURCE_AUTHORITY: &str = "uaa.resource";

#[derive(Deserialize)]
pub(crate) struct InspectForm {
    token: Option<Secret<String>>,
    client_id: Option<String>,
    client_secret: Option<Secret<String>>,
}

async fn inspect(uaa: &Uaa, headers: &HeaderMap, form: InspectForm) -> Result<Result<Claims, TokenError>> {
    let client = ClientCredentials::of(headers, form.client_id, form.client_secret)?.authenticate_fully(uaa).await?;
    if !client.authorities.iter().any(|authority| authority == RESOURCE_AUTHORITY) {
        return Err(Refusal::denied("Access is denied"));
    }
    let token = form.token.ok_or_else(|| Refusal::invalid_request("Missing token"))?;
    Ok(uaa.verifier().verify(token.expose()).await)
}

/// The claims of a good token, else 400 `invalid_token`.
pub(crate) async fn check(State(uaa): State<Arc<Uaa>>, headers: HeaderMap, FormBody(form): FormBody<InspectForm>) -> Result<Json<Claims>> {
    match inspect(&uaa, &headers, form).await? {
        Ok(claims) => Ok(Json(claims)),
        Err(TokenError::Unknown(error)) => Err(Refusal::internal(error.context.unwrap_or_default())),
        Err(error) => Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_token", Refusal::from(error).description())),
    }
}

/// RFC 7662: the claims of a good token and `active`, else only `{"active":false}`.
pub(crate) async fn introspect(
    State(uaa): State<Arc<Uaa>>,
    headers: HeaderMap,
    FormBody(form): FormBody<InspectForm>,
) -> Result<Json<Value>> {
    match inspect(&uaa, &headers, form).await? {
        Ok(claims) => {
            let mut answer = serde_json::to_value(claims).map_err(Refusal::internal)?;
            if let Some(members) = answer.as_object_mut() {
                members.insert("active".to_owned(), Value::Bool(true));
            }
            Ok(Json(answer))
        }
        Err(TokenError::Unknown(error)) => Err(Refusal::internal(error.context.unwrap_or_default())),
        Err(_) => Ok(Json(json!({"active": false}))),
    }
}

pub(crate) async fn user_info(State(uaa): State<Arc<Uaa>>, Extension(claims): Extension<Claims>) -> Result<Json<Value>> {
    let guid = claims.identity().user.ok_or_else(|| Refusal::invalid_request("This token is no user's"))?;
    let user = users::find(&mut *uaa.store.read().await?, guid).await?;
    let user = user.ok_or_else(|| Refusal::invalid_token("The user of this token is gone"))?;
    let name = format!("{} {}", user.given_name, user.family_name);
    Ok(Json(json!({
        "user_id": user.guid,
        "sub": user.guid,
        "user_name": user.username,
        "preferred_username": user.username,
        "previous_logon_time": user.previous_login_at.map(|time| time.as_millisecond()),
        "origin": user.origin,
        "name": name.trim(),
        "given_name": user.given_name,
        "family_name": user.family_name,
        "email": user.email,
        "email_verified": user.verified,
    })))
}
