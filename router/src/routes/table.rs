//! The table itself, built whole from a snapshot and never changed: host, then longest path prefix on segment borders.
//!
//! As in gorouter, host and path are compared without regard to case, an exact host goes before a wildcard, and a
//! wildcard stands for any number of labels. Lookups cost the same however many routes there are.

use super::host::lower;
use http::HeaderValue;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::AtomicUsize},
};
use virga_contract::cell::{CellProcess, CellRoute, CellSnapshot, Endpoint};
use virga_model::{
    AppGuid, ProcessGuid,
    route::{LoadBalancing, RouteProtocol},
};

/// Every route of one snapshot.
#[derive(Default)]
pub(crate) struct Table {
    /// By host.
    exact: HashMap<Box<str>, HostRoutes>,
    /// By what stands after `*`, with its dot.
    wildcard: HashMap<Box<str>, HostRoutes>,
}

/// The routes of one host.
#[derive(Default)]
struct HostRoutes {
    /// The route without a path.
    root: Option<Arc<Route>>,
    /// Those with one; boxed, because most hosts have none.
    #[expect(clippy::box_collection, reason = "a pointer instead of a map per host: there may be a million hosts")]
    paths: Option<Box<HashMap<Box<str>, Arc<Route>>>>,
}

/// One route with its destinations.
pub(crate) struct Route {
    /// Empty or `/…`, as it was created.
    pub(crate) path: Box<str>,
    /// Processes that have instances on this cell.
    pub(super) destinations: Vec<Destination>,
    /// Whether the destinations have weights.
    pub(super) is_weighted: bool,
    /// URL of the route service that requests go through first.
    pub(crate) service: Option<Box<str>>,
    /// The route's own choice of balancing.
    pub(super) balancing: Option<LoadBalancing>,
    /// Some destination is spoken to in HTTP/2.
    pub(crate) speaks_http2: bool,
    /// Routable instances over all destinations.
    pub(super) endpoints: usize,
    /// Whose turn it is.
    pub(super) next: AtomicUsize,
}

/// One destination of a route.
pub(super) struct Destination {
    /// The process.
    pub(super) process: Arc<Process>,
    /// The protocol towards it.
    protocol: RouteProtocol,
    /// Sum of the weights up to and including this destination.
    pub(super) cumulative_weight: usize,
    /// Whose turn it is within it, where destinations have weights.
    pub(super) next: AtomicUsize,
}

/// A process as the router sees it.
pub(crate) struct Process {
    /// The app it belongs to.
    pub(crate) app: AppGuid,
    /// Its guid.
    pub(crate) guid: ProcessGuid,
    /// Whether instances are desired at all (else its routes answer as if they did not exist).
    has_instances: bool,
    /// `X-CF-ApplicationID`.
    pub(crate) app_header: HeaderValue,
    /// The routable instances.
    pub(crate) instances: Vec<Instance>,
}

/// A routable instance, with what the app is told about it.
pub(crate) struct Instance {
    /// What the cell is called with.
    pub(crate) endpoint: Endpoint,
    /// `X-CF-InstanceID`.
    pub(crate) guid_header: HeaderValue,
    /// `X-CF-InstanceIndex`.
    pub(crate) index_header: HeaderValue,
}

impl Table {
    /// The table of a snapshot. `first_turn` spreads the first pick of several workers over the instances.
    pub(crate) fn build(snapshot: &CellSnapshot, first_turn: usize) -> Self {
        let processes = processes(snapshot.processes.iter());
        let mut table = Self { exact: HashMap::with_capacity(snapshot.routes.len()), wildcard: HashMap::new() };
        for route in &snapshot.routes {
            // Without a process that should run, a route is as good as none: stopped apps answer 404.
            if let Some(built) = Route::new(route, &processes, first_turn) {
                table.insert(&route.host, built);
            }
        }
        table
    }

    fn insert(&mut self, host: &str, route: Route) {
        let host = lower(host);
        let routes = match host.strip_prefix('*') {
            Some(suffix) => self.wildcard.entry(suffix.into()).or_default(),
            None => self.exact.entry(host.into()).or_default(),
        };
        let path = lower(route.path.trim_end_matches('/')).into_owned();
        let route = Arc::new(route);
        if path.is_empty() {
            routes.root.get_or_insert(route);
        } else {
            routes.paths.get_or_insert_default().entry(path.into()).or_insert(route);
        }
    }

    /// The route for a normalised host and a path; `None` where there is none.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<&Arc<Route>> {
        if let Some(route) = self.exact.get(host).and_then(|routes| routes.find(path)) {
            return Some(route);
        }
        if self.wildcard.is_empty() {
            return None;
        }
        host.match_indices('.').find_map(|(dot, _)| self.wildcard.get(host.get(dot..)?)?.find(path))
    }
}

impl HostRoutes {
    /// The route with the longest prefix of `path`.
    fn find(&self, path: &str) -> Option<&Arc<Route>> {
        if let Some(paths) = &self.paths {
            let path = lower(path);
            let path = &*path;
            // Nothing longer than the longest path the API lets a route have can match.
            let whole = (path.len() <= MAX_ROUTE_PATH_BYTES).then_some(path.len());
            let reach = path.get(..path.floor_char_boundary(MAX_ROUTE_PATH_BYTES + 1)).unwrap_or(path);
            let borders = whole.into_iter().chain(reach.rmatch_indices('/').map(|(at, _)| at));
            let found = borders.into_iter().find_map(|end| paths.get(path.get(..end)?));
            if found.is_some() {
                return found;
            }
        }
        self.root.as_ref()
    }
}

/// Bytes of the longest path of a route (`virga_model::route::is_route_path`).
const MAX_ROUTE_PATH_BYTES: usize = 128;

impl Route {
    /// `None` where no destination should run.
    fn new(route: &CellRoute, processes: &HashMap<ProcessGuid, Arc<Process>>, first_turn: usize) -> Option<Self> {
        let mut destinations = Vec::with_capacity(route.destinations.len());
        let mut cumulative_weight = 0;
        let mut is_known = false;
        for destination in &route.destinations {
            let Some(process) = processes.get(&destination.process).filter(|process| process.has_instances) else { continue };
            is_known = true;
            // A destination without a routable instance leaves its share to the others.
            if !process.instances.is_empty() {
                cumulative_weight += usize::from(destination.weight.unwrap_or(1));
                let (process, protocol) = (process.clone(), destination.protocol);
                destinations.push(Destination { process, protocol, cumulative_weight, next: AtomicUsize::new(first_turn) });
            }
        }
        let endpoints = destinations.iter().map(|destination| destination.process.instances.len()).sum();
        let is_weighted = destinations.len() > 1 && route.destinations.iter().any(|destination| destination.weight.is_some());
        is_known.then(|| Self {
            path: route.path.as_str().into(),
            speaks_http2: destinations.iter().any(|destination| destination.protocol == RouteProtocol::Http2),
            destinations,
            is_weighted,
            service: route.route_service.as_deref().map(Into::into),
            balancing: route.balancing.clone(),
            endpoints,
            next: AtomicUsize::new(first_turn),
        })
    }
}

impl Route {
    /// The protocol towards a process of it.
    pub(crate) fn protocol(&self, process: ProcessGuid) -> RouteProtocol {
        let found = self.destinations.iter().find(|destination| destination.process.guid == process);
        found.map_or(RouteProtocol::Http1, |destination| destination.protocol)
    }
}

/// The TCP routes of a snapshot, by port; those without a process that should run are none.
pub(crate) fn tcp(snapshot: &CellSnapshot, first_turn: usize) -> HashMap<u16, Route> {
    if snapshot.tcp_routes.is_empty() {
        return HashMap::new();
    }
    let named: HashSet<_> = snapshot.tcp_routes.iter().flat_map(|route| &route.destinations).map(|to| to.process).collect();
    let processes = processes(snapshot.processes.iter().filter(|process| named.contains(&process.process)));
    let built = snapshot.tcp_routes.iter().filter_map(|route| {
        let destinations = route.destinations.clone();
        let route_of = CellRoute { host: String::new(), path: String::new(), destinations, balancing: None, route_service: None };
        Some((route.port, Route::new(&route_of, &processes, first_turn)?))
    });
    built.collect()
}

fn processes<'a>(of: impl Iterator<Item = &'a Arc<CellProcess>>) -> HashMap<ProcessGuid, Arc<Process>> {
    of.map(|process| (process.process, Arc::new(Process::new(process)))).collect()
}

impl Process {
    fn new(process: &CellProcess) -> Self {
        let instances = process.instances.iter().filter(|instance| instance.routable).map(|instance| Instance {
            endpoint: Endpoint { process: process.process, instance: instance.guid, index: instance.index },
            guid_header: header(&instance.guid.to_string()),
            index_header: HeaderValue::from(instance.index),
        });
        Self {
            app: process.app,
            guid: process.process,
            has_instances: !process.instances.is_empty(),
            app_header: header(&process.app.to_string()),
            instances: instances.collect(),
        }
    }
}

/// A guid as a header; it has no byte that a header may not have.
fn header(guid: &str) -> HeaderValue {
    HeaderValue::from_str(guid).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

#[cfg(test)]
#[path = "table_tests.rs"]
pub(crate) mod tests;
