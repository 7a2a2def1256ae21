//! What is sent, and the protocol's tables of status codes, over real sockets.

use crate::support::{Broker, Then, answer, bind, binding, deprovision, instance, last_operation, plan, provision, raw, unbind, update};
use serde_json::{Value, json};
use std::time::Duration;
use virga_broker::{
    BindResource, BrokerError,
    BrokerErrorKind::{self as Kind, *},
    PreviousValues, Progress,
    catalog::MaintenanceInfo,
};
use virga_model::service::OperationState;

const PATIENT: Duration = Duration::from_secs(60);
const INSTANCE: &str = "/base/v2/service_instances/00000000-0000-0000-0000-000000001111";

async fn asked(broker: &mut Broker) -> (crate::support::Asked, Value) {
    let asked = broker.asked.recv().await.unwrap();
    let body = if asked.body.is_empty() { Value::Null } else { serde_json::from_str(&asked.body).unwrap() };
    (asked, body)
}

#[tokio::test]
async fn every_request_says_who_asks_in_which_version() {
    let mut broker = Broker::that(answer(200, r#"{"state":"succeeded"}"#)).await;
    let client = broker.client(PATIENT);
    client.last_operation(&last_operation(true)).await.unwrap();
    let (first, _) = asked(&mut broker).await;
    let header = |name: &str| first.headers.get(name).cloned().unwrap_or_default();
    assert_eq!(header("x-broker-api-version"), "2.17");
    assert_eq!(header("authorization"), "Basic cGxhdDpzM2NyZXQ=");
    assert_eq!(header("accept"), "application/json");
    assert_eq!(header("x-api-info-location"), "api.example.com/");
    let identity = header("x-broker-api-originating-identity");
    let (platform, who) = identity.split_once(' ').unwrap();
    assert_eq!(platform, "cloudfoundry");
    // {"user_id":"00000000-0000-0000-0000-000000000007"}
    assert_eq!(who, "eyJ1c2VyX2lkIjoiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDA3In0=");
    client.last_operation(&last_operation(false)).await.unwrap();
    let (second, _) = asked(&mut broker).await;
    assert_ne!(first.headers["x-broker-api-request-identity"], second.headers["x-broker-api-request-identity"]);
    let query = "last_operation?service_id=svc+id&plan_id=plan%26id&operation=task+1%2F%26 HTTP/1.1";
    assert_eq!(first.line, format!("GET {INSTANCE}/service_bindings/00000000-0000-0000-0000-000000002222/{query}"));
    assert_eq!(second.line, format!("GET {INSTANCE}/{query}"));
}

#[tokio::test]
async fn instances_are_made_changed_and_deleted_with_what_the_protocol_asks_for() {
    let mut broker = Broker::that(answer(200, "{}")).await;
    let client = broker.client(PATIENT);
    let context = json!({
        "platform": "cloudfoundry", "organization_guid": "00000000-0000-0000-0000-000000000001",
        "space_guid": "00000000-0000-0000-0000-000000000002", "organization_name": "acme", "space_name": "dev",
        "organization_annotations": {"acme.com/a": "b"}, "space_annotations": {}, "instance_name": "db", "instance_annotations": {},
    });
    client.provision(&provision()).await.unwrap();
    let (request, body) = asked(&mut broker).await;
    assert_eq!(request.line, format!("PUT {INSTANCE}?accepts_incomplete=true HTTP/1.1"));
    let expected = json!({
        "service_id": "svc id", "plan_id": "plan&id", "organization_guid": "00000000-0000-0000-0000-000000000001",
        "space_guid": "00000000-0000-0000-0000-000000000002", "context": context,
    });
    assert_eq!(body, expected);
    assert_eq!(request.headers["content-type"], "application/json");

    let version = MaintenanceInfo { version: "2.0.0".to_owned(), description: None };
    let mut change = update();
    change.parameters = Some(serde_json::Map::new());
    change.maintenance_info = Some(version.clone());
    change.previous = PreviousValues { plan_id: Some("old".to_owned()), maintenance_info: Some(version), ..PreviousValues::default() };
    change.accepts_incomplete = false;
    client.update(&change).await.unwrap();
    let (request, body) = asked(&mut broker).await;
    assert_eq!(request.line, format!("PATCH {INSTANCE} HTTP/1.1"));
    assert_eq!(body["parameters"], json!({}));
    assert_eq!(body["maintenance_info"], json!({"version": "2.0.0"}));
    assert_eq!(body["previous_values"], json!({"plan_id": "old", "maintenance_info": {"version": "2.0.0"}}));

    client.deprovision(&deprovision()).await.unwrap();
    let (request, _) = asked(&mut broker).await;
    assert_eq!(request.line, format!("DELETE {INSTANCE}?service_id=svc+id&plan_id=plan%26id&accepts_incomplete=true HTTP/1.1"));
}

#[tokio::test]
async fn bindings_say_what_they_are_for() {
    let mut broker = Broker::that(answer(200, r#"{"credentials":{"uri":"x://y"}}"#)).await;
    let client = broker.client(PATIENT);
    let path = format!("{INSTANCE}/service_bindings/00000000-0000-0000-0000-000000002222");
    let bound = client.bind(&bind()).await.unwrap();
    assert_eq!(Value::Object(bound.binding.credentials), json!({"uri": "x://y"}));
    let (request, body) = asked(&mut broker).await;
    assert_eq!(request.line, format!("PUT {path}?accepts_incomplete=true HTTP/1.1"));
    let app = "00000000-0000-0000-0000-000000000003";
    assert_eq!(body["app_guid"], app);
    let space = "00000000-0000-0000-0000-000000000002";
    assert_eq!(body["bind_resource"], json!({"app_guid": app, "space_guid": space, "app_annotations": {}}));
    for (resource, expected) in
        [(BindResource::Key, json!({})), (BindResource::Route("a.example.com/b".to_owned()), json!({"route": "a.example.com/b"}))]
    {
        client.bind(&virga_broker::BindRequest { resource, ..bind() }).await.unwrap();
        let (_, body) = asked(&mut broker).await;
        assert_eq!(body["bind_resource"], expected);
        assert_eq!(body.get("app_guid"), None);
    }
    client.unbind(&unbind()).await.unwrap();
    let (request, _) = asked(&mut broker).await;
    assert_eq!(request.line, format!("DELETE {path}?service_id=svc+id&plan_id=plan%26id&accepts_incomplete=true HTTP/1.1"));
    client.fetch_binding(binding(), &plan(), &[]).await.unwrap();
    let (request, _) = asked(&mut broker).await;
    assert_eq!(request.line, format!("GET {path}?service_id=svc+id&plan_id=plan%26id HTTP/1.1"));
}

/// What came of a request: done, in progress, or an error that may leave an orphan.
#[derive(Debug, PartialEq)]
enum Came {
    Done,
    InProgress,
    Failed(Kind, bool),
}

fn came(progress: Result<Progress, BrokerError>) -> Came {
    match progress {
        Ok(Progress::Done) => Came::Done,
        Ok(Progress::InProgress { .. }) => Came::InProgress,
        Err(error) => {
            assert!(!error.message.is_empty());
            Came::Failed(error.kind, error.leaves_orphan)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Request {
    Provision,
    Update,
    Deprovision,
    Bind,
    Unbind,
}
use Request::*;

async fn ask(request: Request, status: u16, body: &str) -> Came {
    let broker = Broker::that(answer(status, body)).await;
    let client = broker.client(PATIENT);
    came(match request {
        Provision => client.provision(&provision()).await.map(|done| done.progress),
        Update => client.update(&update()).await.map(|done| done.progress),
        Deprovision => client.deprovision(&deprovision()).await.map(|done| done.progress),
        Bind => client.bind(&bind()).await.map(|done| done.progress),
        Unbind => client.unbind(&unbind()).await.map(|done| done.progress),
    })
}

#[tokio::test]
async fn statuses_mean_what_the_protocol_says() {
    let word = |word: &str| format!("{{\"error\":\"{word}\",\"description\":\"d\"}}");
    let failed = |kind| Came::Failed(kind, false);
    for request in [Provision, Update, Deprovision, Bind, Unbind] {
        let makes = matches!(request, Provision | Bind);
        let removes = matches!(request, Deprovision | Unbind);
        let orphan = |kind| Came::Failed(kind, makes);
        let mut table = vec![
            (200, "{}".to_owned(), Came::Done),
            (200, "junk".to_owned(), failed(ResponseMalformed)),
            (201, "{}".to_owned(), if makes { Came::Done } else { failed(BadResponse) }),
            (202, "{}".to_owned(), Came::InProgress),
            (202, r#"{"operation":"task"}"#.to_owned(), Came::InProgress),
            (202, r#"{"operation":7}"#.to_owned(), orphan(ResponseMalformed)),
            (203, "{}".to_owned(), orphan(BadResponse)),
            (204, String::new(), orphan(BadResponse)),
            (304, String::new(), orphan(BadResponse)),
            (400, "{}".to_owned(), failed(RequestRejected)),
            (401, "{}".to_owned(), failed(AuthenticationFailed)),
            (403, "no".to_owned(), failed(RequestRejected)),
            (404, "{}".to_owned(), failed(RequestRejected)),
            (408, "{}".to_owned(), failed(Timeout)),
            (409, "{}".to_owned(), failed(if makes { Conflict } else { BadResponse })),
            (410, "{}".to_owned(), if removes { Came::Done } else { failed(BadResponse) }),
            (412, "{}".to_owned(), failed(RequestRejected)),
            (422, word("AsyncRequired"), failed(AsyncRequired)),
            (422, word("ConcurrencyError"), failed(Concurrency)),
            (422, word("Whatever"), failed(if request == Update { RequestRejected } else { BadResponse })),
            (429, "{}".to_owned(), failed(RequestRejected)),
            (500, "{}".to_owned(), orphan(BadResponse)),
            (503, "<html>".to_owned(), orphan(BadResponse)),
        ];
        if matches!(request, Provision | Update) {
            table.push((422, word("MaintenanceInfoConflict"), failed(MaintenanceInfoConflict)));
        }
        if request == Bind {
            table.push((422, word("RequiresApp"), failed(AppRequired)));
            table.push((201, r#"{"syslog_drain_url":"syslog://x"}"#.to_owned(), orphan(InvalidSyslogDrain)));
            table.push((200, r#"{"volume_mounts":[]}"#.to_owned(), orphan(InvalidVolumeMounts)));
            table.push((201, r#"{"route_service_url":"http://x"}"#.to_owned(), orphan(BadResponse)));
            table.push((201, r#"{"route_service_url":"https://x"}"#.to_owned(), Came::Done));
        }
        for (status, body, expected) in table {
            assert_eq!(ask(request, status, &body).await, expected, "{request:?} {status} {body}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_was_not_asked_for_is_refused() {
    let broker = Broker::that(answer(202, "{}")).await;
    let client = broker.client(PATIENT);
    let error = client.provision(&virga_broker::ProvisionRequest { accepts_incomplete: false, ..provision() }).await.unwrap_err();
    assert_eq!((error.kind, error.leaves_orphan), (RespondedAsync, true));
    let error = client.unbind(&virga_broker::UnbindRequest { accepts_incomplete: false, ..unbind() }).await.unwrap_err();
    assert_eq!((error.kind, error.leaves_orphan), (RespondedAsync, false));
}

#[tokio::test]
async fn answers_are_read_whole() {
    let body = json!({"dashboard_url": "https://d", "operation": "op", "metadata": {"labels": {"a": 1}, "attributes": {}}, "more": []});
    let broker = Broker::that(answer(202, &body.to_string())).await;
    let made = broker.client(PATIENT).provision(&provision()).await.unwrap();
    assert_eq!(made.progress, Progress::InProgress { operation: Some("op".to_owned()) });
    assert_eq!(made.dashboard_url.as_deref(), Some("https://d"));
    assert_eq!(made.metadata.map(Value::Object), Some(body["metadata"].clone()));

    let mount = json!({"driver": "nfs", "container_dir": "/d", "mode": "rw", "device_type": "shared", "device": {"volume_id": "v"}});
    let body = json!({
        "credentials": {"p": "w"}, "syslog_drain_url": "syslog://l", "volume_mounts": [mount],
        "metadata": {"expires_at": "2030-01-01T00:00:00.0Z", "renew_before": "2029-01-01T00:00:00.0Z"}, "parameters": {"a": 1},
    });
    let broker = Broker::that(answer(200, &body.to_string())).await;
    let requires = ["syslog_drain".to_owned(), "volume_mount".to_owned()];
    let fetched = broker.client(PATIENT).fetch_binding(binding(), &plan(), &requires).await.unwrap();
    assert_eq!(Value::Object(fetched.parameters), json!({"a": 1}));
    let given = fetched.binding;
    assert_eq!((given.syslog_drain_url.as_deref(), given.volume_mounts), (Some("syslog://l"), vec![mount]));
    assert_eq!(given.expires_at.as_deref(), Some("2030-01-01T00:00:00.0Z"));
    assert_eq!(given.renew_before.as_deref(), Some("2029-01-01T00:00:00.0Z"));

    let broker = Broker::that(answer(200, r#"{"service_id":"s","plan_id":"p","parameters":{"b":[]},"dashboard_url":null}"#)).await;
    let fetched = broker.client(PATIENT).fetch_instance(instance(), &plan()).await.unwrap();
    assert_eq!((fetched.service_id.as_deref(), Value::Object(fetched.parameters)), (Some("s"), json!({"b": []})));
    let broker = Broker::that(answer(404, "{}")).await;
    assert_eq!(broker.client(PATIENT).fetch_instance(instance(), &plan()).await.unwrap_err().kind, RequestRejected);
}

#[tokio::test]
async fn operations_are_told_apart() {
    use OperationState::{Failed, InProgress, Succeeded};
    for of_binding in [false, true] {
        for (status, body, state, is_gone) in [
            (200, r#"{"state":"in progress"}"#, InProgress, false),
            (200, r#"{"state":"succeeded"}"#, Succeeded, false),
            (200, r#"{"state":"failed","instance_usable":false,"update_repeatable":true}"#, Failed, false),
            (400, "junk", Failed, false),
            (410, "{}", Succeeded, true),
        ] {
            let broker = Broker::that(Then::Sends(raw(status, "Retry-After: 3\r\n", body))).await;
            let operation = broker.client(PATIENT).last_operation(&last_operation(of_binding)).await.unwrap();
            assert_eq!((operation.state, operation.is_gone), (state, is_gone), "{status} {body}");
            assert_eq!(operation.retry_after, Some(Duration::from_secs(3)));
            assert_eq!(operation.instance_usable, body.contains("usable").then_some(false));
            assert_eq!(operation.update_repeatable, body.contains("repeatable").then_some(true));
        }
        for (status, body, kind) in [
            (200, r#"{"state":"dancing"}"#, ResponseMalformed),
            (200, "{}", ResponseMalformed),
            (200, "", ResponseMalformed),
            (201, r#"{"state":"succeeded"}"#, BadResponse),
            (401, "{}", AuthenticationFailed),
            (404, "{}", RequestRejected),
            (500, "{}", BadResponse),
        ] {
            let broker = Broker::that(answer(status, body)).await;
            let error = broker.client(PATIENT).last_operation(&last_operation(of_binding)).await.unwrap_err();
            assert_eq!(error.kind, kind, "{status} {body}");
            assert!(error.kind.is_passing(), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn errors_have_the_codes_and_texts_of_cloud_controller() {
    for (status, body, code, title, detail) in [
        (500, r#"{"description":"out of disk"}"#, 10001, "CF-ServiceBrokerBadResponse", "Service broker error: out of disk"),
        (
            500,
            "oops",
            10001,
            "CF-ServiceBrokerBadResponse",
            "The service broker returned an invalid response. Status Code: 500 Internal Server Error, Body: oops",
        ),
        (
            403,
            "no",
            270_020,
            "CF-ServiceBrokerRequestRejected",
            "The service broker rejected the request. Status Code: 403 Forbidden, Body: no",
        ),
        (409, "", 10001, "CF-ServiceBrokerConflict", "Resource conflict"),
        (
            401,
            "",
            10001,
            "CF-ServiceBrokerApiAuthenticationFailed",
            "Authentication with the service broker failed. Double-check that the username and password are correct.",
        ),
        (
            422,
            r#"{"error":"AsyncRequired","description":"x"}"#,
            270_014,
            "CF-ServiceBrokerAsyncRequired",
            "This service plan requires client support for asynchronous service operations.",
        ),
        (
            422,
            r#"{"error":"ConcurrencyError"}"#,
            270_018,
            "CF-ServiceBrokerConcurrencyError",
            "The service broker could not perform this operation in parallel with other running operations",
        ),
    ] {
        let broker = Broker::that(answer(status, body)).await;
        let error = broker.client(PATIENT).provision(&provision()).await.unwrap_err();
        let expected = json!({"errors": [{"code": code, "title": title, "detail": detail}]});
        assert_eq!(error.to_api_error().to_json(), expected);
    }
}
