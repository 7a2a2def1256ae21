//! No list asks the database once per row: the number of statements of every list, with everything it can include, is the
//! same for few rows as for many. A program of its own, because the statements of the whole process are counted.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "../apps/simulated.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod simulated;
#[path = "../apps/support.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod support;

use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};
use support::Harness;
use tracing::{Event, span};
use virga_model::{ServiceBrokerGuid, ServiceOfferingGuid, ServicePlanGuid, SpaceGuid, service::BrokerState};
use virga_store::{
    Sealed,
    metadata::Metadata,
    service_brokers::{self, ServiceBrokerRow},
    service_offerings::{self, OfferingCatalog, ServiceOfferingRow},
    service_plans::{self, PlanCatalog, ServicePlanRow},
};

/// Statements since the start.
static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

/// Counts what sqlx says about each statement.
struct Counter;

impl tracing::Subscriber for Counter {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        STATEMENTS.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// An organization with a space, an app, a package, a route to the app, a private domain, a user with roles, a quota.
async fn add(harness: &Harness, number: usize) {
    let name = format!("n{number}");
    let to = |guid: &str| json!({ "data": { "guid": guid } });
    let org = harness.post("/v3/organizations", json!({ "name": name })).await.is(201).guid();
    let space = json!({ "name": name, "relationships": { "organization": to(&org) } });
    let space = harness.post("/v3/spaces", space).await.is(201).guid();
    let app = json!({ "name": name, "relationships": { "space": to(&space) } });
    let app = harness.post("/v3/apps", app).await.is(201).guid();
    harness.package(&app).await;
    let service = json!({ "type": "user-provided", "name": name, "credentials": { "a": 1 }, "route_service_url": "https://x.example.com",
        "relationships": { "space": to(&space) } });
    let service = harness.post("/v3/service_instances", service).await.is(201).guid();
    let binding = json!({ "type": "app", "relationships": { "app": to(&app), "service_instance": to(&service) } });
    harness.post("/v3/service_credential_bindings", binding).await.is(201);
    offer(harness, space.parse().unwrap(), &name).await;
    let domain = json!({ "name": format!("{name}.example.com"), "relationships": { "organization": to(&org) } });
    let domain = harness.post("/v3/domains", domain).await.is(201).guid();
    let route = json!({ "host": name, "relationships": { "space": to(&space), "domain": to(&domain) } });
    let route = harness.post("/v3/routes", route).await.is(201).guid();
    harness.post(&format!("/v3/routes/{route}/destinations"), json!({ "destinations": [{ "app": { "guid": app } }] })).await.is(200);
    let binding = json!({ "relationships": { "route": to(&route), "service_instance": to(&service) } });
    harness.post("/v3/service_route_bindings", binding).await.is(201);
    let user = virga_model::UserGuid::random().to_string();
    harness.post("/v3/users", json!({ "guid": user })).await.is(201);
    for (kind, place, guid) in [("organization_user", "organization", &org), ("space_developer", "space", &space)] {
        let role = json!({ "type": kind, "relationships": { "user": to(&user), place: to(guid) } });
        harness.post("/v3/roles", role).await.is(201);
    }
    harness
        .post("/v3/organization_quotas", json!({ "name": name, "relationships": { "organizations": { "data": [{ "guid": org }] } } }))
        .await
        .is(201);
    let quota = json!({ "name": name, "relationships": { "organization": to(&org), "spaces": { "data": [{ "guid": space }] } } });
    harness.post("/v3/space_quotas", quota).await.is(201);
    let group = json!({ "name": name, "relationships": { "running_spaces": { "data": [{ "guid": space }] } } });
    harness.post("/v3/security_groups", group).await.is(201);
    harness.post("/v3/isolation_segments", json!({ "name": name })).await.is(201);
}

/// A broker of the space with an offering and a plan.
async fn offer(harness: &Harness, space: SpaceGuid, name: &str) {
    let now = harness.controller.now();
    let broker = ServiceBrokerRow {
        guid: ServiceBrokerGuid::random(),
        created_at: now,
        updated_at: now,
        name: name.to_owned(),
        url: "https://broker.example.com".into(),
        username: "u".into(),
        password: Sealed::from_stored(String::new()),
        space: Some(space),
        is_own: false,
        state: BrokerState::Available,
        metadata: Metadata::default(),
    };
    let offering = ServiceOfferingRow {
        guid: ServiceOfferingGuid::random(),
        created_at: now,
        updated_at: now,
        broker: broker.guid,
        catalog_id: "offering".into(),
        name: name.to_owned(),
        description: "something".into(),
        available: true,
        catalog: OfferingCatalog::default(),
        metadata: Metadata::default(),
    };
    let plan = ServicePlanRow {
        guid: ServicePlanGuid::random(),
        created_at: now,
        updated_at: now,
        offering: offering.guid,
        catalog_id: "plan".into(),
        name: name.to_owned(),
        description: "some of it".into(),
        available: true,
        is_free: true,
        is_public: false,
        catalog: PlanCatalog::default(),
        metadata: Metadata::default(),
    };
    let mut tx = harness.controller.store.begin().await.unwrap();
    service_brokers::insert(&mut tx, &broker).await.unwrap();
    service_offerings::insert(&mut tx, &offering).await.unwrap();
    service_plans::insert(&mut tx, &plan).await.unwrap();
    tx.commit().await.unwrap();
}

/// The path of a list with everything it can include.
fn lists(document: &Value) -> Vec<String> {
    let of = |path: &String, operation: &Value| {
        let parameters = operation["get"]["parameters"].as_array()?;
        let named = |name: &str| parameters.iter().find(|parameter| parameter["name"] == name);
        named("per_page")?;
        let words = |name: &str| {
            let words = named(name)?.pointer("/schema/items/enum")?.as_array()?;
            Some(format!("&{name}={}", words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")))
        };
        let inside = [words("include"), words("embed")].into_iter().flatten().collect::<String>();
        Some(format!("{path}?per_page=500&page=1{inside}"))
    };
    let paths = document["paths"].as_object().unwrap();
    paths.iter().filter(|(path, _)| !path.contains('{')).filter_map(|(path, operation)| of(path, operation)).collect()
}

/// Times that each list is asked. The database's thread may report a request's last statement after the answer, so a count is sure
/// but for one or two; a statement per row would be many.
const TIMES: usize = 4;
/// Of everything.
const FEW: usize = 2;
const MANY: usize = 7;

/// Statements of each list, asked several times, and how many resources it had.
async fn counts(harness: &Harness, lists: &[String], token: &str) -> BTreeMap<String, (usize, usize)> {
    let mut counts = BTreeMap::new();
    for list in lists {
        let before = STATEMENTS.load(Ordering::SeqCst);
        for _ in 1..TIMES {
            harness.send(token, http::Method::GET, list, "application/json", "").await.is(200);
        }
        let answer = harness.send(token, http::Method::GET, list, "application/json", "").await.is(200);
        let after = STATEMENTS.load(Ordering::SeqCst);
        counts.insert(list.clone(), (after - before, answer.body["resources"].as_array().unwrap().len()));
    }
    counts
}

#[tokio::test]
async fn a_list_asks_as_often_for_many_rows_as_for_few() {
    tracing::subscriber::set_global_default(Counter).unwrap();
    let harness = Harness::idle().await;
    let lists = lists(&harness.get("/v3/openapi.json").await.is(200).body);
    assert!(lists.len() >= 20, "{lists:?}");
    let token = harness.admin_token();
    for number in 0..FEW {
        add(&harness, number).await;
    }
    let few = counts(&harness, &lists, &token).await;
    for number in FEW..MANY {
        add(&harness, number).await;
    }
    let many = counts(&harness, &lists, &token).await;
    let mut grown = 0;
    for (list, (statements, rows)) in &few {
        let (more_statements, more_rows) = many[list];
        let per_row = TIMES * (MANY - FEW);
        assert!(
            more_statements < statements + per_row / 2,
            "{list}: {statements} statements for {rows} rows, {more_statements} for {more_rows}, asked {TIMES} times"
        );
        grown += usize::from(more_rows > *rows);
    }
    assert!(grown >= 15, "only {grown} lists have grown: {many:?}");
    assert!(few.values().any(|(statements, _)| *statements > 0), "nothing was counted");
}
