//! Who called and how, told to the app: `X-Forwarded-*`, `X-Request-Start`, `X-CF-*`.

use crate::routes::Pick;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{fmt::Write as _, net::IpAddr, time::SystemTime};

/// Callers on the way, the nearest last.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `http` or `https`, as the client began.
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
const X_REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");
const X_CF_APPLICATION_ID: HeaderName = HeaderName::from_static("x-cf-applicationid");
const X_CF_INSTANCE_ID: HeaderName = HeaderName::from_static("x-cf-instanceid");
const X_CF_INSTANCE_INDEX: HeaderName = HeaderName::from_static("x-cf-instanceindex");

/// What the router itself knows about a caller.
pub(crate) struct Caller<'a> {
    /// The address of the connection.
    pub(crate) ip: IpAddr,
    /// That address as text.
    pub(crate) ip_header: &'a HeaderValue,
    /// Whether it is a load balancer whose word about scheme and host is taken.
    pub(crate) is_trusted: bool,
    /// The host it asked for.
    pub(crate) host: &'a HeaderValue,
    /// When.
    pub(crate) at: SystemTime,
}

/// Adds the forwarding headers. `X-Forwarded-For` is appended to, as gorouter does; the rest of what a client that is
/// no trusted load balancer says about its way is replaced or dropped, because apps build links and decisions on it.
///
/// `has_forwarding` says whether the request has any of these headers yet. Returns `X-Forwarded-For` and `-Proto`.
pub(crate) fn add(headers: &mut HeaderMap, caller: &Caller<'_>, has_forwarding: bool) -> (HeaderValue, HeaderValue) {
    const HTTP: HeaderValue = HeaderValue::from_static("http");
    if !has_forwarding {
        headers.insert(X_FORWARDED_FOR, caller.ip_header.clone());
        headers.insert(X_FORWARDED_PROTO, HTTP);
        headers.insert(X_FORWARDED_HOST, caller.host.clone());
        headers.insert(X_REQUEST_START, milliseconds(caller.at));
        return (caller.ip_header.clone(), HTTP);
    }
    let forwarded_for = match headers.get(&X_FORWARDED_FOR) {
        None => caller.ip_header.clone(),
        Some(_) => append(headers, caller.ip),
    };
    headers.insert(X_FORWARDED_FOR, forwarded_for.clone());
    if !caller.is_trusted {
        headers.remove(http::header::FORWARDED);
        headers.remove(&X_FORWARDED_CLIENT_CERT);
    }
    if !caller.is_trusted || !headers.contains_key(&X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HTTP);
    }
    if !caller.is_trusted || !headers.contains_key(&X_FORWARDED_HOST) {
        headers.insert(X_FORWARDED_HOST, caller.host.clone());
    }
    if !headers.contains_key(&X_REQUEST_START) {
        headers.insert(X_REQUEST_START, milliseconds(caller.at));
    }
    (forwarded_for, headers.get(&X_FORWARDED_PROTO).cloned().unwrap_or(HTTP))
}

fn milliseconds(at: SystemTime) -> HeaderValue {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    HeaderValue::from(u64::try_from(since.as_millis()).unwrap_or_default())
}

fn append(headers: &HeaderMap, ip: IpAddr) -> HeaderValue {
    let mut chain = Vec::with_capacity(64);
    for line in headers.get_all(&X_FORWARDED_FOR) {
        chain.extend_from_slice(line.as_bytes());
        chain.extend_from_slice(b", ");
    }
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write!(text, "{ip}");
    chain.extend_from_slice(text.as_bytes());
    HeaderValue::from_maybe_shared(bytes::Bytes::from(chain)).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// Tells the app which instance it is.
pub(crate) fn add_instance(headers: &mut HeaderMap, pick: &Pick) {
    let Some(instance) = pick.instance() else { return };
    headers.insert(X_CF_APPLICATION_ID, pick.process().app_header.clone());
    headers.insert(X_CF_INSTANCE_ID, instance.guid_header.clone());
    headers.insert(X_CF_INSTANCE_INDEX, instance.index_header.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(given: &[(&'static str, &'static str)], is_trusted: bool) -> HeaderMap {
        let mut headers: HeaderMap =
            given.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        let ip = IpAddr::from([203, 0, 113, 9]);
        let (host, ip_header) = (HeaderValue::from_static("app.example.com"), HeaderValue::from_static("203.0.113.9"));
        let caller = Caller { ip, ip_header: &ip_header, is_trusted, host: &host, at: SystemTime::UNIX_EPOCH };
        add(&mut headers, &caller, !given.is_empty());
        headers
    }

    const FORGED: [(&str, &str); 5] = [
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example.com"),
        ("forwarded", "for=10.0.0.1;proto=https"),
        ("x-forwarded-client-cert", "MII"),
    ];

    #[test]
    fn a_client_cannot_say_how_it_came() {
        let headers = forwarded(&FORGED, false);
        assert_eq!(headers["x-forwarded-for"], "10.0.0.1, 203.0.113.9");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "app.example.com");
        assert!(!headers.contains_key("forwarded") && !headers.contains_key("x-forwarded-client-cert"));
        assert_eq!(headers["x-request-start"], "0");
    }

    #[test]
    fn a_trusted_load_balancer_can() {
        let headers = forwarded(&FORGED, true);
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["x-forwarded-host"], "evil.example.com");
        assert!(headers.contains_key("forwarded"));
        assert_eq!(forwarded(&[], true)["x-forwarded-proto"], "http");
    }
}
