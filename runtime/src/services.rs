//! The platform's own services: a guest's request to `http://<name>.services.internal` goes to the services' process, where the app is bound
//! to something of that name. What is needed to enter is added here; the guest never has it (ADR 0020).

use crate::{internal::Internal, outbound::Outbound};
use http::{HeaderName, HeaderValue, Uri, uri::Authority};
use std::collections::HashMap;
use tokio::net::UnixStream;
use virga_contract::cell::CellService;
use virga_model::{AppGuid, ServiceCredentialBindingGuid, ServiceInstanceGuid, service::SERVICES_DOMAIN};
use wasmtime_wasi_http::{Error, WasiBody};

/// On whose behalf a request is handed on.
const BINDING: HeaderName = HeaderName::from_static("virga-binding");

/// What each app is bound to, by name.
pub(crate) type Names = HashMap<AppGuid, HashMap<Box<str>, Bound>>;

/// What a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    instance: ServiceInstanceGuid,
    binding: ServiceCredentialBindingGuid,
}

/// The names of one snapshot.
pub(crate) fn names(services: &[CellService]) -> Names {
    let mut names = Names::new();
    for service in services {
        let bound = Bound { instance: service.instance, binding: service.binding };
        names.entry(service.app).or_default().insert(service.label.as_str().into(), bound);
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
            self.log.cell(format!("outbound request to {authority} refused: the app is bound to no service of the platform of that name"));
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

    /// A connection to the services' process.
    pub(crate) async fn connect_to_services(&self) -> Result<UnixStream, Error> {
        let Some(socket) = &self.services_socket else {
            self.log.cell("outbound request refused: this platform has no services of its own");
            return Err(Error::ConnectionRefused);
        };
        UnixStream::connect(&**socket).await.map_err(|error| {
            self.log.cell(format!("the platform's services do not answer: {error}"));
            Error::ConnectionRefused
        })
    }
}

impl Bound {
    /// Turns a guest's request into one to the services' process. What the guest itself wrote there counts for nothing.
    pub(crate) fn address(self, request: &mut http::Request<WasiBody>) -> Result<(), Error> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::try_from(format!("/data/{}{path}", self.instance)).map_err(|_| Error::HttpRequestUriInvalid)?;
        *request.uri_mut() = uri;
        let binding = HeaderValue::try_from(self.binding.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?;
        request.headers_mut().insert(BINDING, binding);
        Ok(())
    }
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
        let bound = names(&[service(1, "cart")])[&AppGuid::from_u128(1)]["cart"];
        let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
        let mut request =
            http::Request::get("http://cart.services.internal/v1/keys/a%2Fb?x=1").header("virga-binding", "forged").body(body).unwrap();
        request.headers_mut().append(BINDING, HeaderValue::from_static("again"));
        bound.address(&mut request).unwrap();
        assert_eq!(request.uri(), "/data/00000000-0000-0000-0000-000000000007/v1/keys/a%2Fb?x=1");
        let bindings: Vec<_> = request.headers().get_all(BINDING).iter().collect();
        assert_eq!(bindings, ["00000000-0000-0000-0000-000000000008"]);
    }
}
