use super::*;
use proptest::prelude::*;
use virga_contract::cell::{CellDestination, CellInstance};
use virga_model::{
    InstanceGuid, OrgGuid, Sha256Digest, SpaceGuid,
    process::{HealthCheck, HealthCheckType},
    route::RouteProtocol,
};

fn process(guid: ProcessGuid, routable: &[bool]) -> Arc<CellProcess> {
    let instances = routable.iter().enumerate();
    Arc::new(CellProcess {
        process: guid,
        process_type: "web".into(),
        app: AppGuid::from_u128(guid.as_u128()),
        app_name: "app".into(),
        space: SpaceGuid::from_u128(1),
        organization: OrgGuid::from_u128(1),
        version: "1".into(),
        droplet: Sha256Digest::of(b""),
        command: None,
        memory_mb: 64,
        disk_mb: 64,
        log_rate_limit_bytes_per_second: -1,
        environment: Default::default(),
        files: [].into(),
        health_check: HealthCheck::of(HealthCheckType::Port),
        readiness_check: HealthCheck::of(HealthCheckType::Process),
        reuse: None,
        egress: Vec::new(),
        instances: instances
            .map(|(index, routable)| CellInstance {
                guid: InstanceGuid::from_u128(guid.as_u128() * 100 + index as u128),
                index: u32::try_from(index).unwrap(),
                probe_worker: 0,
                routable: *routable,
            })
            .collect(),
    })
}

fn route(host: &str, path: &str, destinations: &[(ProcessGuid, Option<u8>)]) -> CellRoute {
    let destinations = destinations.iter();
    CellRoute {
        host: host.into(),
        path: path.into(),
        destinations: destinations
            .map(|(process, weight)| CellDestination { process: *process, weight: *weight, protocol: RouteProtocol::Http1 })
            .collect(),
        balancing: None,
        route_service: None,
    }
}

/// A destination: the process and its weight.
type To = (u128, Option<u8>);

pub(crate) fn table(processes: &[(u128, &[bool])], routes: &[(&str, &str, &[To])]) -> Table {
    table_with(processes, routes, None)
}

/// The same with routes that say how they are balanced.
pub(crate) fn table_with(processes: &[(u128, &[bool])], routes: &[(&str, &str, &[To])], balancing: Option<&LoadBalancing>) -> Table {
    let routes = routes.iter().map(|(host, path, destinations)| {
        let destinations: Vec<_> = destinations.iter().map(|(process, weight)| (ProcessGuid::from_u128(*process), *weight)).collect();
        CellRoute { balancing: balancing.cloned(), ..route(host, path, &destinations) }
    });
    let snapshot = CellSnapshot {
        store_id: "s".into(),
        revision: 1,
        processes: processes.iter().map(|(guid, routable)| process(ProcessGuid::from_u128(*guid), routable)).collect(),
        routes: routes.collect(),
        ..CellSnapshot::default()
    };
    Table::build(&snapshot, 0)
}

fn found(table: &Table, host: &str, path: &str) -> Option<u128> {
    let route = table.find(host, path)?;
    route.destinations.first().map(|destination| destination.process.guid.as_u128())
}

#[test]
fn exact_host_then_wildcard_then_nothing() {
    let any: &[bool] = &[true];
    let table = table(
        &[(1, any), (2, any), (3, any)],
        &[("app.example.com", "/v1", &[(1, None)]), ("*.example.com", "", &[(2, None)]), ("*.b.example.com", "", &[(3, None)])],
    );
    assert_eq!(found(&table, "app.example.com", "/v1/x"), Some(1));
    assert_eq!(found(&table, "app.example.com", "/V1"), Some(1), "paths are compared without regard to case");
    assert_eq!(found(&table, "app.example.com", "/v10"), Some(2), "a prefix ends at a segment border");
    assert_eq!(found(&table, "a.b.example.com", "/"), Some(3), "the nearest wildcard wins");
    assert_eq!(found(&table, "x.y.example.com", "/"), Some(2), "a wildcard stands for any number of labels");
    assert_eq!(found(&table, "example.com", "/"), None);
    assert_eq!(found(&table, "*.example.com", "/"), Some(2), "the star is a label like any other to a client");
}

#[test]
fn stopped_apps_have_no_route_and_starting_ones_no_endpoint() {
    let table = table(
        &[(1, &[]), (2, &[false, false])],
        &[("gone.e.com", "", &[(9, None)]), ("zero.e.com", "", &[(1, None)]), ("starting.e.com", "", &[(2, None)])],
    );
    assert!(table.find("gone.e.com", "/").is_none());
    assert!(table.find("zero.e.com", "/").is_none());
    assert_eq!(table.find("starting.e.com", "/").map(|route| route.endpoints), Some(0));
}

/// The rule as the docs tell it, with no thought of speed.
fn naive<'a>(routes: &'a [(String, String)], host: &str, path: &str) -> Option<&'a (String, String)> {
    let path = path.to_ascii_lowercase();
    let under = |prefix: &str| prefix.is_empty() || path == prefix || path.starts_with(&format!("{prefix}/"));
    let longest = |wanted: &str| {
        let fitting = routes.iter().filter(|(host, path)| host == wanted && under(path));
        // The first of two equal ones is the one that counts.
        fitting.rev().max_by_key(|(_, path)| path.len())
    };
    let labels: Vec<_> = host.split('.').collect();
    let wildcards = (1..labels.len()).map(|from| format!("*.{}", labels[from..].join(".")));
    std::iter::once(host.to_owned()).chain(wildcards).find_map(|wanted| longest(&wanted))
}

proptest! {
    #[test]
    fn lookups_agree_with_the_naive_rule(
        routes in prop::collection::vec(("(\\*|a|b)(\\.(a|b)){1,2}", "(/(x|y|xy)){0,3}"), 0..12),
        host in "(a|b|c)(\\.(a|b)){1,3}",
        path in "(/(x|y|xy|X)?){1,5}",
    ) {
        let processes: Vec<_> = (0..routes.len()).map(|at| process(ProcessGuid::from_u128(at as u128), &[true])).collect();
        let snapshot = CellSnapshot {
            store_id: String::new(),
            revision: 1,
            routes: routes
                .iter()
                .enumerate()
                .map(|(at, (host, path))| route(host, path, &[(ProcessGuid::from_u128(at as u128), None)]))
                .collect(),
            processes,
            ..CellSnapshot::default()
        };
        let table = Table::build(&snapshot, 0);
        let expected = naive(&routes, &host, &path).map(|route| (route.0.clone(), route.1.clone()));
        let found = found(&table, &host, &path).map(|at| routes[usize::try_from(at).unwrap()].clone());
        prop_assert_eq!(found, expected);
    }
}
