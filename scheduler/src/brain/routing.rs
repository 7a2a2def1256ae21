//! What routers and cells are told of routes and network policies.

use super::Brain;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use virga_contract::cell::{CellDestination, CellPolicy, CellRoute, CellService, CellTcpRoute};
use virga_model::{AppGuid, DestinationGuid, ProcessGuid, RouteGuid, service::host_label};
use virga_store::{network_policies::NetworkPolicyRow, scheduling::DesiredRouteRow, service_credential_bindings::NamedBindingRow};

/// Routes by who answers for them, and policies.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Routing {
    /// Of the HTTP router.
    pub(super) http: Vec<CellRoute>,
    /// Of apps alone.
    pub(super) internal: Vec<CellRoute>,
    /// Of the TCP router.
    pub(super) tcp: Vec<CellTcpRoute>,
    /// Which app may reach which over internal routes.
    pub(super) policies: Vec<CellPolicy>,
    /// What apps are bound to of the platform's own services.
    pub(super) services: Vec<CellService>,
}

impl Brain {
    /// Routes to processes that should run; one without any is left out, which routers answer with 404.
    pub(super) fn build_routing(&self, policies: Vec<NetworkPolicyRow>, bindings: &[NamedBindingRow]) -> Routing {
        let mut by_type: HashMap<(AppGuid, &str), Vec<ProcessGuid>> = HashMap::new();
        for (guid, process) in &self.processes {
            if let Some(row) = process.desired.as_ref().filter(|row| row.instances > 0) {
                by_type.entry((row.app, &row.process_type)).or_default().push(*guid);
            }
        }
        let mut routing =
            Routing { policies: policies.into_iter().map(policy).collect(), services: services(bindings), ..Routing::default() };
        let rows: Vec<_> = self.route_rows.values().collect();
        for rows in rows.chunk_by(|one, next| one.route == next.route) {
            let destinations: Vec<_> = rows
                .iter()
                .flat_map(|row| {
                    let processes = by_type.get(&(row.app, row.process_type.as_str())).into_iter().flatten();
                    processes.map(|process| CellDestination { process: *process, weight: row.weight, protocol: row.protocol })
                })
                .collect();
            // A cell knows the internal names of apps that do not run: it asks nobody else for them.
            if let Some(row) = rows.first().filter(|row| row.is_internal || !destinations.is_empty()) {
                routing.add(row, destinations);
            }
        }
        routing
    }
}

impl Routing {
    /// How many routes there are.
    pub(super) fn count(&self) -> usize {
        self.http.len() + self.internal.len() + self.tcp.len()
    }

    fn add(&mut self, row: &DesiredRouteRow, destinations: Vec<CellDestination>) {
        if let Some(port) = row.port {
            return self.tcp.push(CellTcpRoute { port, destinations });
        }
        let route = CellRoute {
            host: host_of(row),
            path: row.path.clone(),
            destinations,
            balancing: row.balancing.clone(),
            route_service: row.route_service.clone(),
        };
        if row.is_internal {
            self.internal.push(route);
        } else {
            self.http.push(route);
        }
    }
}

/// The names of bindings, which come oldest first: each binding's guid, its name, and the name of its instance, where a host may be called so. Of
/// several bindings to one instance the newest has the name; a name of several instances of an app is nobody's.
fn services(bindings: &[NamedBindingRow]) -> Vec<CellService> {
    let mut by_name: BTreeMap<(AppGuid, String), Option<CellService>> = BTreeMap::new();
    for row in bindings {
        let names = row.binding_name.iter().chain([&row.instance_name]).filter_map(|name| host_label(name));
        for label in names {
            by_name
                .entry((row.app, label.clone()))
                .and_modify(|known| {
                    *known = known.take().filter(|known| known.instance == row.instance).map(|_| service(row, label.clone()))
                })
                .or_insert_with(|| Some(service(row, label)));
        }
    }
    for row in bindings {
        let label = row.binding.to_string();
        by_name.insert((row.app, label.clone()), Some(service(row, label)));
    }
    by_name.into_values().flatten().collect()
}

fn service(row: &NamedBindingRow, label: String) -> CellService {
    let held = row.held.clone().map(Arc::new);
    CellService { app: row.app, label, instance: row.instance, binding: row.binding, held }
}

fn policy(row: NetworkPolicyRow) -> CellPolicy {
    let NetworkPolicyRow { source, destination, protocol, first_port, last_port } = row;
    CellPolicy { source, destination, protocol, first_port, last_port }
}

/// A destination's place in the order of routes.
pub(super) fn key(row: &DesiredRouteRow) -> (RouteGuid, DestinationGuid) {
    (row.route, row.destination)
}

/// `host.domain/path` or `domain:port`.
pub(super) fn url_of(row: &DesiredRouteRow) -> String {
    match row.port {
        Some(port) => format!("{}:{port}", row.domain),
        None => format!("{}{}", host_of(row), row.path),
    }
}

fn host_of(row: &DesiredRouteRow) -> String {
    let host = if row.host.is_empty() { row.domain.clone() } else { format!("{}.{}", row.host, row.domain) };
    host.to_ascii_lowercase()
}
