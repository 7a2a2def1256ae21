//! One pass over a request's headers that finds out which of the rules of this folder have anything to do. Most
//! requests carry none of the headers in question, and looking each of them up would cost more than all the rest.

use http::{HeaderMap, HeaderValue};

/// What a request's headers hold.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Bytes of all fields on the wire: name, value, and four for colon, space and line end.
    pub(crate) bytes: usize,
    /// The `Host` header.
    pub(crate) host: Option<HeaderValue>,
    /// Whether there are several.
    pub(crate) has_hosts: bool,
    /// Something that [`super::hops`] would take out.
    pub(crate) has_hops: bool,
    /// An `Upgrade`.
    pub(crate) has_upgrade: bool,
    /// Something that [`super::forwarding`] would have to replace or add to.
    pub(crate) has_forwarding: bool,
    /// The beginning of a trace.
    pub(crate) has_trace: bool,
    /// `X-Cf-App-Instance` or `X-Cf-Process-Instance`.
    pub(crate) has_pin: bool,
    /// `Cookie`.
    pub(crate) has_cookies: bool,
    /// For the access log.
    pub(crate) referer: Option<HeaderValue>,
    /// For the access log.
    pub(crate) user_agent: Option<HeaderValue>,
}

impl Scan {
    /// Looks through them.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut scan = Self::default();
        for (name, value) in headers {
            let name = name.as_str();
            scan.bytes += name.len() + value.len() + 4;
            match name {
                "host" => scan.has_hosts |= scan.host.replace(value.clone()).is_some(),
                "upgrade" => (scan.has_upgrade, scan.has_hops) = (true, true),
                "connection"
                | "keep-alive"
                | "proxy-connection"
                | "http2-settings"
                | "transfer-encoding"
                | "te"
                | "proxy-authenticate"
                | "proxy-authorization" => scan.has_hops = true,
                "x-forwarded-for"
                | "x-forwarded-proto"
                | "x-forwarded-host"
                | "x-forwarded-client-cert"
                | "forwarded"
                | "x-request-start" => {
                    scan.has_forwarding = true;
                }
                "x-b3-traceid" | "x-b3-spanid" | "b3" | "traceparent" | "tracestate" => scan.has_trace = true,
                "x-cf-app-instance" | "x-cf-process-instance" => scan.has_pin = true,
                "cookie" => scan.has_cookies = true,
                "referer" => scan.referer = Some(value.clone()),
                "user-agent" => scan.user_agent = Some(value.clone()),
                _ => {}
            }
        }
        scan
    }
}

/// Whether an answer has something that [`super::hops`] would take out.
pub(crate) fn has_hops(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        matches!(
            name.as_str(),
            "connection"
                | "keep-alive"
                | "proxy-connection"
                | "transfer-encoding"
                | "te"
                | "upgrade"
                | "proxy-authenticate"
                | "http2-settings"
                | "proxy-authorization"
        )
    })
}
