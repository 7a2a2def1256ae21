//! Which client asks, and whether it is that client.

use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use virga_serve::{
    Secret,
    axum::http::{HeaderMap, header},
};
use virga_store::uaa::clients::{self, UaaClientRow};

/// A client's id and secret, by `Authorization: Basic` or in the form. Where a request has both, the header counts, as
/// Python's `oauth2_client` sends both.
#[derive(Debug)]
pub(crate) struct ClientCredentials {
    id: String,
    secret: Secret<String>,
}

impl ClientCredentials {
    pub(crate) fn of(headers: &HeaderMap, id: Option<String>, secret: Option<Secret<String>>) -> Result<Self> {
        let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
            let (scheme, code) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("basic").then(|| code.trim())
        });
        if let Some(code) = basic {
            let decoded = BASE64_STANDARD.decode(code).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let decoded = decoded.ok_or_else(Refusal::bad_credentials)?;
            let (id, secret) = decoded.split_once(':').ok_or_else(Refusal::bad_credentials)?;
            return Ok(Self { id: id.to_owned(), secret: Secret::new(secret.to_owned()) });
        }
        let id = id.filter(|id| !id.is_empty()).ok_or_else(Refusal::bad_credentials)?;
        Ok(Self { id, secret: secret.unwrap_or_default() })
    }

    /// The client, if the secret is its own.
    pub(crate) async fn authenticate(&self, uaa: &Uaa) -> Result<UaaClientRow> {
        let client = clients::find(&mut *uaa.store.read().await?, &self.id).await?;
        // A public client has no secret: nothing to hash, and nothing to find out by the time it takes.
        if let Some(client) = &client
            && client.secret_hash.is_none()
        {
            return if self.secret.expose().is_empty() { Ok(client.clone()) } else { Err(Refusal::bad_credentials()) };
        }
        let turn = uaa.passwords.turn().await?;
        let hash = client.as_ref().and_then(|client| client.secret_hash.as_deref());
        let good = turn.verify(&self.secret, hash).await?;
        client.filter(|_| good).ok_or_else(Refusal::bad_credentials)
    }
}
