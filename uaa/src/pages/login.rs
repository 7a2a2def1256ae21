//! The login page and the end of a session.

use super::{
    Browser,
    browser::OwnCookie,
    local, page_with_action, redirect, refused,
    templates::{self, ProviderLink},
};
use crate::{
    authority::Uaa,
    authorize::redirect as redirects,
    extract::{FormBody, QueryFields},
    info,
    refusal::{Refusal, Result},
    settings::seconds,
    tokens::{issue::secret, login},
};
use serde::Deserialize;
use std::sync::Arc;
use url::Url;
use virga_model::Sha256Digest;
use virga_serve::{
    Secret,
    axum::{
        extract::State,
        http::{HeaderMap, header},
        response::{IntoResponse as _, Response},
    },
};
use virga_store::uaa::{
    clients,
    sessions::{self, SessionRow},
    users::{self, UaaUserRow},
};

#[derive(Deserialize)]
pub(crate) struct LoginQuery {
    next: Option<String>,
    again: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct LoginForm {
    csrf: Option<String>,
    next: Option<String>,
    username: Option<String>,
    password: Option<Secret<String>>,
}

/// Whether the caller is a browser rather than the `cf` CLI.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

/// `GET /login`: prompts for programs, the page for browsers.
pub(crate) async fn show_login(
    State(uaa): State<Arc<Uaa>>,
    QueryFields(query): QueryFields<LoginQuery>,
    headers: HeaderMap,
    browser: Browser,
) -> Response {
    if !wants_html(&headers) {
        return info::show(State(uaa), browser.base.clone()).await.into_response();
    }
    if let Some(elsewhere) = browser.elsewhere() {
        return elsewhere;
    }
    let next = local(query.next.as_deref());
    if browser.session.is_some() && query.again.is_none() {
        return redirect(&next);
    }
    form(&uaa, &browser, &next, "", None)
}

fn form(uaa: &Uaa, browser: &Browser, next: &str, username: &str, message: Option<&str>) -> Response {
    let links = uaa.providers.links().map(|(origin, text)| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        ProviderLink { origin, text, href: format!("/login/start/{origin}?{query}") }
    });
    let page = templates::Login { csrf: browser.csrf(), next, username, message, providers: links.collect() };
    page_with_action(browser, &page, redirect_of(next).as_deref())
}

/// Where a login for an authorization request leads in the end.
fn redirect_of(next: &str) -> Option<String> {
    let (_, query) = next.split_once('?')?;
    let uri = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "redirect_uri").map(|(_, uri)| uri)?;
    redirects::check_registered(&uri).ok()?;
    Some(redirects::form_action(&Url::parse(&uri).ok()?))
}

/// `POST /login.do`
pub(crate) async fn log_in(
    State(uaa): State<Arc<Uaa>>,
    headers: HeaderMap,
    browser: Browser,
    FormBody(request): FormBody<LoginForm>,
) -> Result<Response> {
    let next = local(request.next.as_deref());
    let username = request.username.unwrap_or_default();
    let admitted = async {
        browser.check(request.csrf.as_deref().unwrap_or_default())?;
        uaa.limiter.check(&headers)?;
        login::log_in(&uaa, &username, "uaa", &request.password.unwrap_or_default()).await
    };
    match admitted.await {
        Ok(user) => {
            let mut response = redirect(&next);
            start_session(&uaa, &browser, response.headers_mut(), &user).await?;
            Ok(response)
        }
        Err(refusal) if refusal.status().is_client_error() => {
            let message = match refusal.description() {
                "Bad credentials" => "The user name or the password is wrong.",
                other => other,
            };
            let mut response = form(&uaa, &browser, &next, &username, Some(message));
            *response.status_mut() = refusal.status();
            Ok(response)
        }
        Err(refusal) => Ok(refused(&browser, &refusal)),
    }
}

/// Begins a session, and ends the one the browser had.
pub(crate) async fn start_session(uaa: &Uaa, browser: &Browser, headers: &mut HeaderMap, user: &UaaUserRow) -> Result<()> {
    let (cookie, now, life) = (secret(), uaa.now(), uaa.settings.session_seconds);
    let session = SessionRow {
        token_hash: Sha256Digest::of(cookie.as_bytes()),
        created_at: now,
        expires_at: now.checked_add(seconds(life)).map_err(Refusal::internal)?,
        user: user.guid,
    };
    let mut transaction = uaa.store.begin().await?;
    if let Some((before, _)) = &browser.session {
        sessions::delete(&mut transaction, before.token_hash).await?;
    }
    sessions::insert(&mut transaction, &session).await?;
    users::note_login(&mut transaction, user.guid, now).await?;
    transaction.commit().await?;
    browser.set_cookie(headers, OwnCookie::Session, &cookie, Some(life));
    tracing::info!(user.guid = %user.guid, "logged in with a browser");
    Ok(())
}

#[derive(Deserialize)]
pub(crate) struct LogoutQuery {
    redirect: Option<String>,
    client_id: Option<String>,
}

/// `GET /logout.do`: ends the session. Leads back to the client that asked for it, where it says which it is and the place is
/// one it registered; else to the login page.
pub(crate) async fn log_out(
    State(uaa): State<Arc<Uaa>>,
    QueryFields(query): QueryFields<LogoutQuery>,
    browser: Browser,
) -> Result<Response> {
    if let Some(elsewhere) = browser.elsewhere() {
        return Ok(elsewhere);
    }
    if let Some((session, _)) = &browser.session {
        let mut transaction = uaa.store.begin().await?;
        sessions::delete(&mut transaction, session.token_hash).await?;
        transaction.commit().await?;
    }
    let target = match (&query.redirect, &query.client_id) {
        (Some(asked), Some(client)) => {
            let client = clients::find(&mut *uaa.store.read().await?, client).await?;
            client.and_then(|client| redirects::choose(Some(asked), &client.redirect_uris)).map(|url| url.to_string())
        }
        _ => None,
    };
    let mut response = redirect(target.as_deref().unwrap_or("/login"));
    browser.set_cookie(response.headers_mut(), OwnCookie::Session, "", Some(0));
    Ok(response)
}
