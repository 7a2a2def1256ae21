//! Tasks: the rows that the scheduler gives to workers.

use crate::support::Harness;
use serde_json::{Value, json};
use virga_store::{tasks, tasks::TaskRow};

impl Harness {
    async fn run_task(&self, app: &str, body: Value) -> crate::support::Answer {
        self.post(&format!("/v3/apps/{app}/tasks"), body).await
    }

    /// What the scheduler does when a worker says how a task ended.
    async fn end_task(&self, guid: &str, state: virga_model::state::TaskState, reason: Option<&str>) {
        let mut tx = self.controller.store.begin().await.unwrap();
        let mut row: TaskRow = tasks::find(&mut tx, guid.parse().unwrap()).await.unwrap().unwrap();
        row.end(state, reason.map(str::to_owned));
        tasks::update(&mut tx, &mut row, self.controller.now()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_task_is_made_listed_cancelled_and_counted() {
    let harness = Harness::start().await;
    let app = harness.app("tasked").await;
    harness.run_task(&app, json!({ "command": "true" })).await.refused(422, "Task must have a droplet");
    let droplet = harness.staged(&app, &[("a", b"1")]).await;

    let body = json!({ "command": "migrate --all", "name": "migrate", "memory_in_mb": 64, "disk_in_mb": 32, "log_rate_limit_in_bytes_per_second": 1024, "metadata": { "labels": { "kind": "once" } } });
    let task = harness.run_task(&app, body).await.is(202);
    assert!(task.location.is_none(), "clients take a Location for a job");
    assert_eq!(
        (task.text("/state"), task.body["sequence_id"].clone(), task.text("/command")),
        ("PENDING".into(), json!(1), "migrate --all".into())
    );
    assert_eq!(
        (task.body["memory_in_mb"].clone(), task.text("/droplet_guid"), task.body["result"].clone()),
        (json!(64), droplet.clone(), json!({ "failure_reason": null }))
    );
    let defaulted = harness.run_task(&app, json!({ "command": "x" })).await.is(202);
    assert_eq!(
        (defaulted.body["sequence_id"].clone(), defaulted.text("/name").len(), defaulted.body["memory_in_mb"].clone()),
        (json!(2), 8, json!(256))
    );

    let of_app = format!("/v3/apps/{app}/tasks");
    assert_eq!(harness.get(&format!("{of_app}?sequence_ids=2")).await.text("/resources/0/guid"), defaulted.guid());
    assert_eq!(harness.get(&format!("{of_app}?names=migrate&states=PENDING")).await.body["pagination"]["total_results"], 1);
    assert_eq!(harness.get("/v3/tasks?label_selector=kind=once").await.text("/resources/0/command"), "[PRIVATE DATA HIDDEN]");
    assert_eq!(harness.get(&format!("/v3/tasks?app_guids={app}&states=FAILED")).await.body["pagination"]["total_results"], 0);

    let cancelled = harness.post(&format!("/v3/tasks/{}/actions/cancel", task.guid()), Value::Null).await.is(202);
    assert_eq!(cancelled.text("/state"), "CANCELING");
    harness.end_task(&task.guid(), virga_model::state::TaskState::Failed, Some("task was cancelled")).await;
    let ended = harness.get(&format!("/v3/tasks/{}", task.guid())).await;
    assert_eq!((ended.text("/state"), ended.text("/result/failure_reason")), ("FAILED".into(), "task was cancelled".into()));
    harness
        .post(&format!("/v3/tasks/{}/actions/cancel", task.guid()), Value::Null)
        .await
        .refused(422, "Task state is FAILED and therefore cannot be canceled");
    let put = harness.json(http::Method::PUT, &format!("/v3/tasks/{}/cancel", defaulted.guid()), Value::Null).await.is(202);
    assert_eq!(put.text("/state"), "CANCELING");
    let other = harness.app("other").await;
    harness
        .json(http::Method::PUT, &format!("/v3/apps/{other}/tasks/{}/cancel", defaulted.guid()), Value::Null)
        .await
        .refused(404, "Task not found");

    let events = harness.get(&format!("/v3/audit_events?target_guids={app}&types=audit.app.task.create,audit.app.task.cancel")).await;
    assert_eq!(events.body["pagination"]["total_results"], 4);
    assert!(!events.body.to_string().contains("migrate --all"), "commands may hold secrets");
}

#[tokio::test]
async fn what_a_task_cannot_be_is_refused_and_a_template_fills_in() {
    let harness = Harness::start().await;
    let app = harness.app("picky").await;
    harness.staged(&app, &[("a", b"1")]).await;
    harness.run_task(&app, json!({})).await.refused(422, "No command or template provided");
    harness.run_task(&app, json!({ "command": "" })).await.refused(422, "Command must not be empty");
    harness.run_task(&app, json!({ "command": "x".repeat(4_097) })).await.refused(422, "4096 characters");
    harness.run_task(&app, json!({ "command": "x", "memory_in_mb": 0 })).await.refused(422, "Memory in mb");
    harness.run_task(&app, json!({ "command": "x", "name": " " })).await.refused(422, "Name can't be blank");
    harness.run_task(&app, json!({ "command": "x", "log_rate_limit_in_bytes_per_second": -2 })).await.refused(422, "Log rate limit");
    harness.run_task(&app, json!({ "command": "x", "user": "root" })).await.refused(422, "User must be one of: 'vcap'");
    harness.patch(&format!("/v3/processes/{app}"), json!({ "user": "root" })).await.refused(422, "User must be one of: 'vcap'");
    harness.patch(&format!("/v3/processes/{app}"), json!({ "user": "vcap" })).await.is(200);
    harness.run_task(&app, json!({ "command": "x", "droplet_guid": app })).await.refused(404, "Droplet not found");
    harness.run_task(&app, json!({ "template": { "process": { "guid": "x" } } })).await.refused(404, "Process not found");
    harness.run_task(&app, json!({ "command": "x", "surprise": 1 })).await.refused(422, "Unknown field(s): 'surprise'");
    assert_eq!(harness.get(&format!("/v3/apps/{app}/tasks")).await.body["pagination"]["total_results"], 0);

    let worker = harness.get(&format!("/v3/apps/{app}/processes/worker")).await.is(200).guid();
    harness.post(&format!("/v3/processes/{worker}/actions/scale"), json!({ "memory_in_mb": 99 })).await.is(202);
    let template = json!({ "process": { "guid": worker } });
    let task = harness.run_task(&app, json!({ "template": template })).await.is(202);
    assert_eq!((task.text("/command"), task.body["memory_in_mb"].clone()), ("run worker.wasm".into(), json!(99)));
    let task = harness.run_task(&app, json!({ "template": template, "command": "mine", "memory_in_mb": 7 })).await.is(202);
    assert_eq!((task.text("/command"), task.body["memory_in_mb"].clone()), ("mine".into(), json!(7)));

    harness.patch("/v3/feature_flags/task_creation", json!({ "enabled": false })).await.is(200);
    let developer = harness.user(Some("space_developer")).await;
    let refused =
        harness.send(&developer, http::Method::POST, &format!("/v3/apps/{app}/tasks"), "application/json", r#"{"command":"x"}"#).await;
    refused.refused(403, "task_creation");
    let auditor = harness.user(Some("space_auditor")).await;
    let seen = harness.send(&auditor, http::Method::GET, &format!("/v3/apps/{app}/tasks"), "application/json", "").await;
    assert_eq!(seen.text("/resources/0/command"), "[PRIVATE DATA HIDDEN]");

    let job = harness.job(harness.delete(&format!("/v3/apps/{app}")).await).await;
    assert_eq!(job["state"], "COMPLETE");
    assert_eq!(harness.get(&format!("/v3/tasks?app_guids={app}")).await.body["pagination"]["total_results"], 0);
}
