//! `PUT /oauth/clients/:id/secret`: a new secret, or a second one beside the first while the client's programs change over.

use super::{body::check_secret, client_of, holds, invalid};
use crate::{
    authority::Uaa,
    extract::JsonBody,
    refusal::{Refusal, Result},
    standing,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use virga_serve::{
    Secret,
    auth::Claims,
    axum::{
        Extension, Json,
        extract::{Path, State},
        http::StatusCode,
    },
};
use virga_store::uaa::{clients, refresh_tokens};

#[derive(Deserialize)]
pub(crate) struct SecretChange {
    #[serde(default, rename = "oldSecret")]
    old: Option<Secret<String>>,
    #[serde(default)]
    secret: Option<Secret<String>>,
    #[serde(default, rename = "changeMode")]
    mode: Mode,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Mode {
    /// The new secret is the only one; tokens given to the client before are void.
    #[default]
    Update,
    /// Both are good; tokens stay good.
    Add,
    /// The older one is no longer good; tokens stay good.
    Delete,
}

pub(crate) async fn update(
    State(uaa): State<Arc<Uaa>>,
    Path(id): Path<String>,
    Extension(claims): Extension<Claims>,
    JsonBody(change): JsonBody<SecretChange>,
) -> Result<Json<Value>> {
    let admin = holds(&claims, &["clients.admin", "uaa.admin"]);
    // A client may change its own secret, and then shows the old one.
    let itself = claims.user_id.is_none() && claims.client_id == id;
    if !admin && !itself {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "access_denied", "Only the client itself or an administrator changes a secret"));
    }
    let turn = uaa.passwords.turn().await?;
    if !admin {
        let client = client_of(&mut *uaa.store.read().await?, &id).await?;
        let old = change.old.ok_or_else(|| Refusal::invalid_request("Previous secret is required and must be valid"))?;
        let hashes = [client.secret_hash.as_deref(), client.second_secret_hash.as_deref()];
        if !turn.verify_any(&old, &hashes).await? {
            return Err(Refusal::invalid_request("Previous secret is required and must be valid"));
        }
    }
    let hash = match (change.mode, change.secret) {
        (Mode::Delete, _) => None,
        (_, Some(secret)) if !secret.expose().is_empty() => {
            check_secret(&secret)?;
            Some(turn.hash(&secret).await?)
        }
        _ => return Err(invalid("A secret must be provided")),
    };
    let mut transaction = uaa.store.begin().await?;
    let mut client = client_of(&mut transaction, &id).await?;
    let message = match change.mode {
        Mode::Update => {
            client.secret_hash = hash;
            client.second_secret_hash = None;
            client.token_salt = standing::salt();
            refresh_tokens::delete_of_client(&mut transaction, &id, None).await?;
            "secret updated"
        }
        Mode::Add if client.second_secret_hash.is_some() => {
            return Err(invalid("client secret is either empty or client already has two secrets."));
        }
        Mode::Add => {
            client.second_secret_hash = client.secret_hash.take();
            client.secret_hash = hash;
            "Secret is added"
        }
        Mode::Delete if client.second_secret_hash.is_none() => {
            return Err(invalid("client secret is either empty or client has only one secret."));
        }
        Mode::Delete => {
            client.second_secret_hash = None;
            "Secret is deleted"
        }
    };
    client.updated_at = uaa.now();
    clients::update(&mut transaction, &client).await?;
    transaction.commit().await?;
    uaa.standing.forget();
    tracing::info!(client.id = id, "client secret changed");
    Ok(Json(json!({"status": "ok", "message": message})))
}
