//! A client as its administrators see it: everything but its secrets.

use serde_json::{Value, json};
use virga_store::uaa::clients::UaaClientRow;

pub(super) fn client_json(client: &UaaClientRow) -> Value {
    let autoapprove = if client.autoapprove.iter().any(|scope| scope == "true") { json!(true) } else { json!(client.autoapprove) };
    let mut json = json!({
        "client_id": client.client_id,
        "name": if client.name.is_empty() { &client.client_id } else { &client.name },
        "scope": client.scopes,
        "authorities": client.authorities,
        "authorized_grant_types": client.grant_types,
        "resource_ids": client.resource_ids,
        "redirect_uri": client.redirect_uris,
        "autoapprove": autoapprove,
        "allowpublic": client.allow_public,
        "refresh_token_rotation": client.rotate_refresh_tokens,
        "access_token_validity": client.access_token_seconds,
        "refresh_token_validity": client.refresh_token_seconds,
        "lastModified": client.updated_at.as_millisecond(),
    });
    if let Some(members) = json.as_object_mut() {
        if let Some(providers) = &client.allowed_providers {
            members.insert("allowedproviders".to_owned(), json!(providers));
        }
        if client.second_secret_hash.is_some() {
            members.insert("has_second_secret".to_owned(), json!(true));
        }
        for (name, value) in &client.extra {
            members.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    json
}
