//! Pages for browsers; they need no script. Every form carries a token against forgery, every page a strict policy.

mod account;
mod browser;
mod login;
mod password;
pub(crate) mod templates;

pub(crate) use account::{passcode, profile, revoke};
pub(crate) use browser::{Browser, OwnCookie};
pub(crate) use login::{log_in, log_out, show_login, start_session};
pub(crate) use password::{change, forgot, reset, reset_code, show_change, show_reset};

use crate::refusal::Refusal;
use askama::Template;
use url::Url;
use virga_serve::axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};

/// Where a form may send a browser afterwards: pages of this UAA that begin something.
const NEXT: &[&str] = &["/oauth/authorize", "/passcode", "/profile", "/change_password"];

/// The style sheet of every page.
pub(crate) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, include_str!("../../templates/uaa.css")).into_response()
}

/// A page; its forms lead nowhere but here.
pub(crate) fn page(browser: &Browser, template: &impl Template) -> Response {
    page_with_action(browser, template, None)
}

/// A page whose form's answer may send the browser to `action` too.
pub(crate) fn page_with_action(browser: &Browser, template: &impl Template, action: Option<&str>) -> Response {
    let html = match template.render() {
        Ok(html) => html,
        Err(error) => return Refusal::internal(error).into_response(),
    };
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
        action.unwrap_or_default()
    );
    let policy = HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // With no-referrer a browser would send `Origin: null` with a form, which is what forms of others look like.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    browser.remember((headers, Html(html)).into_response())
}

/// The page of an error.
pub(crate) fn refused(browser: &Browser, refusal: &Refusal) -> Response {
    let mut response = page(browser, &templates::Failure { message: refusal.description() });
    *response.status_mut() = refusal.status();
    response
}

/// Where to go next, if it is a page here; a caller's word is never followed to anywhere else.
pub(crate) fn local(next: Option<&str>) -> String {
    let here = Url::parse("http://uaa.invalid").ok();
    let url = next.filter(|next| next.starts_with('/')).and_then(|next| here.as_ref()?.join(next).ok());
    let url = url.filter(|url| url.host_str() == Some("uaa.invalid") && url.port().is_none() && url.username().is_empty());
    match url.filter(|url| NEXT.contains(&url.path())) {
        Some(url) => url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())),
        None => "/profile".to_owned(),
    }
}

/// Sends the browser to a page here.
pub(crate) fn to(path: &str, query: &[(&str, &str)]) -> Response {
    let mut target = path.to_owned();
    if !query.is_empty() {
        target.push(if path.contains('?') { '&' } else { '?' });
        target.push_str(&url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish());
    }
    redirect(&target)
}

/// Sends the browser to the login page, and from there back; `again` asks for a login even of who is logged in.
pub(crate) fn to_login(next: &str, again: bool) -> Response {
    if again { to("/login", &[("next", next), ("again", "true")]) } else { to("/login", &[("next", next)]) }
}

/// 303: whatever the request was, the next one is a GET.
pub(crate) fn redirect(target: &str) -> Response {
    const NO_STORE: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match HeaderValue::try_from(target) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location), NO_STORE]).into_response(),
        Err(_) => Refusal::invalid_request("The address to go to next is malformed").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_this_uaa_come_next() {
        for good in ["/oauth/authorize?client_id=x&redirect_uri=https%3A%2F%2Fa.example", "/passcode", "/profile"] {
            assert_eq!(local(Some(good)), good);
        }
        for bad in [
            "https://evil.example/passcode",
            "//evil.example/passcode",
            "/\\evil.example/passcode",
            "\\\\evil.example/passcode",
            "/oauth/token",
            "/passcode/../logout.do",
            "javascript:alert(1)",
            "passcode",
            "",
            "/\t/evil.example/passcode",
        ] {
            assert_eq!(local(Some(bad)), "/profile", "{bad}");
        }
        assert_eq!(local(None), "/profile");
        assert_eq!(local(Some("/oauth/authorize?a=\r\nSet-Cookie: x")), "/oauth/authorize?a=Set-Cookie:%20x");
    }
}
