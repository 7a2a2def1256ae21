//! Which routes and policies reach the snapshot, and where in it.

use super::world::World;
use serde_json::json;
use virga_contract::cell::CellPolicy;
use virga_model::{
    AppGuid, DestinationGuid, DomainGuid, RouteGuid, RouterGroupGuid,
    route::{LoadBalancing, RouteProtocol},
};
use virga_store::{
    Transaction,
    domains::{self, DomainRow},
    network_policies::{self, NetworkPolicyRow},
    route_destinations::{self, DestinationRow},
    router_groups::{self, RouterGroupRow},
    routes::{self, RouteRow},
};

/// Below which kind of domain a route is.
#[derive(Clone, Copy, PartialEq)]
enum Below {
    Internal,
    Tcp(u16),
}

/// One more route of an app, below a domain of its own.
async fn add_route(world: &World, db: &mut Transaction, app: AppGuid, below: Below) {
    let now = world.clock_now();
    let (internal, port) = match below {
        Below::Internal => (true, None),
        Below::Tcp(port) => (false, Some(port)),
    };
    let mut router_group = None;
    if port.is_some() {
        let guid = RouterGroupGuid::random();
        let group = RouterGroupRow {
            guid,
            created_at: now,
            updated_at: now,
            name: "tcp".into(),
            kind: "tcp".into(),
            reservable_ports: "1024-1123".into(),
        };
        router_groups::insert(db, &group).await.unwrap();
        router_group = Some(guid);
    }
    let domain = DomainRow {
        guid: DomainGuid::random(),
        created_at: now,
        updated_at: now,
        name: if internal { "apps.internal".into() } else { "tcp.example.com".into() },
        internal,
        organization: None,
        router_group,
        metadata: Default::default(),
    };
    domains::insert(db, &domain).await.unwrap();
    let route = RouteRow {
        guid: RouteGuid::random(),
        created_at: now,
        updated_at: now,
        space: world.space(),
        domain: domain.guid,
        domain_name: String::new(),
        host: if internal { "Back".into() } else { String::new() },
        path: String::new(),
        port,
        options: None,
        metadata: Default::default(),
    };
    routes::insert(db, &route).await.unwrap();
    let destination = DestinationRow {
        guid: DestinationGuid::random(),
        created_at: now,
        updated_at: now,
        route: route.guid,
        app,
        process_type: "web".into(),
        port: None,
        weight: None,
        protocol: if internal { RouteProtocol::Http1 } else { RouteProtocol::Tcp },
    };
    route_destinations::save(db, &destination).await.unwrap();
}

#[tokio::test]
async fn routes_go_to_those_who_answer_for_them() {
    let world = World::with_workers(1).await;
    let mut worker = world.worker(0);
    let mut db = world.begin().await;
    let app = world.insert_app(&mut db, "hello", 1).await;
    add_route(&world, &mut db, app, Below::Internal).await;
    add_route(&world, &mut db, app, Below::Tcp(1024)).await;
    db.commit().await.unwrap();
    world.nudge();
    worker.apply(|snapshot| snapshot.processes.len() == 1).await;
    let snapshot = worker.snapshot();
    let hosts = |routes: &[virga_contract::cell::CellRoute]| routes.iter().map(|route| route.host.clone()).collect::<Vec<_>>();
    assert_eq!(hosts(&snapshot.routes), ["hello.apps.example.com"], "the public router answers for no other");
    assert_eq!(hosts(&snapshot.internal_routes), ["back.apps.internal"]);
    assert_eq!(snapshot.tcp_routes.iter().map(|route| (route.port, route.destinations.len())).collect::<Vec<_>>(), [(1024, 1)]);
    let environment = &snapshot.processes[0].environment["VCAP_APPLICATION"];
    assert!(environment.contains("tcp.example.com:1024") && environment.contains("back.apps.internal"), "{environment}");
    world.end().await;
}

#[tokio::test]
async fn a_changed_option_reaches_routers_at_once() {
    let world = World::with_workers(1).await;
    let mut worker = world.worker(0);
    let (app, _) = world.app("hello", 1).await;
    worker.apply(|snapshot| snapshot.routes.len() == 1).await;
    assert_eq!(worker.snapshot().routes[0].balancing, None);
    let mut db = world.begin().await;
    let guid = route_destinations::list_of_app(&mut db, app).await.unwrap()[0].route;
    let mut route = routes::find(&mut db, guid).await.unwrap().unwrap();
    route.options = Some(json!({ "loadbalancing": "least-connection" }));
    routes::update(&mut db, &mut route, world.clock_now()).await.unwrap();
    route_destinations::touch(&mut db, guid, world.clock_now()).await.unwrap();
    db.commit().await.unwrap();
    world.nudge();
    worker.apply(|snapshot| snapshot.routes[0].balancing == Some(LoadBalancing::LeastConnection)).await;
    world.end().await;
}

#[tokio::test]
async fn policies_hold_between_apps_that_run() {
    let world = World::with_workers(1).await;
    let mut worker = world.worker(0);
    let ((one, _), (two, _)) = (world.app("one", 1).await, world.app("two", 1).await);
    let row = NetworkPolicyRow { source: one, destination: two, protocol: "tcp".into(), first_port: 8080, last_port: 8081 };
    let mut db = world.begin().await;
    network_policies::insert(&mut db, &row, world.clock_now()).await.unwrap();
    db.commit().await.unwrap();
    world.nudge();
    let policy = CellPolicy { source: one, destination: two, protocol: "tcp".into(), first_port: 8080, last_port: 8081 };
    worker.apply(|snapshot| snapshot.policies == [policy.clone()]).await;
    world.change_app(two, |app| app.state = virga_model::state::AppState::Stopped).await;
    worker.apply(|snapshot| snapshot.policies.is_empty()).await;
    world.end().await;
}
