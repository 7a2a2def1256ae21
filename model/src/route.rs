//! Routes: how a request's host and path name an app.

use crate::words;

words! {
    /// The protocol between router and instance.
    RouteProtocol { Http1 = "http1", Http2 = "http2", Tcp = "tcp", }
}

/// The longest host label and the longest whole host name (RFC 1035, section 2.3.4).
pub const MAX_LABEL_BYTES: usize = 63;
/// See [`MAX_LABEL_BYTES`].
pub const MAX_HOST_BYTES: usize = 253;

/// Whether `host` may stand before a domain in a route: `*`, or letters, digits, `-`, `_` up to 63 bytes.
#[must_use]
pub fn is_route_host(host: &str) -> bool {
    host == "*"
        || (!host.is_empty() && host.len() <= MAX_LABEL_BYTES && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
}

/// Whether `path` may be a route's path: empty, or starting with `/`, no `?`, up to 128 bytes, and more than `/`.
#[must_use]
pub fn is_route_path(path: &str) -> bool {
    path.is_empty() || (path.starts_with('/') && path.len() > 1 && path.len() <= 128 && !path.contains('?'))
}

/// Whether `name` can be a domain: two or more labels of letters, digits and inner hyphens.
#[must_use]
pub fn is_domain_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= MAX_LABEL_BYTES
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name.len() <= MAX_HOST_BYTES && name.contains('.') && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_paths_and_domains_keep_their_rules() {
        assert!(is_route_host("my_app-1") && is_route_host("*") && !is_route_host("a.b") && !is_route_host(""));
        assert!(is_route_path("") && is_route_path("/v1") && !is_route_path("/") && !is_route_path("/a?b") && !is_route_path("a"));
        assert!(is_domain_name("apps.virga.localhost") && !is_domain_name("com") && !is_domain_name("-a.com") && !is_domain_name("a..b"));
    }
}
