//! Headers that speak of one connection only (RFC 9110, section 7.6.1) end here, in both directions.

use http::{HeaderMap, HeaderName, HeaderValue, header};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// What the request asks to become, if it asks to leave HTTP on this connection. An offer of HTTP/2 may be ignored (RFC 9113,
/// section 3.1), and is.
pub(crate) fn wanted_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let protocol = headers.get(header::UPGRADE).filter(|protocol| !protocol.as_bytes().eq_ignore_ascii_case(b"h2c"))?;
    let mut options = headers.get_all(header::CONNECTION).iter();
    options.any(|value| tokens(value).any(|token| token.eq_ignore_ascii_case("upgrade"))).then(|| protocol.clone())
}

/// Asks for it, or agrees to it, on the next connection of the way.
pub(crate) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, UPGRADE);
    headers.insert(header::UPGRADE, protocol);
}

/// Takes them out. `TE: trailers` stays: whoever answers may then send trailers.
pub(crate) fn strip(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        strip_named(headers);
    }
    if headers.get(header::TE).is_some_and(|value| *value != TRAILERS) {
        headers.remove(header::TE);
    }
    for name in [
        KEEP_ALIVE,
        PROXY_CONNECTION,
        HTTP2_SETTINGS,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
    ] {
        headers.remove(name);
    }
}

/// Takes out what `Connection` names, and itself. What every request needs cannot be taken away by naming it here
/// (an old trick to make a proxy forget who called).
fn strip_named(headers: &mut HeaderMap) {
    let mut named: Vec<HeaderName> = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        named.extend(tokens(value).filter_map(|token| token.parse().ok()));
    }
    for name in named {
        let is_kept = [header::HOST, header::CONTENT_LENGTH, header::AUTHORIZATION, header::COOKIE, header::TE].contains(&name)
            || name.as_str().starts_with("x-forwarded-");
        if !is_kept {
            headers.remove(name);
        }
    }
    headers.remove(header::CONNECTION);
}

fn tokens(value: &HeaderValue) -> impl Iterator<Item = &str> {
    value.to_str().unwrap_or_default().split(',').map(str::trim).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_speaks_of_the_connection_ends_here() {
        let mut map = headers(&[
            ("connection", "keep-alive, X-Secret, x-forwarded-for, host"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip"),
            ("x-secret", "1"),
            ("x-forwarded-for", "1.2.3.4"),
            ("host", "a"),
            ("proxy-authorization", "Basic eA=="),
            ("accept", "*/*"),
        ]);
        strip(&mut map);
        let mut left: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "host", "x-forwarded-for"]);
    }

    #[test]
    fn an_offer_of_http2_is_not_an_upgrade_to_refuse() {
        assert_eq!(wanted_upgrade(&headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")])).unwrap(), "websocket");
        assert!(wanted_upgrade(&headers(&[("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c")])).is_none());
        assert!(wanted_upgrade(&headers(&[("upgrade", "websocket")])).is_none());
    }
}
