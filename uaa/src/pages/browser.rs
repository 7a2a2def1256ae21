//! The browser that asks: its session and its tokens against forgery.

use super::redirect;
use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
    tokens::{issue::secret, login::must_change_password},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use cookie::{Cookie, SameSite};
use std::{convert::Infallible, sync::Arc};
use subtle::ConstantTimeEq as _;
use virga_model::Sha256Digest;
use virga_serve::{
    Base,
    axum::{
        extract::FromRequestParts,
        http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
        response::Response,
    },
};
use virga_store::uaa::{
    sessions::{self, SessionRow},
    users::{self, UaaUserRow},
};

/// See the module.
pub(crate) struct Browser {
    /// Who is logged in, if anybody.
    pub(crate) session: Option<(SessionRow, UaaUserRow)>,
    /// Links for this request.
    pub(crate) base: Base,
    /// The session's cookie.
    pub(crate) session_cookie: Option<String>,
    /// Where a provider sends the browser back, it is still the one that went.
    pub(crate) provider_cookie: Option<String>,
    csrf_cookie: String,
    is_new: bool,
    method: Method,
    host: String,
    target: String,
    origin: Option<String>,
    fetch_site: Option<String>,
}

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnCookie {
    Session,
    Csrf,
    Provider,
}

impl OwnCookie {
    /// Behind TLS the name keeps other hosts of the same domain, such as apps, from setting it.
    fn name(self, is_secure: bool) -> &'static str {
        match (self, is_secure) {
            (Self::Session, true) => "__Host-uaa-session",
            (Self::Session, false) => "uaa-session",
            (Self::Csrf, true) => "__Host-uaa-csrf",
            (Self::Csrf, false) => "uaa-csrf",
            (Self::Provider, true) => "__Host-uaa-provider",
            (Self::Provider, false) => "uaa-provider",
        }
    }
}

impl Browser {
    /// Whether a page is asked for, rather than a form sent.
    pub(crate) fn is_get(&self) -> bool {
        self.method == Method::GET
    }

    fn is_secure(&self) -> bool {
        self.base.login.starts_with("https:")
    }

    /// The token that a form on a page of this browser carries. It fits this browser's cookies only.
    pub(crate) fn csrf(&self) -> String {
        let text = format!("csrf\n{}\n{}", self.csrf_cookie, self.session_cookie.as_deref().unwrap_or_default());
        BASE64_URL_SAFE_NO_PAD.encode(Sha256Digest::of(text.as_bytes()).as_bytes())
    }

    /// Whether a form was sent from a page of ours, by this browser.
    pub(crate) fn check(&self, token: &str) -> Result<()> {
        let fits: bool = self.csrf().as_bytes().ct_eq(token.as_bytes()).into();
        // An app under the same domain counts as the same site to a browser, but never as the same origin.
        // Which scheme the browser used is not always known here, behind a proxy that ends TLS.
        let host = |origin: &str| origin.split_once("://").map(|(_, host)| host.to_ascii_lowercase());
        let is_ours = self.origin.as_ref().is_none_or(|origin| host(origin).is_some_and(|theirs| Some(theirs) == host(&self.base.login)));
        let from_here = self.fetch_site.as_deref().is_none_or(|site| matches!(site, "same-origin" | "none"));
        if fits && is_ours && from_here && !self.is_new {
            return Ok(());
        }
        Err(Refusal::denied("The form is too old or comes from elsewhere. Go back, load the page anew, and try again."))
    }

    /// The answer for a request that came by another name of ours than pages are served under: cookies are kept by host.
    pub(crate) fn elsewhere(&self) -> Option<Response> {
        let home = self.base.login.split_once("://").map(|(_, host)| host)?;
        if self.method != Method::GET || home.is_empty() || home.eq_ignore_ascii_case(&self.host) {
            return None;
        }
        Some(redirect(&format!("{}{}", self.base.login, self.target)))
    }

    /// Who is logged in; otherwise the answer that leads to the login page and back, or to a change of the password.
    pub(crate) fn logged_in(&self, uaa: &Uaa) -> Result<(&SessionRow, &UaaUserRow), Box<Response>> {
        if let Some(elsewhere) = self.elsewhere() {
            return Err(Box::new(elsewhere));
        }
        let next = if self.method == Method::GET { self.target.as_str() } else { "/profile" };
        match &self.session {
            None => Err(Box::new(super::to_login(next, false))),
            Some((_, user)) if must_change_password(uaa, user) && !self.target.starts_with("/change_password") => {
                Err(Box::new(super::to("/change_password", &[("next", next)])))
            }
            Some((session, user)) => Ok((session, user)),
        }
    }

    /// Adds the cookie that forms need, where the browser has none yet.
    pub(crate) fn remember(&self, mut response: Response) -> Response {
        if self.is_new {
            self.set_cookie(response.headers_mut(), OwnCookie::Csrf, &self.csrf_cookie, None);
        }
        response
    }

    /// Sets a cookie for so many seconds, or until the browser closes.
    pub(crate) fn set_cookie(&self, headers: &mut HeaderMap, cookie: OwnCookie, value: &str, seconds: Option<u32>) {
        let mut made = Cookie::build((cookie.name(self.is_secure()), value)).path("/").http_only(true).same_site(SameSite::Lax);
        if self.is_secure() {
            made = made.secure(true);
        }
        if let Some(seconds) = seconds {
            made = made.max_age(cookie::time::Duration::seconds(seconds.into()));
        }
        // Values are ours: base64url, which a header takes.
        if let Ok(value) = HeaderValue::try_from(made.build().to_string()) {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

impl FromRequestParts<Arc<Uaa>> for Browser {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, uaa: &Arc<Uaa>) -> Result<Self, Refusal> {
        let Ok(base): Result<Base, Infallible> = Base::from_request_parts(parts, uaa).await;
        let is_secure = base.login.starts_with("https:");
        let text = |name: header::HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies: Vec<_> = cookies.flat_map(Cookie::split_parse).flatten().collect();
        let find = |cookie: OwnCookie| {
            let name = cookie.name(is_secure);
            let found: Vec<_> = cookies.iter().filter(|cookie| cookie.name() == name).collect();
            // Two of one name: somebody else's host set one of them.
            match found.as_slice() {
                [only] if only.value().len() <= 255 => Some(only.value().to_owned()),
                _ => None,
            }
        };
        let session_cookie = find(OwnCookie::Session);
        let session = match &session_cookie {
            Some(cookie) => session_of(uaa, cookie).await?,
            None => None,
        };
        let csrf_cookie = find(OwnCookie::Csrf).filter(|cookie| cookie.len() >= 40);
        let host = text(header::HOST).or_else(|| parts.uri.authority().map(ToString::to_string)).unwrap_or_default();
        Ok(Self {
            session_cookie: session_cookie.filter(|_| session.is_some()),
            session,
            base,
            provider_cookie: find(OwnCookie::Provider),
            is_new: csrf_cookie.is_none(),
            csrf_cookie: csrf_cookie.unwrap_or_else(secret),
            method: parts.method.clone(),
            host,
            target: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            origin: text(header::ORIGIN),
            fetch_site: parts.headers.get("sec-fetch-site").and_then(|value| value.to_str().ok()).map(str::to_owned),
        })
    }
}

async fn session_of(uaa: &Uaa, cookie: &str) -> Result<Option<(SessionRow, UaaUserRow)>> {
    let mut db = uaa.store.read().await?;
    let Some(session) = sessions::find(&mut db, Sha256Digest::of(cookie.as_bytes()), uaa.now()).await? else { return Ok(None) };
    let user = users::find(&mut db, session.user).await?.filter(|user| user.active);
    Ok(user.map(|user| (session, user)))
}

/// 401 for a page that is asked for as JSON without a session.
pub(crate) fn not_logged_in() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "Full authentication is required to access this resource")
}
