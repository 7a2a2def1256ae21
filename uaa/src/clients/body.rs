//! What an administrator may say about a client.

use super::{holds, invalid};
use crate::{
    authority::Uaa,
    passwords::MAX_PASSWORD_BYTES,
    refusal::{Refusal, Result},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use virga_model::Timestamp;
use virga_serve::{Secret, auth::Claims, axum::http::StatusCode};
use virga_store::uaa::clients::UaaClientRow;

/// The grants there are.
pub(crate) const GRANTS: &[&str] =
    &["authorization_code", "client_credentials", "password", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"];

/// Longest id or other text, most entries of a list, most bytes of what is said beyond the known members.
const MAX_TEXT_BYTES: usize = 255;
const MAX_URI_BYTES: usize = 2_000;
const MAX_ENTRIES: usize = 500;
const MAX_EXTRA_BYTES: usize = 16 * 1024;

/// Members that this UAA makes itself: said by a caller, they are not kept.
const OWN: &[&str] = &["lastModified", "createdwith", "has_second_secret", "client_secret", "secondary_client_secret"];

/// Members that change how a client shows itself, in ways there are not here: to keep them and not act on them would mislead.
const UNSUPPORTED: &[&str] = &["jwks", "jwks_uri", "jwt_creds", "client_jwt_config", "tls_client_auth_subject_dn"];

#[derive(Deserialize)]
pub(crate) struct ClientBody {
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Secret<String>>,
    name: Option<String>,
    scope: Option<Words>,
    authorities: Option<Words>,
    authorized_grant_types: Option<Words>,
    resource_ids: Option<Words>,
    redirect_uri: Option<Words>,
    autoapprove: Option<Autoapprove>,
    allowedproviders: Option<Words>,
    allowpublic: Option<Truth>,
    refresh_token_rotation: Option<bool>,
    access_token_validity: Option<u32>,
    refresh_token_validity: Option<u32>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// A list, or one text with commas or spaces, as `uaac` sends it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    List(Vec<String>),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Autoapprove {
    All(bool),
    Scopes(Words),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Truth {
    Flag(bool),
    Text(String),
}

impl Words {
    fn into_list(self) -> Vec<String> {
        let words: BTreeSet<String> = match self {
            Self::List(list) => list.into_iter().filter(|word| !word.is_empty()).collect(),
            Self::Text(text) => {
                text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
            }
        };
        words.into_iter().collect()
    }
}

impl ClientBody {
    /// The client as this body would have it, without its secret. `before` is the client that is replaced.
    pub(super) fn into_row(self, uaa: &Uaa, claims: &Claims, before: Option<&UaaClientRow>, now: Timestamp) -> Result<UaaClientRow> {
        let id = self.client_id.unwrap_or_default();
        let mut row = UaaClientRow::new(&id, now);
        row.access_token_seconds = uaa.settings.access_token_seconds;
        row.refresh_token_seconds = uaa.settings.refresh_token_seconds;
        if let Some(before) = before {
            row.created_at = before.created_at;
            row.secret_hash.clone_from(&before.secret_hash);
            row.second_secret_hash.clone_from(&before.second_secret_hash);
            row.token_salt.clone_from(&before.token_salt);
        }
        let list = |words: Option<Words>| words.map(Words::into_list).unwrap_or_default();
        row.name = self.name.unwrap_or_default();
        row.grant_types = list(self.authorized_grant_types);
        row.scopes = list(self.scope);
        row.authorities = list(self.authorities);
        for scopes in [&mut row.scopes, &mut row.authorities] {
            if scopes.is_empty() {
                scopes.push("uaa.none".to_owned());
            }
        }
        row.redirect_uris = list(self.redirect_uri);
        if let Some(ids) = self.resource_ids {
            row.resource_ids = ids.into_list();
        }
        row.autoapprove = match self.autoapprove {
            Some(Autoapprove::All(true)) => vec!["true".to_owned()],
            Some(Autoapprove::Scopes(words)) => words.into_list(),
            _ => Vec::new(),
        };
        row.allowed_providers = self.allowedproviders.map(Words::into_list);
        row.allow_public = match self.allowpublic {
            Some(Truth::Flag(flag)) => flag,
            Some(Truth::Text(text)) => text.eq_ignore_ascii_case("true"),
            None => false,
        };
        // A token of a client without a secret is worth what its holder says: it must not be good for two.
        row.rotate_refresh_tokens = self.refresh_token_rotation.unwrap_or(row.allow_public);
        row.access_token_seconds = self.access_token_validity.unwrap_or(row.access_token_seconds);
        row.refresh_token_seconds = self.refresh_token_validity.unwrap_or(row.refresh_token_seconds);
        row.extra = self.extra.into_iter().filter(|(name, _)| !OWN.contains(&name.as_str())).collect();
        check(uaa, &row)?;
        check_rights(claims, &row, before)?;
        Ok(row)
    }
}

/// Whether this may be a secret.
pub(super) fn check_secret(secret: &Secret<String>) -> Result<()> {
    if secret.expose().len() > MAX_PASSWORD_BYTES {
        return Err(invalid(format!("Client secret must be no more than {MAX_PASSWORD_BYTES} characters in length.")));
    }
    Ok(())
}

fn check(uaa: &Uaa, client: &UaaClientRow) -> Result<()> {
    let fits = |text: &str| !text.is_empty() && text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control);
    if !fits(&client.client_id) || client.client_id.contains([':', '/', '?', '#']) || client.client_id.contains(char::is_whitespace) {
        return Err(invalid("Client id must have 1 to 255 characters, without spaces and without : / ? #"));
    }
    if !client.name.is_empty() && !fits(&client.name) {
        return Err(invalid("The name is too long or has control characters in it."));
    }
    if client.grant_types.is_empty() {
        return Err(invalid(format!("An authorized grant type must be provided. Must be one of: {}", GRANTS.join(", "))));
    }
    if let Some(grant) = client.grant_types.iter().find(|grant| !GRANTS.contains(&grant.as_str())) {
        return Err(invalid(format!("{grant} is not an allowed grant type. Must be one of: {}", GRANTS.join(", "))));
    }
    for list in [&client.scopes, &client.authorities, &client.resource_ids, &client.autoapprove] {
        if list.len() > MAX_ENTRIES || list.iter().any(|word| !fits(word) || word.contains(char::is_whitespace)) {
            return Err(invalid("A list has too many entries, or one that is too long or has spaces in it."));
        }
    }
    if client.grant_types.iter().any(|grant| grant == "authorization_code") && client.redirect_uris.is_empty() {
        return Err(invalid("A redirect_uri must be provided for the grant type authorization_code"));
    }
    for uri in &client.redirect_uris {
        crate::authorize::redirect::check_registered(uri).map_err(|reason| invalid(format!("redirect_uri {uri}: {reason}")))?;
    }
    if client.redirect_uris.len() > MAX_ENTRIES || client.redirect_uris.iter().any(|uri| uri.len() > MAX_URI_BYTES) {
        return Err(invalid("There are too many redirect_uris, or one is too long."));
    }
    let most = uaa.settings.max_access_token_seconds;
    if client.access_token_seconds == 0 || client.access_token_seconds > most {
        return Err(invalid(format!("access_token_validity must be 1 to {most} seconds")));
    }
    let most = uaa.settings.max_refresh_token_seconds;
    if client.refresh_token_seconds == 0 || client.refresh_token_seconds > most {
        return Err(invalid(format!("refresh_token_validity must be 1 to {most} seconds")));
    }
    if let Some(name) = UNSUPPORTED.iter().find(|name| client.extra.contains_key(**name)) {
        return Err(invalid(format!("{name} is not supported: clients authenticate by a secret, or by PKCE alone with allowpublic")));
    }
    let is_list = |value: &Value| value.as_array().is_some_and(|groups| groups.iter().all(Value::is_string));
    if client.extra.get("required_user_groups").is_some_and(|groups| !is_list(groups)) {
        return Err(invalid("required_user_groups must be a list of names"));
    }
    let extra = serde_json::to_string(&client.extra).map_err(Refusal::internal)?;
    if extra.len() > MAX_EXTRA_BYTES {
        return Err(invalid(format!("Additional members take at most {MAX_EXTRA_BYTES} bytes")));
    }
    Ok(())
}

/// `clients.write` alone makes clients no mightier than its holder: scopes and authorities that the holder has, or that begin
/// with the new client's own id.
fn check_rights(claims: &Claims, client: &UaaClientRow, before: Option<&UaaClientRow>) -> Result<()> {
    if holds(claims, &["clients.admin", "uaa.admin"]) {
        return Ok(());
    }
    let had = |scope: &String| before.is_some_and(|before| before.scopes.contains(scope) || before.authorities.contains(scope));
    let own = format!("{}.", client.client_id);
    let allowed = |scope: &String| {
        matches!(scope.as_str(), "uaa.none" | "openid") || claims.scope.contains(scope) || scope.starts_with(&own) || had(scope)
    };
    if let Some(scope) = client.scopes.iter().chain(&client.authorities).find(|scope| !allowed(scope)) {
        let text = format!("{scope} is not an allowed authority or scope: the caller does not have it");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_client", text));
    }
    Ok(())
}
