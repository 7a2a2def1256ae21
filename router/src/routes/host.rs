//! The host a request names: where it stands, and its one spelling.

use crate::{failure::Failure, headers::scan::Scan};
use http::{HeaderValue, Uri};
use std::{borrow::Cow, net::IpAddr};

/// The longest `Host` worth looking up: a whole name (253) with a dot and a port.
const MAX_HOST_HEADER_BYTES: usize = 260;

/// The host as the client wrote it, with its port. The authority of the target wins over the `Host` header
/// (RFC 9112, section 3.2.2); it is the only one in HTTP/2.
///
/// # Errors
/// [`Failure::EmptyHost`] where none is given, [`Failure::BadRequest`] for several or a nonsensical one.
pub(crate) fn authority(uri: &Uri, scan: &Scan) -> Result<HeaderValue, Failure> {
    if scan.has_hosts {
        return Err(Failure::BadRequest("several Host headers"));
    }
    let value = match uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).map_err(|_| Failure::BadRequest("invalid authority"))?,
        None => scan.host.clone().ok_or(Failure::EmptyHost)?,
    };
    let bytes = value.as_bytes();
    if bytes.is_empty() {
        return Err(Failure::EmptyHost);
    }
    let is_sane = bytes.len() <= MAX_HOST_HEADER_BYTES
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'*'));
    if is_sane { Ok(value) } else { Err(Failure::BadRequest("invalid Host header")) }
}

/// The one spelling under which a host is looked up: no port, no trailing dot, lower case.
pub(crate) fn normalise(authority: &str) -> Cow<'_, str> {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    lower(host)
}

/// The text in lower case, copied only where it is not so already.
pub(crate) fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) }
}

/// Whether a normalised host needs no DNS: an IP literal or `localhost`.
pub(crate) fn is_bare(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, header};

    fn authority(uri: &Uri, headers: &HeaderMap) -> Result<HeaderValue, Failure> {
        super::authority(uri, &Scan::of(headers))
    }

    #[test]
    fn a_host_has_one_spelling() {
        for (given, host) in [
            ("App.Example.COM:8080", "app.example.com"),
            ("app.example.com.", "app.example.com"),
            ("app.example.com.:80", "app.example.com"),
            ("[::1]:8080", "::1"),
            ("127.0.0.1", "127.0.0.1"),
            (":80", ""),
        ] {
            assert_eq!(normalise(given), host, "{given}");
        }
        assert!(is_bare("::1") && is_bare("10.0.0.1") && is_bare("localhost") && !is_bare("app.localhost"));
    }

    #[test]
    fn the_target_wins_and_nonsense_is_refused() {
        let mut headers = HeaderMap::new();
        let origin = Uri::from_static("/p");
        assert!(matches!(authority(&origin, &headers), Err(Failure::EmptyHost)));
        headers.insert(header::HOST, HeaderValue::from_static("forged.example.com"));
        assert_eq!(
            authority(&Uri::from_static("http://real.example.com/p"), &headers).ok(),
            Some(HeaderValue::from_static("real.example.com"))
        );
        assert_eq!(authority(&origin, &headers).ok(), Some(HeaderValue::from_static("forged.example.com")));
        for bad in ["a/b", "user@host", "a b", "a,b", "a\"b"] {
            headers.insert(header::HOST, HeaderValue::from_str(bad).unwrap());
            assert!(matches!(authority(&origin, &headers), Err(Failure::BadRequest(_))), "{bad}");
        }
        headers.append(header::HOST, HeaderValue::from_static("two"));
        assert!(authority(&origin, &headers).is_err());
    }
}
