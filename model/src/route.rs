//! Routes: how a request's host and path name an app.

use crate::words;
use serde::{Deserialize, Serialize};
use serde_json::Value;

words! {
    /// The protocol between router and instance.
    RouteProtocol { Http1 = "http1", Http2 = "http2", Tcp = "tcp", }
}

/// How requests are spread over the instances of a route that says so itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadBalancing {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests in flight.
    LeastConnection,
    /// Requests with the same value of a header go to the same instance.
    Hash {
        /// Name of the header; requests without it take turns.
        header: String,
        /// An instance with more than this share of the mean of requests in flight, in percent (110 to 1000), is passed over;
        /// none is.
        balance_percent: Option<u16>,
    },
}

impl LoadBalancing {
    /// From a route's options (`loadbalancing`, `hash_header`, `hash_balance`); `None` where they say nothing of it.
    #[must_use]
    pub fn of_options(options: &Value) -> Option<Self> {
        let text = |name: &str| options.get(name).and_then(Value::as_str);
        match text("loadbalancing")? {
            "round-robin" => Some(Self::RoundRobin),
            "least-connection" => Some(Self::LeastConnection),
            "hash" => {
                let percent = text("hash_balance").and_then(percent_of).filter(|percent| *percent > 0);
                Some(Self::Hash { header: text("hash_header")?.to_owned(), balance_percent: percent })
            }
            _ => None,
        }
    }
}

/// `1.5` is 150.
fn percent_of(factor: &str) -> Option<u16> {
    let (whole, part) = factor.split_once('.').unwrap_or((factor, "0"));
    let tenths: u16 = part.get(..1)?.parse().ok()?;
    whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(tenths * 10)
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

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether `name` can be a domain: two or more labels of letters, digits and inner hyphens. One whose last label is a number is
/// an address in some client's eyes (`127.0.0.1`, `0x7f.1`), and so would be what stands before it.
#[must_use]
pub fn is_domain_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= MAX_LABEL_BYTES
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(is_hex)
        || last.strip_prefix("0X").is_some_and(is_hex);
    name.len() <= MAX_HOST_BYTES && name.contains('.') && name.split('.').all(label) && !is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balancing_is_read_from_options_as_they_are_kept() {
        let of = |options: Value| LoadBalancing::of_options(&options);
        assert_eq!(of(serde_json::json!({ "loadbalancing": "least-connection" })), Some(LoadBalancing::LeastConnection));
        let hash = |balance| Some(LoadBalancing::Hash { header: "X-User".to_owned(), balance_percent: balance });
        assert_eq!(of(serde_json::json!({ "loadbalancing": "hash", "hash_header": "X-User", "hash_balance": "1.5" })), hash(Some(150)));
        assert_eq!(of(serde_json::json!({ "loadbalancing": "hash", "hash_header": "X-User", "hash_balance": "0.0" })), hash(None));
        assert_eq!(of(serde_json::json!({ "loadbalancing": "hash", "hash_header": "X-User" })), hash(None));
        assert_eq!(of(serde_json::json!({})), None);
    }

    #[test]
    fn hosts_paths_and_domains_keep_their_rules() {
        assert!(is_route_host("my_app-1") && is_route_host("*") && !is_route_host("a.b") && !is_route_host(""));
        assert!(is_route_path("") && is_route_path("/v1") && !is_route_path("/") && !is_route_path("/a?b") && !is_route_path("a"));
        assert!(is_domain_name("apps.virga.localhost") && !is_domain_name("com") && !is_domain_name("-a.com") && !is_domain_name("a..b"));
        for address in ["127.0.0.1", "0.0.1", "127.1", "1.0x7f", "a.0X", "a.1"] {
            assert!(!is_domain_name(address), "{address}");
        }
        assert!(is_domain_name("1.2.3.4.nip.io") && is_domain_name("a.0xyz"));
    }
}
