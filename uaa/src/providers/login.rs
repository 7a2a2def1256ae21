//! The way of a browser to a provider and back.

use super::{Provider, ProviderError, user_of_claims};
use crate::{
    authority::Uaa,
    extract::QueryFields,
    pages::{self, Browser, OwnCookie, start_session},
    refusal::{Refusal, Result},
    settings::seconds,
    tokens::issue::secret,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use subtle::ConstantTimeEq as _;
use virga_model::Sha256Digest;
use virga_serve::axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use virga_store::uaa::codes::{self, CodeRow, Kind};

/// What is remembered while the browser is away.
#[derive(Serialize, Deserialize)]
struct Underway {
    origin: String,
    nonce: String,
    verifier: String,
    next: String,
    /// SHA-256 of a cookie of the browser that left: no other may come back in its place.
    browser: String,
}

#[derive(Deserialize)]
pub(crate) struct StartQuery {
    next: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl From<ProviderError> for Refusal {
    fn from(error: ProviderError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "a login at another provider failed");
        match error {
            ProviderError::Unavailable { origin, .. } => {
                let text = format!("The identity provider {origin} is not available, try again");
                Self::new(StatusCode::BAD_GATEWAY, "temporarily_unavailable", text)
            }
            ProviderError::Token(_) => Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "The identity provider's token is not accepted"),
        }
    }
}

fn provider_of<'a>(uaa: &'a Uaa, origin: &str) -> Result<&'a Provider> {
    let missing = || Refusal::new(StatusCode::NOT_FOUND, "not_found", "There is no such identity provider");
    uaa.providers.find(origin).ok_or_else(missing)
}

fn callback(browser: &Browser, origin: &str) -> String {
    format!("{}/login/callback/{origin}", browser.base.login)
}

/// `GET /login/start/:origin`: sends the browser to the provider.
pub(crate) async fn start(
    State(uaa): State<Arc<Uaa>>,
    Path(origin): Path<String>,
    QueryFields(query): QueryFields<StartQuery>,
    headers: HeaderMap,
    browser: Browser,
) -> Response {
    if let Some(elsewhere) = browser.elsewhere() {
        return elsewhere;
    }
    let begun = async {
        uaa.limiter.check(&headers)?;
        let provider = provider_of(&uaa, &origin)?;
        let (state, cookie, now) = (secret(), secret(), uaa.now());
        let begun = provider.begin(&callback(&browser, &origin), &state).await?;
        let underway = Underway {
            origin: origin.clone(),
            nonce: begun.nonce,
            verifier: begun.verifier,
            next: pages::local(query.next.as_deref()),
            browser: Sha256Digest::of(cookie.as_bytes()).to_string(),
        };
        let row = CodeRow {
            code_hash: Sha256Digest::of(state.as_bytes()),
            kind: Kind::ProviderLogin,
            created_at: now,
            expires_at: now.checked_add(seconds(uaa.settings.provider_login_seconds)).map_err(Refusal::internal)?,
            user: None,
            data: serde_json::to_string(&underway).map_err(Refusal::internal)?,
        };
        let mut transaction = uaa.store.begin().await?;
        codes::insert(&mut transaction, &row).await?;
        transaction.commit().await?;
        let mut response = pages::redirect(&begun.url);
        browser.set_cookie(response.headers_mut(), OwnCookie::Provider, &cookie, Some(uaa.settings.provider_login_seconds));
        Ok(response)
    };
    begun.await.unwrap_or_else(|refusal: Refusal| pages::refused(&browser, &refusal))
}

/// `GET /login/callback/:origin`: the browser is back, with a code or an error.
pub(crate) async fn finish(
    State(uaa): State<Arc<Uaa>>,
    Path(origin): Path<String>,
    QueryFields(query): QueryFields<CallbackQuery>,
    headers: HeaderMap,
    browser: Browser,
) -> Response {
    let finished = async {
        uaa.limiter.check(&headers)?;
        let provider = provider_of(&uaa, &origin)?;
        let underway = underway(&uaa, &browser, &origin, query.state.as_deref().unwrap_or_default()).await?;
        if let Some(error) = &query.error {
            let error: String = query.error_description.as_ref().unwrap_or(error).chars().take(255).collect();
            return Err(Refusal::denied(format!("The identity provider {origin} says: {error}")));
        }
        let code = query.code.clone().ok_or_else(|| Refusal::invalid_request("The identity provider sent no code"))?;
        let claims = provider.finish(&callback(&browser, &origin), code, underway.nonce, underway.verifier).await?;
        let user = user_of_claims(&uaa, provider, &claims).await?;
        let mut response = pages::redirect(&underway.next);
        start_session(&uaa, &browser, response.headers_mut(), &user).await?;
        browser.set_cookie(response.headers_mut(), OwnCookie::Provider, "", Some(0));
        Ok(response)
    };
    finished.await.unwrap_or_else(|refusal: Refusal| pages::refused(&browser, &refusal))
}

/// What this browser began; once.
async fn underway(uaa: &Uaa, browser: &Browser, origin: &str, state: &str) -> Result<Underway> {
    let unknown = || Refusal::denied("This login was not begun here, or took too long. Go back to the login page and try again.");
    let mut transaction = uaa.store.begin().await?;
    let row = codes::take(&mut transaction, Kind::ProviderLogin, Sha256Digest::of(state.as_bytes()), uaa.now()).await?;
    transaction.commit().await?;
    let underway: Underway = serde_json::from_str(&row.ok_or_else(unknown)?.data).map_err(Refusal::internal)?;
    let cookie = browser.provider_cookie.as_deref().unwrap_or_default();
    let same: bool = Sha256Digest::of(cookie.as_bytes()).to_string().as_bytes().ct_eq(underway.browser.as_bytes()).into();
    if same && underway.origin == origin { Ok(underway) } else { Err(unknown()) }
}
