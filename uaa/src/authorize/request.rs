//! What a client asks for, checked. Until the client and the place to answer to are known, errors are the user's to see; after
//! that, the client's.

use super::{pkce, redirect};
use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
};
use serde::Deserialize;
use url::Url;
use virga_serve::axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use virga_store::uaa::clients::{self, UaaClientRow};

/// Longest `state` and `nonce`, bytes.
const MAX_STATE_BYTES: usize = 4_096;
const MAX_NONCE_BYTES: usize = 512;

/// The query of a request.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct AuthorizeQuery {
    pub(super) client_id: Option<String>,
    pub(super) response_type: Option<String>,
    pub(super) redirect_uri: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) code_challenge: Option<String>,
    pub(super) code_challenge_method: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) login_hint: Option<String>,
}

/// A request of a known client that is answered to a known place.
pub(super) struct AuthorizeRequest {
    pub(super) client: UaaClientRow,
    pub(super) redirect: Url,
    pub(super) query: AuthorizeQuery,
}

/// An error that the client reads out of the redirect.
pub(super) struct ClientError {
    pub(super) error: &'static str,
    pub(super) description: String,
}

impl ClientError {
    pub(super) fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { error, description: description.into() }
    }
}

impl From<&Refusal> for ClientError {
    fn from(refusal: &Refusal) -> Self {
        Self::new(refusal.error(), refusal.description())
    }
}

impl AuthorizeRequest {
    pub(super) async fn read(uaa: &Uaa, query: AuthorizeQuery) -> Result<Self> {
        let bad = |error, text: &str| Refusal::new(StatusCode::BAD_REQUEST, error, text);
        let id = query.client_id.as_deref().filter(|id| !id.is_empty()).ok_or_else(|| bad("invalid_request", "A client_id is required"))?;
        let client = clients::find(&mut *uaa.store.read().await?, id).await?;
        let client = client.ok_or_else(|| bad("invalid_client", "There is no such client"))?;
        let asked = query.redirect_uri.as_deref().filter(|uri| !uri.is_empty());
        let redirect = redirect::choose(asked, &client.redirect_uris)
            .ok_or_else(|| bad("invalid_request", "The redirect_uri is not one that the client registered"))?;
        let query = AuthorizeQuery { redirect_uri: asked.map(str::to_owned), ..query };
        Ok(Self { client, redirect, query })
    }

    /// What is wrong with the rest of it. `needs_pkce` is false only where no browser is in between.
    pub(super) fn check(&self, needs_pkce: bool) -> Result<(), ClientError> {
        let invalid = |text: &str| ClientError::new("invalid_request", text);
        if self.query.state.as_ref().is_some_and(|state| state.len() > MAX_STATE_BYTES) {
            return Err(invalid("The state is too long"));
        }
        if self.query.nonce.as_ref().is_some_and(|nonce| nonce.len() > MAX_NONCE_BYTES) {
            return Err(invalid("The nonce is too long"));
        }
        match self.query.response_type.as_deref() {
            Some("code") => {}
            None | Some("") => return Err(invalid("A response_type is required")),
            Some(_) => {
                let text =
                    "The only response_type is code: the implicit and hybrid flows are not supported, use authorization_code with PKCE";
                return Err(ClientError::new("unsupported_response_type", text));
            }
        }
        if !self.client.grant_types.iter().any(|grant| grant == "authorization_code") {
            return Err(ClientError::new("unauthorized_client", "The client may not use the grant type authorization_code"));
        }
        let challenge = self.query.code_challenge.as_deref();
        pkce::check(challenge, self.query.code_challenge_method.as_deref()).map_err(invalid)?;
        if needs_pkce && challenge.is_none() && self.client.secret_hash.is_none() {
            return Err(invalid("A client without a secret must send a code_challenge (PKCE, S256)"));
        }
        Ok(())
    }

    pub(super) fn prompts(&self, what: &str) -> bool {
        self.query.prompt.as_deref().unwrap_or_default().split_whitespace().any(|prompt| prompt == what)
    }

    /// Sends the user's browser back to the client with a code.
    pub(super) fn answer_code(&self, code: &str) -> Response {
        self.answer(&[("code", code)])
    }

    /// Sends the user's browser back to the client with an error.
    pub(super) fn answer_error(&self, error: &ClientError) -> Response {
        self.answer(&[("error", error.error), ("error_description", &error.description)])
    }

    fn answer(&self, fields: &[(&str, &str)]) -> Response {
        let mut url = self.redirect.clone();
        url.query_pairs_mut().extend_pairs(fields);
        if let Some(state) = &self.query.state {
            url.query_pairs_mut().append_pair("state", state);
        }
        match HeaderValue::from_str(url.as_str()) {
            Ok(location) => {
                let headers = [
                    (header::LOCATION, location),
                    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
                ];
                (StatusCode::FOUND, headers).into_response()
            }
            Err(error) => Refusal::internal(error).into_response(),
        }
    }
}
