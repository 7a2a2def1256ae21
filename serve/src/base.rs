//! The bases of links: under which address this caller reaches the three APIs.
//!
//! Who comes by a system host name (`api.<domain>`) is sent to system host names; who comes by a bare address, where no
//! DNS exists, stays on that one address. A `Host` header of anybody else's name is never echoed.

use axum::extract::FromRequestParts;
use http::{HeaderMap, header, request::Parts, uri::Authority};
use std::{convert::Infallible, net::IpAddr, sync::Arc};

/// Labels that, before the system domain, are names of this platform.
pub const SYSTEM_LABELS: &[&str] = &["api", "uaa", "login", "log-cache", "doppler", "log-stream", "ssh"];

/// What this installation is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The system domain, such as `virga.localhost`.
    pub domain: String,
    /// `http` or `https`: how callers reach the platform when no proxy says otherwise.
    pub scheme: String,
    /// Port of the public listener, left out of links where it is the scheme's own.
    pub port: u16,
    /// Further `host` or `host:port` names by which this platform may be reached bare, such as a load balancer's.
    pub names: Vec<String>,
}

impl Endpoints {
    /// The token issuer: fixed, whatever host a caller used. With the port where it is not the scheme's own: strict clients read
    /// the configuration at this very address.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("{}/oauth/token", self.canonical().uaa)
    }

    /// The bases for a request with these headers. A `Host` that is not ours gives the platform's own names.
    #[must_use]
    pub fn base(&self, headers: &HeaderMap, authority: Option<&Authority>) -> Base {
        let forwarded = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        let scheme = match forwarded.map(|proto| proto.split(',').next().unwrap_or_default().trim()) {
            Some("https") => "https",
            Some("http") => "http",
            _ => self.scheme.as_str(),
        };
        let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).or(authority.map(Authority::as_str));
        match host.map(str::to_ascii_lowercase).and_then(|host| self.place(&host)) {
            Some(Place::Bare(authority)) => Base::bare(&format!("{scheme}://{authority}")),
            Some(Place::System(port)) => Base::system(scheme, &self.domain, port),
            None => Base::system(scheme, &self.domain, self.public_port()),
        }
    }

    /// The bases that every caller reaches when DNS is in order; for links made outside a request.
    #[must_use]
    pub fn canonical(&self) -> Base {
        Base::system(&self.scheme, &self.domain, self.public_port())
    }

    fn public_port(&self) -> Option<u16> {
        let default = if self.scheme == "https" { 443 } else { 80 };
        (self.port != default).then_some(self.port)
    }

    fn place(&self, host: &str) -> Option<Place> {
        let authority: Authority = host.parse().ok()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let name = authority.host();
        let port = authority.port_u16();
        // `a:` and `a:99999` parse as an authority without a port.
        if port.is_none() && authority.as_str() != name {
            return None;
        }
        let system = name.strip_suffix(self.domain.as_str()).and_then(|rest| rest.strip_suffix('.'));
        if system.is_some_and(|label| SYSTEM_LABELS.contains(&label)) {
            return Some(Place::System(port));
        }
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let own = name == self.domain || name == "localhost" || address.parse::<IpAddr>().is_ok();
        let named = self.names.iter().any(|own| own.eq_ignore_ascii_case(name) || own.eq_ignore_ascii_case(host));
        (own || named).then(|| Place::Bare(host.to_owned()))
    }
}

enum Place {
    /// A system host name, with the port the caller used.
    System(Option<u16>),
    /// A bare address of ours.
    Bare(String),
}

/// The bases of links for one request, each without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The v3 API.
    pub api: String,
    /// The UAA.
    pub uaa: String,
    /// The login server (the UAA by another name).
    pub login: String,
    /// The log cache.
    pub log_cache: String,
}

impl Base {
    /// One base for all.
    #[must_use]
    pub fn bare(base: &str) -> Self {
        Self { api: base.to_owned(), uaa: base.to_owned(), login: base.to_owned(), log_cache: base.to_owned() }
    }

    fn system(scheme: &str, domain: &str, port: Option<u16>) -> Self {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let base = |label: &str| format!("{scheme}://{label}.{domain}{port}");
        Self { api: base("api"), uaa: base("uaa"), login: base("login"), log_cache: base("log-cache") }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Base {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let endpoints = parts.extensions.get::<Arc<Endpoints>>();
        // Without endpoints (a server that makes no links) nothing of the request may be trusted.
        Ok(endpoints.map_or_else(|| Self::bare(""), |endpoints| endpoints.base(&parts.headers, parts.uri.authority())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn base(host: &str, proto: Option<&'static str>) -> Base {
        let endpoints =
            Endpoints { domain: "virga.localhost".into(), scheme: "http".into(), port: 8080, names: vec!["lb.example.com".into()] };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(proto) = proto {
            headers.insert("x-forwarded-proto", HeaderValue::from_static(proto));
        }
        endpoints.base(&headers, None)
    }

    #[test]
    fn system_names_lead_to_system_names() {
        let links = base("API.virga.localhost:9090", None);
        assert_eq!(links.api, "http://api.virga.localhost:9090");
        assert_eq!(links.log_cache, "http://log-cache.virga.localhost:9090");
        assert_eq!(base("uaa.virga.localhost", Some("https")).login, "https://login.virga.localhost");
    }

    #[test]
    fn the_issuer_is_where_its_configuration_is_read() {
        let issuer =
            |scheme: &str, port| Endpoints { domain: "virga.localhost".into(), scheme: scheme.into(), port, names: Vec::new() }.issuer();
        assert_eq!(issuer("http", 80), "http://uaa.virga.localhost/oauth/token");
        assert_eq!(issuer("https", 443), "https://uaa.virga.localhost/oauth/token");
        assert_eq!(issuer("https", 8443), "https://uaa.virga.localhost:8443/oauth/token");
    }

    #[test]
    fn bare_addresses_stay_where_they_are() {
        for host in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "10.0.0.1", "lb.example.com", "virga.localhost:8080"] {
            assert_eq!(base(host, None), Base::bare(&format!("http://{host}")));
        }
    }

    #[test]
    fn names_of_others_are_not_echoed() {
        for host in
            ["evil.example", "evil.example:8080", "x@127.0.0.1", "api.virga.localhost.evil.example", "localhost:99999", "localhost:", "a b"]
        {
            assert_eq!(base(host, None).api, "http://api.virga.localhost:8080", "{host}");
        }
        assert_eq!(base("localhost", Some("javascript")).api, "http://localhost");
    }
}
