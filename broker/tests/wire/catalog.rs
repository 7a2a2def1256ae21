//! A catalog keeps every rule, or all that it breaks are named at once.

use crate::support::{Broker, answer};
use serde_json::{Value, json};
use std::time::Duration;
use virga_broker::{
    BrokerErrorKind, Catalog,
    catalog::{MaintenanceInfo, Service},
};

const PATIENT: Duration = Duration::from_secs(60);

async fn read(status: u16, body: &str) -> Result<Catalog, virga_broker::BrokerError> {
    Broker::that(answer(status, body)).await.client(PATIENT).catalog().await
}

fn invalid(body: &Value) -> String {
    let error = Catalog::from_json(body.as_object().unwrap()).unwrap_err();
    assert_eq!(error.kind, BrokerErrorKind::CatalogInvalid);
    error.message
}

fn plan(id: &str, name: &str) -> Value {
    json!({"id": id, "name": name, "description": "a plan"})
}

fn service(changes: &Value) -> Value {
    let mut service = json!({"id": "s1", "name": "db", "description": "a database", "bindable": true, "plans": [plan("p1", "small")]});
    service.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    service
}

fn of(changes: &Value) -> Value {
    json!({"services": [service(changes)]})
}

fn of_plan(changes: &Value) -> Value {
    let mut plan = plan("p1", "small");
    plan.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    of(&json!({"plans": [plan]}))
}

#[tokio::test]
async fn everything_a_catalog_says_is_kept() {
    let schema = json!({"$schema": "http://json-schema.org/draft-04/schema#", "type": "object"});
    let metadata = json!({"displayName": "DB", "shareable": true, "documentationUrl": "https://docs"});
    let plan = json!({
        "id": "p1", "name": "small", "description": "a\nplan", "free": false, "bindable": false, "plan_updateable": true,
        "binding_rotatable": true, "metadata": {"costs": [{"amount": {"usd": 1.5}, "unit": "MONTHLY"}], "bullets": ["fast"]},
        "maintenance_info": {"version": "2.1.0-rc1", "description": "new"}, "maximum_polling_duration": 60,
        "schemas": {"service_instance": {"create": {"parameters": schema}}, "service_binding": {"create": {"parameters": schema}}},
    });
    let body = of(&json!({
        "tags": ["sql"], "requires": ["syslog_drain"], "metadata": metadata, "plan_updateable": true, "instances_retrievable": true,
        "bindings_retrievable": true, "allow_context_updates": true, "plans": [plan],
        "dashboard_client": {"id": "c", "secret": "hush", "redirect_uri": "https://d"}, "unknown": {"a": 1},
    }));
    let catalog = read(200, &body.to_string()).await.unwrap();
    let [Service { plans, .. }] = catalog.services.as_slice() else { panic!("{catalog:?}") };
    let db = &catalog.services[0];
    assert_eq!((db.id.as_str(), db.name.as_str(), db.tags.as_slice()), ("s1", "db", &["sql".to_owned()][..]));
    assert!(db.plan_updateable && db.instances_retrievable && db.bindings_retrievable && db.allow_context_updates && db.shareable());
    assert_eq!(db.documentation_url(), Some("https://docs"));
    assert_eq!(db.dashboard_client.as_ref().unwrap().secret, "hush");
    assert!(!format!("{db:?}").contains("hush"));
    let small = &plans[0];
    assert_eq!((small.description.as_str(), small.free, small.bindable, small.plan_updateable), ("a plan", false, Some(false), Some(true)));
    let version = MaintenanceInfo { version: "2.1.0-rc1".to_owned(), description: Some("new".to_owned()) };
    assert_eq!((small.binding_rotatable, small.maximum_polling_duration, &small.maintenance_info), (true, Some(60), &Some(version)));
    assert_eq!(small.metadata.as_ref().unwrap()["bullets"], json!(["fast"]));
    assert_eq!(small.schemas.instance_create.as_ref().map(|it| json!(it)), Some(schema));
    assert!(small.schemas.binding_create.is_some() && small.schemas.instance_update.is_none());

    let plain = read(200, &of(&json!({})).to_string()).await.unwrap();
    let plain = &plain.services[0];
    assert!(!plain.plan_updateable && !plain.instances_retrievable && !plain.shareable() && plain.plans[0].free);
    assert_eq!(plain.plans[0].bindable, None);
}

#[test]
fn all_broken_rules_are_named_where_they_belong() {
    let body = json!({"services": [
        {"id": "s1", "name": "db", "description": 7, "bindable": "yes", "plans": [plan("p1", "small"), plan("p2", "small")]},
        {"id": "s1", "name": "db", "description": "d", "bindable": true, "requires": ["root"], "plans": [
            {"id": "p1", "name": "big", "description": "x", "free": "no",
             "maintenance_info": {"version": "one", "when": "now"}, "schemas": {"service_instance": {"create": {"parameters": {"type": "object"}}}}},
        ]},
        {"name": "", "bindable": false, "plans": []},
    ]});
    let expected = "Service broker catalog is invalid: \n\
        Service ids must be unique\n\
        Service names must be unique within a broker\n\
        Plan ids must be unique. Unable to register plan with id 'p1' (plan name 'big', service name 'db') because it uses the same id as \
        another plan in the catalog (plan name 'small', service name 'db')\n\
        Service db\n\
        \x20 Service description must be a string, but has value 7\n\
        \x20 Service \"bindable\" field must be a boolean, but has value \"yes\"\n\
        \x20 Plan names must be unique within a service. Service db already has a plan named small\n\
        Service db\n\
        \x20 Service \"requires\" field contains unsupported value \"root\"\n\
        \x20 Plan big\n\
        \x20   Plan free must be a boolean, but has value \"no\"\n\
        \x20   Maintenance info version must be a Semantic Version, but has value \"one\"\n\
        \x20   Maintenance info contains invalid key(s): when\n\
        \x20   Schemas\n\
        \x20     Schema service_instance.create.parameters is not valid. Schema must have $schema key but was not present\n\
        Service \n\
        \x20 Service name is required\n\
        \x20 Service id is required\n\
        \x20 Service description is required\n\
        \x20 At least one plan is required\n";
    assert_eq!(invalid(&body), expected);
}

#[test]
fn each_rule_is_a_rule() {
    for (body, problem) in [
        (json!({}), "Service broker must provide at least one service"),
        (json!({"services": []}), "Service broker must provide at least one service"),
        (json!({"services": {}}), "Services must be an array, but has value {}"),
        (json!({"services": [7]}), "Service must be a hash, but has value 7"),
        (of(&json!({"id": " "})), "Service id is required"),
        (of(&json!({"name": "a\u{1b}[2J"})), "Service name may not have control characters"),
        (of(&json!({"description": "x".repeat(10_001)})), "Service description may not have more than 10000 characters"),
        (of(&json!({"bindable": null})), "Service \"bindable\" field is required"),
        (of(&json!({"tags": "sql"})), "Service tags must be an array of strings, but has value \"sql\""),
        (of(&json!({"tags": ["x".repeat(2049)]})), "Tags for the service db must be 2048 characters or less."),
        (of(&json!({"requires": [1]})), "Service \"requires\" field must be an array of strings, but has value [1]"),
        (of(&json!({"metadata": []})), "Service metadata must be a hash, but has value []"),
        (of(&json!({"metadata": {"shareable": "yes"}})), "Service metadata shareable must be a boolean, but has value \"yes\""),
        (of(&json!({"plan_updateable": 1})), "Service \"plan_updateable\" field must be a boolean, but has value 1"),
        (of(&json!({"name": "x".repeat(256)})), "Service name may not have more than 255 characters"),
        (of_plan(&json!({"id": "x".repeat(256)})), "Plan id may not have more than 255 characters"),
        // Neither is repeated: it may be the secret.
        (of(&json!({"dashboard_client": "hush"})), "Service dashboard client attributes must be a hash"),
        (
            of(&json!({"dashboard_client": {"id": "a", "secret": 7, "redirect_uri": "r"}})),
            "Service dashboard client secret must be a string",
        ),
        (of(&json!({"dashboard_client": {"id": "a", "secret": "b"}})), "Service dashboard client redirect_uri is required"),
        (of(&json!({"plans": {}})), "Service plans list must be an array of hashes, but has value {}"),
        (of(&json!({"plans": ["p"]})), "Service plans list must be an array of hashes, but has value \"p\""),
        (of_plan(&json!({"id": 1})), "Plan id must be a string, but has value 1"),
        (of_plan(&json!({"maximum_polling_duration": "1"})), "Maximum polling duration must be an integer, but has value \"1\""),
        (of_plan(&json!({"maximum_polling_duration": -1})), "Maximum polling duration must be an integer, but has value -1"),
        (of_plan(&json!({"maintenance_info": {}})), "Maintenance info version is required"),
        (of_plan(&json!({"schemas": 1})), "Plan schemas must be a hash, but has value 1"),
        (
            of_plan(&json!({"maintenance_info": {"version": "1.0.0", "description": "x".repeat(2000)}})),
            "Maintenance info must serialize to 2000 characters or fewer in JSON, but serializes to 2036 characters",
        ),
    ] {
        let message = invalid(&body);
        assert!(message.lines().any(|line| line.trim() == problem), "{problem}: {message}");
    }
    let twice = |changes: Value| json!({"services": [service(&json!({})), service(&changes)]});
    let client = json!({"id": "c", "secret": "s", "redirect_uri": "r"});
    let second = json!({"id": "s2", "name": "db2", "plans": [plan("p2", "small")], "dashboard_client": client});
    let mut both = twice(second);
    both["services"][0]["dashboard_client"] = client;
    assert!(invalid(&both).contains("Service dashboard_client id must be unique"));
}

#[test]
fn what_is_wrong_a_thousand_times_is_not_told_a_thousand_times() {
    let plans: Vec<_> = (0..4_000).map(|_| plan("same", &"x".repeat(255))).collect();
    let message = invalid(&of(&json!({"plans": plans, "requires": vec!["root"; 4_000]})));
    assert!(message.contains("Plan ids must be unique") && message.len() < 20_000, "{}", message.len());
    assert!(message.matches("unsupported value").count() <= 100);
}

#[tokio::test]
async fn what_is_no_catalog_is_told_from_one_that_is_wrong() {
    for body in ["", "[]", "<html>", "{"] {
        let error = read(200, body).await.unwrap_err();
        assert_eq!(error.kind, BrokerErrorKind::CatalogMalformed, "{body}");
        let expected = "The service broker returned an invalid response: expected valid JSON object in body. \
                        Please check that the URL points to a valid service broker.";
        assert_eq!(error.message, expected);
    }
    for (status, kind) in [
        (201, BrokerErrorKind::BadResponse),
        (302, BrokerErrorKind::BadResponse),
        (401, BrokerErrorKind::AuthenticationFailed),
        (404, BrokerErrorKind::RequestRejected),
        (500, BrokerErrorKind::BadResponse),
    ] {
        let error = read(status, "{}").await.unwrap_err();
        assert_eq!((error.kind, error.leaves_orphan), (kind, false), "{status}");
    }
}

#[test]
fn a_catalog_of_problems_has_a_short_text() {
    let services: Vec<_> = (0..2000).map(|_| json!({"name": "x".repeat(1000), "bindable": "z".repeat(1000)})).collect();
    let message = invalid(&json!({ "services": services }));
    assert!(message.len() < 16 << 10, "{}", message.len());
    assert!(message.contains("A catalog may not have more than 1000 services"));
}
