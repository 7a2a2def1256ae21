//! Services without a credential: a guest's request to `http://<name>.services.internal` goes to what the app is bound to under that name, an instance
//! of the platform's own services or a place outside. What is needed to enter is added here; the guest never has it (ADR 0020).

use crate::{internal::Internal, outbound::Outbound};
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri, header,
    uri::{Authority, Scheme},
};
use percent_encoding::percent_decode_str;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{net::UnixStream, time::Instant};
use virga_contract::cell::CellService;
use virga_model::{
    AppGuid, ServiceCredentialBindingGuid, ServiceInstanceGuid,
    service::{HostHeld, SERVICES_DOMAIN},
};
use wasmtime_wasi_http::{Error, WasiBody};

/// On whose behalf a request is handed on.
const BINDING: HeaderName = HeaderName::from_static("virga-binding");

/// How long the services' process may be away before a request fails, and the pause between two tries to reach it.
const AWAY: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// What each app is bound to, by name.
pub(crate) type Names = HashMap<AppGuid, HashMap<Box<str>, Bound>>;

/// What a name leads to.
#[derive(Debug, Clone)]
pub(crate) enum Bound {
    /// An instance of the platform's own services.
    Own { instance: ServiceInstanceGuid, binding: ServiceCredentialBindingGuid },
    /// A place outside.
    Held(Arc<Held>),
}

/// A place outside, and how to enter.
pub(crate) struct Held {
    pub(crate) authority: Authority,
    pub(crate) is_tls: bool,
    /// What comes before every path; no `/` at its end.
    base: String,
    headers: HeaderMap,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

impl Held {
    /// None for what no request can be made of, which the controller takes from nobody.
    fn new(held: &HostHeld) -> Option<Self> {
        let uri: Uri = held.url.parse().ok()?;
        let mut headers = HeaderMap::with_capacity(held.headers.len());
        for (name, value) in &held.headers {
            let mut value = HeaderValue::try_from(value).ok()?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name).ok()?, value);
        }
        let is_tls = uri.scheme() == Some(&Scheme::HTTPS);
        Some(Self { authority: uri.authority()?.clone(), is_tls, base: uri.path().trim_end_matches('/').to_owned(), headers })
    }
}

/// The names of one snapshot.
pub(crate) fn names(services: &[CellService]) -> Names {
    let mut names = Names::new();
    for service in services {
        let bound = match &service.held {
            None => Some(Bound::Own { instance: service.instance, binding: service.binding }),
            Some(held) => Held::new(held).map(|held| Bound::Held(Arc::new(held))),
        };
        match bound {
            Some(bound) => drop(names.entry(service.app).or_default().insert(service.label.as_str().into(), bound)),
            None => tracing::error!(service_binding.guid = %service.binding, "what the platform holds for a service makes no request"),
        }
    }
    names
}

/// The name that is asked for, if it is one of a service.
fn label(host: &str) -> Option<String> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    Some(host.strip_suffix(SERVICES_DOMAIN)?.strip_suffix('.')?.to_owned())
}

impl Outbound {
    /// What this host leads to for this app; none where it is no service's name.
    ///
    /// # Errors
    /// When the app is bound to nothing of that name, or asks for TLS; the app's log says so.
    pub(crate) fn bound(&self, internal: &Internal, authority: &Authority, is_tls: bool) -> Result<Option<Bound>, Error> {
        let Some(label) = label(authority.host()) else { return Ok(None) };
        let Some(bound) = internal.service(self.app, &label) else {
            self.log
                .cell(format!("outbound request to {authority} refused: the app is bound to no service of that name that is reached so"));
            return Err(Error::DnsError { rcode: Some("name not resolved".into()), info_code: None });
        };
        if is_tls {
            self.log.cell(format!(
                "outbound request to https://{authority} refused: services are reached by http, and nothing leaves the machine"
            ));
            return Err(Error::TlsProtocolError);
        }
        Ok(Some(bound))
    }

    /// A connection to the services' process. One that is just being started is waited for: nothing was sent yet.
    pub(crate) async fn connect_to_services(&self) -> Result<UnixStream, Error> {
        let Some(socket) = &self.services_socket else {
            self.log.cell("outbound request refused: this platform has no services of its own");
            return Err(Error::ConnectionRefused);
        };
        let deadline = Instant::now() + AWAY;
        loop {
            match UnixStream::connect(&**socket).await {
                Ok(stream) => return Ok(stream),
                // It is started again, alone or with the control process.
                Err(_) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                Err(error) => {
                    self.log.cell(format!("the platform's services do not answer: {error}"));
                    return Err(Error::ConnectionRefused);
                }
            }
        }
    }
}

impl Bound {
    /// Turns a guest's request, of whose URI the path is left, into the one that is sent. What the guest itself wrote there counts for nothing.
    pub(crate) fn address(&self, request: &mut http::Request<WasiBody>) -> Result<(), Error> {
        let invalid = || Error::HttpRequestUriInvalid;
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        match self {
            Self::Own { instance, binding } => {
                *request.uri_mut() = Uri::try_from(format!("/data/{instance}{path}")).map_err(|_| invalid())?;
                let binding = HeaderValue::try_from(binding.to_string()).map_err(|_| invalid())?;
                request.headers_mut().insert(BINDING, binding);
            }
            Self::Held(held) => {
                if climbs(request.uri().path()) {
                    return Err(invalid());
                }
                *request.uri_mut() = Uri::try_from(format!("{}{path}", held.base)).map_err(|_| invalid())?;
                let host = HeaderValue::try_from(held.authority.as_str()).map_err(|_| invalid())?;
                request.headers_mut().insert(header::HOST, host);
                for (name, value) in &held.headers {
                    request.headers_mut().insert(name, value.clone());
                }
            }
        }
        Ok(())
    }
}

/// Whether a path leads above where it begins, in any of the spellings that servers undo.
fn climbs(path: &str) -> bool {
    let path = percent_decode_str(path).decode_utf8_lossy();
    let mut segments = path.split(['/', '\\']);
    !path.starts_with('/') || segments.any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Instances;
    use http_body_util::BodyExt as _;
    use virga_contract::cell::CellSnapshot;

    fn service(app: u128, name: &str) -> CellService {
        CellService {
            app: AppGuid::from_u128(app),
            label: name.into(),
            instance: ServiceInstanceGuid::from_u128(7),
            binding: ServiceCredentialBindingGuid::from_u128(8),
            held: None,
        }
    }

    #[test]
    fn names_are_the_apps_own() {
        let services = vec![service(1, "cart"), service(2, "other")];
        let internal = Internal::new(&CellSnapshot { services, ..CellSnapshot::default() }, &Instances::new());
        assert!(internal.service(AppGuid::from_u128(1), "cart").is_some());
        assert!(internal.service(AppGuid::from_u128(1), "other").is_none() && internal.service(AppGuid::from_u128(3), "cart").is_none());
    }

    #[test]
    fn hosts_of_services_are_those_below_their_domain() {
        for (host, name) in [("Cart.Services.Internal.", Some("cart")), ("a.b.services.internal", Some("a.b")), ("services.internal", None)]
        {
            assert_eq!(label(host).as_deref(), name, "{host}");
        }
        assert!(label("cartservices.internal").is_none() && label("cart.services.internal.example.com").is_none());
    }

    #[test]
    fn what_a_guest_says_of_bindings_is_overwritten() {
        let bound = names(&[service(1, "cart")])[&AppGuid::from_u128(1)]["cart"].clone();
        let mut request = request("/v1/keys/a%2Fb?x=1");
        for forged in ["forged", "again"] {
            request.headers_mut().append(BINDING, HeaderValue::from_static(forged));
        }
        bound.address(&mut request).unwrap();
        assert_eq!(request.uri(), "/data/00000000-0000-0000-0000-000000000007/v1/keys/a%2Fb?x=1");
        let bindings: Vec<_> = request.headers().get_all(BINDING).iter().collect();
        assert_eq!(bindings, ["00000000-0000-0000-0000-000000000008"]);
    }

    fn request(path: &str) -> http::Request<WasiBody> {
        let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
        http::Request::get(path).body(body).unwrap()
    }

    fn held(url: &str) -> Bound {
        let headers = [("authorization".to_owned(), "Bearer secret".to_owned())].into();
        let held = Some(Arc::new(HostHeld { url: url.to_owned(), headers }));
        names(&[CellService { held, ..service(1, "api") }])[&AppGuid::from_u128(1)]["api"].clone()
    }

    #[test]
    fn requests_to_a_place_outside_get_what_the_host_holds() {
        let mut request = request("/orders?open=1");
        request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer forged"));
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("api.services.internal"));
        held("https://api.example.com:8443/v1/").address(&mut request).unwrap();
        assert_eq!(request.uri(), "/v1/orders?open=1");
        assert_eq!(request.headers()[header::HOST], "api.example.com:8443");
        let given: Vec<_> = request.headers().get_all(header::AUTHORIZATION).iter().collect();
        assert_eq!(given, ["Bearer secret"]);
    }

    #[test]
    fn no_path_leads_above_that_of_the_place() {
        for path in [
            "/../admin",
            "/a/../../admin",
            "/%2e%2e/admin",
            "/.%2E/admin",
            "/a%2f..%2fadmin",
            "/a%5c..%5cadmin",
            "/..;/admin",
            "/a/./b",
            "/a/..",
        ] {
            assert!(held("https://api.example.com/v1").address(&mut request(path)).is_err(), "{path}");
        }
        for path in ["/", "/a..b/..c", "/a?x=../b"] {
            held("https://api.example.com/v1").address(&mut request(path)).unwrap();
        }
    }
}
