//! The request as meta-variables (RFC 3875, section 4.1).

use http::request::Parts;
use percent_encoding::percent_decode_str;

/// The variables of one request. `SCRIPT_NAME` is empty: the app is the whole of its host.
pub fn of(request: &Parts) -> Vec<(String, String)> {
    let mut variables = Vec::with_capacity(16 + request.headers.len());
    let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let host = match request.uri.authority() {
        Some(authority) => authority.as_str(),
        None => header("host"),
    };
    let is_https = header("x-forwarded-proto") == "https";
    let (name, port) = split_port(host);
    set("GATEWAY_INTERFACE", "CGI/1.1".into());
    set("SERVER_SOFTWARE", "virga".into());
    set("SERVER_PROTOCOL", "HTTP/1.1".into());
    set("SERVER_NAME", name.into());
    set("SERVER_PORT", port.unwrap_or(if is_https { "443" } else { "80" }).into());
    set("REQUEST_METHOD", request.method.to_string());
    set("REQUEST_URI", request.uri.path_and_query().map_or("/", |path| path.as_str()).into());
    set("SCRIPT_NAME", String::new());
    set("PATH_INFO", percent_decode_str(request.uri.path()).decode_utf8_lossy().replace('\0', ""));
    set("QUERY_STRING", request.uri.query().unwrap_or_default().into());
    set("REMOTE_ADDR", header("x-forwarded-for").split(',').next().unwrap_or_default().trim().into());
    if is_https {
        set("HTTPS", "on".into());
    }
    for (variable, name) in [("CONTENT_TYPE", "content-type"), ("CONTENT_LENGTH", "content-length")] {
        if request.headers.contains_key(name) {
            set(variable, header(name).into());
        }
    }
    for name in request.headers.keys() {
        // `Proxy` would become HTTP_PROXY, which client libraries take for the proxy to use ("httpoxy").
        if matches!(name.as_str(), "content-type" | "content-length" | "proxy" | "connection" | "transfer-encoding") {
            continue;
        }
        let values: Vec<_> = request.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let separator = if name == http::header::COOKIE { "; " } else { ", " };
        set(&format!("HTTP_{}", name.as_str().to_uppercase().replace('-', "_")), values.join(separator));
    }
    variables
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => (name, Some(port)),
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_request_becomes_variables() {
        let (parts, ()) = http::Request::post("/a%20b/c?x=1&y")
            .header("host", "app.example:8443")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-for", "1.2.3.4, 5.6.7.8")
            .header("content-type", "text/plain")
            .header("content-length", "3")
            .header("proxy", "http://evil")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .body(())
            .unwrap()
            .into_parts();
        let variables: BTreeMap<_, _> = of(&parts).into_iter().collect();
        for (name, value) in [
            ("REQUEST_METHOD", "POST"),
            ("PATH_INFO", "/a b/c"),
            ("QUERY_STRING", "x=1&y"),
            ("REQUEST_URI", "/a%20b/c?x=1&y"),
            ("SERVER_NAME", "app.example"),
            ("SERVER_PORT", "8443"),
            ("HTTPS", "on"),
            ("REMOTE_ADDR", "1.2.3.4"),
            ("CONTENT_TYPE", "text/plain"),
            ("CONTENT_LENGTH", "3"),
            ("HTTP_COOKIE", "a=1; b=2"),
        ] {
            assert_eq!(variables.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!variables.contains_key("HTTP_PROXY"));
    }
}
