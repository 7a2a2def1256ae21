//! Requests of one app to another over internal routes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::{App, World, hello, limits};
use virga_contract::cell::{CellDestination, CellPolicy, CellRoute};
use virga_model::{AppGuid, route::RouteProtocol};

const HOST: &str = "back.apps.internal";
/// 500 and the number of the case of wasi:http's `error-code`.
const REFUSED: u16 = 506;
const DENIED: u16 = 515;
const TERMINATED: u16 = 507;

fn asking() -> Vec<u8> {
    wat::parse_str(include_str!("../../tests/apps/wat-asking/app.wat")).unwrap()
}

fn guid(app: &App) -> AppGuid {
    AppGuid::from_u128(app.endpoint.process.as_u128())
}

fn route_to(world: &World, app: &App) {
    let destination = CellDestination { process: app.endpoint.process, weight: None, protocol: RouteProtocol::Http1 };
    let route = CellRoute { host: HOST.into(), path: String::new(), destinations: vec![destination], balancing: None, route_service: None };
    world.change(|snapshot| snapshot.internal_routes.push(route));
}

fn allow(world: &World, source: &App, destination: &App, first_port: u16, last_port: u16) {
    let policy = CellPolicy { source: guid(source), destination: guid(destination), protocol: "tcp".into(), first_port, last_port };
    world.change(|snapshot| snapshot.policies.push(policy));
}

/// Makes the instances of an app routable.
fn route_requests(world: &World) {
    world.change(|snapshot| {
        for process in &mut snapshot.processes {
            let process = std::sync::Arc::make_mut(process);
            process.instances.iter_mut().for_each(|instance| instance.routable = true);
        }
    });
}

#[tokio::test]
async fn an_app_reaches_another_where_a_policy_lets_it_and_nowhere_else() {
    let world = World::new(limits());
    let (front, back) = (world.push(&asking(), |_| {}), world.push(&hello(), |_| {}));
    let ask = async |path: &str| world.get(&front, path).await.unwrap().0;
    route_to(&world, &back);
    assert_eq!(ask("/back.apps.internal:8080").await, DENIED);
    assert!(world.lines.contain("outbound request to back.apps.internal:8080 denied: no network policy allows port 8080"));

    allow(&world, &back, &front, 8080, 8080);
    assert_eq!(ask("/back.apps.internal:8080").await, DENIED, "a policy has a direction");
    allow(&world, &front, &back, 8080, 8081);
    assert_eq!(ask("/back.apps.internal:8080").await, REFUSED, "nothing is routable yet");
    route_requests(&world);
    for authority in ["back.apps.internal:8080", "back.apps.internal", "BACK.apps.internal."] {
        assert_eq!(ask(&format!("/{authority}")).await, 200, "{authority}");
    }
    assert_eq!(ask("/back.apps.internal:8081").await, REFUSED, "allowed, but nothing listens there");
    assert_eq!(ask("/back.apps.internal:9000").await, DENIED);
    assert!(world.lines.contain("[APP/PROC/WEB] GET /"), "the other app served it");
    // Security groups allow nothing here: a host that is no internal route is not even looked up.
    assert_eq!(ask("/other.apps.internal:8080").await, DENIED);

    world.change(|snapshot| snapshot.policies.clear());
    assert_eq!(ask("/back.apps.internal").await, DENIED, "a policy that went holds no more");
}

#[tokio::test]
async fn a_failure_of_the_other_app_is_an_error_of_the_request_alone() {
    let world = World::new(limits());
    let back = support::guest("unreachable");
    let (front, back) = (world.push(&asking(), |_| {}), world.push(&back, |_| {}));
    route_to(&world, &back);
    allow(&world, &front, &back, 8080, 8080);
    route_requests(&world);
    assert_eq!(world.get(&front, "/back.apps.internal").await.unwrap().0, TERMINATED);
    assert_eq!(world.get(&front, "/back.apps.internal").await.unwrap().0, TERMINATED);
}
