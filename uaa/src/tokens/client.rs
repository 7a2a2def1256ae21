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

/// A client that asks.
pub(crate) struct AskingClient {
    pub(crate) row: UaaClientRow,
    /// Whether it showed a secret. One that has none, or did not show it where it need not, is whoever says so.
    pub(crate) is_proven: bool,
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
            // The UAA's sign that both are URL-encoded, as RFC 6749 has it and most clients do not.
            let encoded = headers.get("x-cf-encoded-credentials").is_some_and(|value| value == "true");
            let plain = |text: &str| if encoded { url_decoded(text) } else { text.to_owned() };
            return Ok(Self { id: plain(id), secret: Secret::new(plain(secret)) });
        }
        let id = id.filter(|id| !id.is_empty()).ok_or_else(Refusal::bad_credentials)?;
        Ok(Self { id, secret: secret.unwrap_or_default() })
    }

    /// The client, if the secret is one of its own; without a secret, a client that may be public.
    pub(crate) async fn authenticate(&self, uaa: &Uaa) -> Result<AskingClient> {
        let client = clients::find(&mut *uaa.store.read().await?, &self.id).await?;
        // A public client has no secret: nothing to hash, and nothing to find out by the time it takes.
        if let Some(client) = &client
            && (client.secret_hash.is_none() || (client.allow_public && self.secret.expose().is_empty()))
        {
            let asking = || AskingClient { row: client.clone(), is_proven: false };
            return if self.secret.expose().is_empty() { Ok(asking()) } else { Err(Refusal::bad_credentials()) };
        }
        let turn = uaa.passwords.turn().await?;
        let hashes = client.as_ref().map(|client| [client.secret_hash.as_deref(), client.second_secret_hash.as_deref()]);
        let good = turn.verify_any(&self.secret, &hashes.unwrap_or_default()).await?;
        let row = client.filter(|_| good).ok_or_else(Refusal::bad_credentials)?;
        Ok(AskingClient { row, is_proven: true })
    }

    /// The client, which must have shown a secret where it has one.
    pub(crate) async fn authenticate_fully(&self, uaa: &Uaa) -> Result<UaaClientRow> {
        let client = self.authenticate(uaa).await?;
        if client.is_proven || client.row.secret_hash.is_none() { Ok(client.row) } else { Err(Refusal::bad_credentials()) }
    }
}

fn url_decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("v={text}").as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use virga_serve::axum::http::HeaderValue;

    fn read(authorization: &str, encoded: bool) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::try_from(authorization).ok()?);
        if encoded {
            headers.insert("x-cf-encoded-credentials", HeaderValue::from_static("true"));
        }
        let read = ClientCredentials::of(&headers, None, None).ok()?;
        Some((read.id, read.secret.expose().clone()))
    }

    proptest! {
        #[test]
        fn id_and_secret_read_back_plain_or_encoded(id in "[^:\\p{Cc}]{1,20}", secret in "\\PC{0,20}") {
            let plain = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
            prop_assert_eq!(read(&plain, false), Some((id.clone(), secret.clone())));
            let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let encoded = format!("basic {}", BASE64_STANDARD.encode(format!("{}:{}", encode(&id), encode(&secret))));
            prop_assert_eq!(read(&encoded, true), Some((id, secret)));
        }

        #[test]
        fn no_header_is_a_danger(header in "([Bb]asic )?\\PC{0,60}", encoded: bool) {
            let _either = read(&header, encoded);
        }
    }
}
