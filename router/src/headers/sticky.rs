//! Sticky sessions: an app that sets `JSESSIONID` gets its client back, by a cookie `__VCAP_ID__` of the router's.

use http::{HeaderMap, HeaderValue, header};
use virga_model::InstanceGuid;

/// The router's own cookie; its value is the guid of the instance.
const VCAP_ID: &str = "__VCAP_ID__";

/// The instance that a session is bound to: only where the client sends the app's cookie as well.
pub(crate) fn bound_to(headers: &HeaderMap, sticky_cookies: &[String]) -> Option<InstanceGuid> {
    let mut instance = None;
    let mut has_session = false;
    for line in headers.get_all(header::COOKIE) {
        for pair in line.to_str().unwrap_or_default().split(';') {
            let Some((name, value)) = pair.trim().split_once('=') else { continue };
            if name == VCAP_ID {
                instance = instance.or_else(|| value.trim_matches('"').parse().ok());
            } else if sticky_cookies.iter().any(|cookie| cookie == name) {
                has_session = true;
            }
        }
    }
    instance.filter(|_| has_session)
}

/// Adds `__VCAP_ID__` to an answer that opens a session, or whose session had to move to `served_by`. An app that sets
/// the cookie itself is left alone.
pub(crate) fn bind(headers: &mut HeaderMap, sticky_cookies: &[String], was: Option<InstanceGuid>, served_by: InstanceGuid, path: &str) {
    let has_moved = was.is_some_and(|was| was != served_by);
    if !has_moved && !headers.contains_key(header::SET_COOKIE) {
        return;
    }
    let mut session = None;
    for line in headers.get_all(header::SET_COOKIE) {
        let line = line.to_str().unwrap_or_default();
        let name = line.split(['=', ';']).next().unwrap_or_default().trim();
        if name == VCAP_ID {
            return;
        }
        if sticky_cookies.iter().any(|cookie| cookie == name) {
            session = Some(line);
        }
    }
    if session.is_none() && !has_moved {
        return;
    }
    let mut cookie = format!("{VCAP_ID}={served_by}; Path={}; HttpOnly", if path.is_empty() { "/" } else { path });
    for attribute in session.unwrap_or_default().split(';').skip(1).map(str::trim) {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let is_copied = match name.to_ascii_lowercase().as_str() {
            "secure" | "samesite" | "expires" | "partitioned" => true,
            // Ends the session: both cookies go. A positive one would outlive the instance.
            "max-age" => value.starts_with('-'),
            _ => false,
        };
        if is_copied {
            cookie.push_str("; ");
            cookie.push_str(attribute);
        }
    }
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.append(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["JSESSIONID".to_owned()]
    }

    fn cookies(was: Option<InstanceGuid>, set: &[&str], path: &str) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in set {
            headers.append(header::SET_COOKIE, HeaderValue::from_str(line).unwrap());
        }
        bind(&mut headers, &names(), was, InstanceGuid::from_u128(7), path);
        headers.get_all(header::SET_COOKIE).iter().skip(set.len()).map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_session_is_bound_with_the_attributes_of_the_apps_cookie() {
        let id = InstanceGuid::from_u128(7);
        assert_eq!(cookies(None, &["other=1"], ""), Vec::<String>::new());
        assert_eq!(
            cookies(None, &["JSESSIONID=a; Path=/x; Domain=e.com; Max-Age=60"], ""),
            [format!("__VCAP_ID__={id}; Path=/; HttpOnly")]
        );
        assert_eq!(
            cookies(None, &["JSESSIONID=a; Secure; SameSite=None; Partitioned; Max-Age=-1"], "/ctx"),
            [format!("__VCAP_ID__={id}; Path=/ctx; HttpOnly; Secure; SameSite=None; Partitioned; Max-Age=-1")]
        );
        assert!(cookies(None, &["JSESSIONID=a", "__VCAP_ID__=mine"], "").is_empty());
    }

    #[test]
    fn a_session_that_moved_is_bound_anew() {
        assert_eq!(cookies(Some(InstanceGuid::from_u128(8)), &[], "").len(), 1);
        assert!(cookies(Some(InstanceGuid::from_u128(7)), &[], "").is_empty());
    }

    #[test]
    fn both_cookies_are_needed() {
        let id = InstanceGuid::random();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(&format!("a=b; __VCAP_ID__={id}")).unwrap());
        assert_eq!(bound_to(&headers, &names()), None);
        headers.append(header::COOKIE, HeaderValue::from_static("JSESSIONID=x"));
        assert_eq!(bound_to(&headers, &names()), Some(id));
    }
}
