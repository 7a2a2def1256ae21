//! Internal routes: requests of one app to another go straight to an instance of it on this worker, without a router, where a
//! network policy allows it.

use crate::{
    host::Instances,
    instance::AppInstance,
    outbound::{Outbound, Sent, TimedBody},
    services,
};
use http_body_util::BodyExt as _;
use std::{
    collections::HashMap,
    ops::RangeInclusive,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use virga_contract::{
    Body, BoxError,
    cell::{CellError, CellSnapshot},
};
use virga_model::AppGuid;
use wasmtime_wasi_http::{Error, WasiBody};

/// The port that every app is reached at; policies name it.
pub(crate) const APP_PORT: u16 = 8080;

/// Internal routes and network policies of one snapshot.
#[derive(Default)]
pub(crate) struct Internal {
    /// By host.
    services: HashMap<Box<str>, Arc<Service>>,
    /// TCP ports of a destination, by source and destination.
    policies: HashMap<(AppGuid, AppGuid), Vec<RangeInclusive<u16>>>,
    /// The platform's services, by app and name.
    bound: services::Names,
}

/// What one internal host leads to.
pub(crate) struct Service {
    /// Its routable instances on this worker, each with its app.
    instances: Vec<(AppGuid, Weak<AppInstance>)>,
    /// Apps it leads to, also those without an instance now.
    apps: Vec<AppGuid>,
    /// Whose turn it is.
    next: AtomicUsize,
}

/// Why there is no instance for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreachable {
    /// No policy lets the source reach this port of any app behind the host.
    Denied,
    /// Nothing runs there, or nothing listens at this port.
    Refused,
}

impl Internal {
    pub(crate) fn new(snapshot: &CellSnapshot, instances: &Instances) -> Self {
        let processes: HashMap<_, _> = snapshot.processes.iter().map(|process| (process.process, process)).collect();
        let mut services = HashMap::with_capacity(snapshot.internal_routes.len());
        for route in &snapshot.internal_routes {
            let processes = route.destinations.iter().filter_map(|destination| processes.get(&destination.process));
            let mut service = Service { instances: Vec::new(), apps: Vec::new(), next: AtomicUsize::new(0) };
            for process in processes {
                service.apps.push(process.app);
                let routable = process.instances.iter().filter(|instance| instance.routable);
                let here = routable.filter_map(|instance| instances.get(&instance.guid));
                service.instances.extend(here.map(|instance| (process.app, Arc::downgrade(instance))));
            }
            services.insert(route.host.to_ascii_lowercase().into(), Arc::new(service));
        }
        let mut policies: HashMap<_, Vec<_>> = HashMap::new();
        for policy in snapshot.policies.iter().filter(|policy| policy.protocol == "tcp") {
            policies.entry((policy.source, policy.destination)).or_default().push(policy.first_port..=policy.last_port);
        }
        Self { services, policies, bound: services::names(&snapshot.services) }
    }

    /// What this host leads to, if it is an internal route's.
    pub(crate) fn find(&self, host: &str) -> Option<Arc<Service>> {
        self.services.get(host.trim_end_matches('.').to_ascii_lowercase().as_str()).cloned()
    }

    /// What a name of a service of the platform leads to for an app.
    pub(crate) fn service(&self, app: AppGuid, name: &str) -> Option<services::Bound> {
        self.bound.get(&app)?.get(name).cloned()
    }

    fn allows(&self, source: AppGuid, destination: AppGuid, port: u16) -> bool {
        self.policies.get(&(source, destination)).is_some_and(|ports| ports.iter().any(|range| range.contains(&port)))
    }

    /// The instance whose turn it is among those that `source` may reach at this port.
    fn pick(&self, service: &Service, source: AppGuid, port: u16) -> Result<Arc<AppInstance>, Unreachable> {
        if service.apps.is_empty() {
            return Err(Unreachable::Refused);
        }
        if !service.apps.iter().any(|app| self.allows(source, *app, port)) {
            return Err(Unreachable::Denied);
        }
        if port != APP_PORT {
            return Err(Unreachable::Refused);
        }
        let first = service.next.fetch_add(1, Relaxed);
        let turns = (0..service.instances.len()).filter_map(|turn| service.instances.get((first + turn) % service.instances.len()));
        let mut allowed = turns.filter(|(app, _)| self.allows(source, *app, port));
        allowed.find_map(|(_, instance)| instance.upgrade()).ok_or(Unreachable::Refused)
    }
}

/// How long a guest waits for what.
pub(crate) struct Waits {
    pub(crate) first_byte: Duration,
    pub(crate) between_bytes: Duration,
}

impl Outbound {
    /// Sends a request to an internal host.
    pub(crate) async fn send_internally(
        &self,
        internal: &Internal,
        service: &Service,
        request: http::Request<WasiBody>,
        waits: Waits,
        permit: OwnedSemaphorePermit,
    ) -> Result<Sent, Error> {
        let authority = request.uri().authority().cloned().ok_or(Error::HttpRequestUriInvalid)?;
        if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
            self.log.cell(format!("outbound request to https://{authority} refused: apps reach one another by http"));
            return Err(Error::TlsProtocolError);
        }
        let port = authority.port_u16().unwrap_or(APP_PORT);
        let instance = internal.pick(service, self.app, port).map_err(|unreachable| match unreachable {
            Unreachable::Denied => {
                self.log.cell(format!("outbound request to {authority} denied: no network policy allows port {port}"));
                Error::HttpRequestDenied
            }
            Unreachable::Refused => Error::ConnectionRefused,
        })?;
        let answer = timeout(waits.first_byte, instance.serve(carried(request)?)).await.map_err(|_| Error::ConnectionReadTimeout)?;
        let answer = answer.map_err(|error| failed(&error))?;
        let (parts, body) = answer.into_parts();
        let body = TimedBody::new(body.map_err(|_| Error::ConnectionTerminated), waits.between_bytes, Some(permit));
        let mut answer = http::Response::from_parts(parts, body.boxed_unsync());
        // What the cell says to a router.
        answer.extensions_mut().clear();
        Ok((answer, Box::new(std::future::ready(Ok(())))))
    }
}

/// The request as a cell takes it: only the path in the URI, the authority in `Host`.
fn carried(request: http::Request<WasiBody>) -> Result<http::Request<Body>, Error> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut carried = http::Request::new(body.map_err(|error| BoxError::from(format!("{error:?}"))).boxed_unsync());
    *carried.method_mut() = parts.method;
    *carried.uri_mut() = path.parse().map_err(|_| Error::HttpRequestUriInvalid)?;
    *carried.headers_mut() = parts.headers;
    if let Some(authority) = parts.uri.authority() {
        let host = http::HeaderValue::from_str(authority.as_str()).map_err(|_| Error::HttpRequestUriInvalid)?;
        carried.headers_mut().insert(http::header::HOST, host);
    }
    Ok(carried)
}

/// What a guest sees of a cell's failure. The other app's own log says more.
fn failed(error: &CellError) -> Error {
    match error {
        CellError::Gone | CellError::Load(_) | CellError::NoConnections => Error::ConnectionRefused,
        CellError::Overloaded { .. } => Error::ConnectionLimitReached,
        CellError::Limit { is_time: true, .. } => Error::ConnectionReadTimeout,
        CellError::Limit { .. } | CellError::Guest(_) => Error::ConnectionTerminated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use virga_contract::cell::{CellPolicy, CellRoute};

    fn app(bits: u128) -> AppGuid {
        AppGuid::from_u128(bits)
    }

    fn policy(protocol: &str, first_port: u16, last_port: u16) -> CellPolicy {
        CellPolicy { source: app(1), destination: app(2), protocol: protocol.into(), first_port, last_port }
    }

    #[test]
    fn hosts_are_found_in_any_case_and_with_a_final_dot() {
        let route = CellRoute {
            host: "back.apps.internal".into(),
            path: String::new(),
            destinations: vec![],
            balancing: None,
            route_service: None,
        };
        let internal = Internal::new(&CellSnapshot { internal_routes: vec![route], ..CellSnapshot::default() }, &Instances::new());
        for host in ["back.apps.internal", "BACK.Apps.Internal", "back.apps.internal."] {
            assert!(internal.find(host).is_some(), "{host}");
        }
        assert!(internal.find("apps.internal").is_none() && internal.find("x.back.apps.internal").is_none());
    }

    #[test]
    fn a_policy_allows_its_direction_its_ports_and_tcp_alone() {
        let policies = vec![policy("tcp", 8080, 8081), policy("udp", 1, 65535)];
        let internal = Internal::new(&CellSnapshot { policies, ..CellSnapshot::default() }, &Instances::new());
        let service = |apps: &[u128]| Service {
            instances: Vec::new(),
            apps: apps.iter().map(|bits| app(*bits)).collect(),
            next: AtomicUsize::new(0),
        };
        let outcome = |service: &Service, source, port| internal.pick(service, app(source), port).map(|_| ()).unwrap_err();
        assert_eq!(outcome(&service(&[2]), 1, 8080), Unreachable::Refused, "allowed, but nothing runs");
        assert_eq!(outcome(&service(&[2]), 1, 8081), Unreachable::Refused, "allowed, but nothing listens");
        assert_eq!(outcome(&service(&[2]), 1, 53), Unreachable::Denied);
        assert_eq!(outcome(&service(&[1]), 2, 8080), Unreachable::Denied, "the other way round");
        assert_eq!(outcome(&service(&[]), 1, 8080), Unreachable::Refused, "a stopped app");
        assert_eq!(outcome(&service(&[3]), 3, 8080), Unreachable::Denied, "not even itself");
    }
}
