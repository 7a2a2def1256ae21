//! Deployments: the rows that the scheduler steps on from.

use crate::support::Harness;
use serde_json::{Value, json};
use virga_model::state::DeploymentState;
use virga_store::deployments;

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
    harness.deploy(&app, json!({ "strategy": "recreate" })).await.refused(422, "not a supported deployment strategy");
    harness.deploy(&app, json!({ "revision": { "guid": "x" } })).await.refused(422, "The revision does not exist");
    harness.deploy(&app, json!({ "options": { "max_in_flight": 0 } })).await.refused(422, "Max in flight");
    let deployment = harness.deploy(&app, json!({ "options": { "web_instances": 3 } })).await.is(201);
    assert_eq!(deployment.text("/status/reason"), "DEPLOYED");
    assert_eq!(harness.get(&format!("/v3/apps/{app}")).await.text("/state"), "STARTED");
    assert_eq!(harness.get(&format!("/v3/processes/{app}")).await.body["instances"], 3);
}

impl Harness {
    /// What the scheduler does once the instances of a canary's step serve.
    async fn pause(&self, deployment: &str) {
        let mut tx = self.controller.store.begin().await.unwrap();
        let mut row = deployments::find(&mut tx, deployment.parse().unwrap()).await.unwrap().unwrap();
        row.state = DeploymentState::Paused;
        deployments::update(&mut tx, &mut row, self.controller.now()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_canary_goes_from_step_to_step() {
    let harness = Harness::start().await;
    let app = harness.app("canary").await;
    harness.staged(&app, &[("a", b"1")]).await;
    harness.post(&format!("/v3/apps/{app}/processes/web/actions/scale"), json!({ "instances": 10 })).await.is(202);
    harness.post(&format!("/v3/apps/{app}/actions/start"), Value::Null).await.is(200);
    let steps = json!([{ "instance_weight": 20 }, { "instance_weight": 60 }]);
    let options = json!({ "max_in_flight": 5, "canary": { "steps": steps }, "memory_in_mb": 100 });
    let deployment = harness.deploy(&app, json!({ "strategy": "canary", "options": options })).await.is(201);
    let own = format!("/v3/deployments/{}", deployment.guid());
    assert_eq!(deployment.body["status"]["canary"], json!({ "steps": { "current": 1, "total": 2 } }));
    assert_eq!((deployment.text("/strategy"), deployment.text("/status/reason")), ("canary".into(), "DEPLOYING".into()));
    assert_eq!(deployment.body["options"], json!({ "max_in_flight": 5, "canary": { "steps": steps }, "memory_in_mb": 100 }));
    let new = harness.get(&format!("/v3/processes/{}", deployment.text("/new_processes/0/guid"))).await;
    assert_eq!((new.body["instances"].clone(), new.body["memory_in_mb"].clone()), (json!(2), json!(100)));

    let on = format!("{own}/actions/continue");
    harness.post(&on, Value::Null).await.refused(422, "Cannot continue a deployment with status: ACTIVE and reason: DEPLOYING");
    harness.pause(&deployment.guid()).await;
    let paused = harness.get(&own).await;
    assert_eq!((paused.text("/status/reason"), paused.text("/links/continue/method")), ("PAUSED".into(), "POST".into()));
    assert_eq!(harness.get("/v3/deployments?status_reasons=PAUSED").await.text("/resources/0/guid"), deployment.guid());
    assert!(harness.post(&on, Value::Null).await.is(200).bytes.is_empty());
    let second = harness.get(&own).await;
    assert_eq!(
        (second.text("/status/reason"), second.body["status"]["canary"]["steps"]["current"].clone()),
        ("DEPLOYING".into(), json!(2))
    );
    assert_eq!(harness.get("/v3/deployments?states=PREPAUSED").await.text("/resources/0/guid"), deployment.guid());
    harness.pause(&deployment.guid()).await;
    harness.post(&on, Value::Null).await.is(200);
    assert_eq!(harness.get("/v3/deployments?states=DEPLOYING").await.text("/resources/0/guid"), deployment.guid());
    harness.post(&format!("{own}/actions/cancel"), Value::Null).await.is(200);

    let wrong = json!({ "canary": { "steps": [{ "instance_weight": 60 }, { "instance_weight": 20 }] } });
    harness.deploy(&app, json!({ "strategy": "canary", "options": wrong })).await.refused(422, "ascending order");
    harness.deploy(&app, json!({ "options": { "memory_in_mb": -1 } })).await.refused(422, "Memory in mb must be greater than 0");
    harness.deploy(&app, json!({ "options": { "disk_in_mb": 99_999 } })).await.refused(422, "Disk in mb must be between");
}

#[tokio::test]
async fn what_stagings_left_is_forgotten_on_request_and_with_the_app() {
    let harness = Harness::start().await;
    let app = harness.app("forgettable").await;
    let cleared = harness.job(harness.post(&format!("/v3/apps/{app}/actions/clear_buildpack_cache"), Value::Null).await).await;
    assert_eq!((&cleared["state"], &cleared["operation"]), (&json!("COMPLETE"), &json!("app.clear_buildpack_cache")));
    let all = harness.job(harness.post("/v3/admin/actions/clear_buildpack_cache", Value::Null).await).await;
    assert_eq!(all["operation"], "admin.clear_buildpack_cache");
    let guid = Some(app.parse().unwrap());
    assert_eq!(*harness.stager.forgotten.lock().unwrap(), [guid, None]);
    assert!(!harness.logs.lines(&app).is_empty());
    assert_eq!(harness.job(harness.delete(&format!("/v3/apps/{app}")).await).await["state"], "COMPLETE");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !harness.logs.lines(&app).is_empty() || harness.stager.forgotten.lock().unwrap().len() < 3 {
        assert!(std::time::Instant::now() < deadline, "the log and the caches of a deleted app stay");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
