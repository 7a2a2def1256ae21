//! Deployments: the rows that the scheduler steps on from.

use crate::support::Harness;
use serde_json::{Value, json};

impl Harness {
    async fn deploy(&self, app: &str, more: Value) -> crate::support::Answer {
        let mut body = json!({ "relationships": { "app": { "data": { "guid": app } } }, "strategy": "rolling" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post("/v3/deployments", body).await
    }
}

#[tokio::test]
async fn a_rolling_deployment_makes_a_second_web_process() {
    let harness = Harness::start().await;
    let app = harness.app("rolling").await;
    let first = harness.staged(&app, &[("a", b"1")]).await;
    harness.post(&format!("/v3/apps/{app}/processes/web/actions/scale"), json!({ "instances": 4 })).await.is(202);
    harness.post(&format!("/v3/apps/{app}/actions/start"), Value::Null).await.is(200);
    let package = harness.package(&app).await;
    harness.upload(&package, &json!([]), Some(&crate::support::zip(&[("a", b"2")]))).await.is(200);
    let second = harness.build(&package).await["droplet"]["guid"].as_str().unwrap().to_owned();

    let options = json!({ "max_in_flight": 2, "canary": null, "web_instances": null, "memory_in_mb": null, "disk_in_mb": null, "log_rate_limit_in_bytes_per_second": null });
    let deployment = harness.deploy(&app, json!({ "droplet": { "guid": second }, "options": options })).await.is(201);
    assert_eq!((deployment.text("/status/value"), deployment.text("/status/reason")), ("ACTIVE".into(), "DEPLOYING".into()));
    assert_eq!(deployment.text("/previous_droplet/guid"), first);
    let new = deployment.text("/new_processes/0/guid");
    assert_ne!(new, app, "a deployment's process has a guid of its own");
    assert_eq!(harness.get(&format!("/v3/processes/{new}")).await.body["instances"], 2);
    assert_eq!(harness.get(&format!("/v3/apps/{app}/processes/web")).await.guid(), new, "the newest web process is the app's");
    assert_eq!(harness.get(&format!("/v3/apps/{app}/droplets/current")).await.guid(), second);

    harness.post(&format!("/v3/apps/{app}/actions/stop"), Value::Null).await.refused(422, "cancel the deployment");
    harness
        .post(&format!("/v3/processes/{app}/actions/scale"), json!({ "instances": 1 }))
        .await
        .refused(422, "while a deployment is in flight");
    harness.patch(&format!("/v3/processes/{app}"), json!({ "command": "x" })).await.refused(422, "while a deployment is in flight");
    let active = format!("/v3/deployments?app_guids={app}&status_values=ACTIVE");
    assert_eq!(harness.get(&active).await.text("/resources/0/guid"), deployment.guid());

    let next = harness.deploy(&app, json!({})).await.is(201);
    let old = harness.get(&format!("/v3/deployments/{}", deployment.guid())).await;
    assert_eq!(old.text("/status/reason"), "SUPERSEDED");
    assert_eq!(next.text("/previous_droplet/guid"), first, "what was stable last");
    let cancel = format!("/v3/deployments/{}/actions/cancel", next.guid());
    assert!(harness.post(&cancel, Value::Null).await.is(200).bytes.is_empty());
    assert_eq!(harness.get(&format!("/v3/deployments/{}", next.guid())).await.text("/status/reason"), "CANCELING");
    assert_eq!(harness.get(&format!("/v3/apps/{app}/droplets/current")).await.guid(), first);
    harness.post(&format!("/v3/deployments/{}/actions/continue", next.guid()), Value::Null).await.refused(422, "Cannot continue");
    harness
        .post(&format!("/v3/deployments/{}/actions/cancel", deployment.guid()), Value::Null)
        .await
        .refused(422, "Cannot cancel a FINALIZED");
}

#[tokio::test]
async fn a_stopped_app_is_started_at_once_and_what_is_not_there_is_refused() {
    let harness = Harness::start().await;
    let app = harness.app("stopped").await;
    harness.deploy(&app, json!({})).await.refused(422, "Invalid droplet");
    harness.staged(&app, &[("a", b"1")]).await;
    harness.deploy(&app, json!({ "strategy": "canary" })).await.refused(422, "canary");
    harness.deploy(&app, json!({ "revision": { "guid": "x" } })).await.refused(422, "revision");
    harness.deploy(&app, json!({ "options": { "max_in_flight": 0 } })).await.refused(422, "Max in flight");
    let deployment = harness.deploy(&app, json!({ "options": { "web_instances": 3 } })).await.is(201);
    assert_eq!(deployment.text("/status/reason"), "DEPLOYED");
    assert_eq!(harness.get(&format!("/v3/apps/{app}")).await.text("/state"), "STARTED");
    assert_eq!(harness.get(&format!("/v3/processes/{app}")).await.body["instances"], 3);
}
