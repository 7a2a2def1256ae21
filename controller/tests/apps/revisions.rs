//! Revisions: when they are made, what they say, and the way back.

use crate::support::{Answer, Harness, zip};
use serde_json::{Value, json};

impl Harness {
    async fn revisions(&self, app: &str) -> Vec<Value> {
        let list = self.get(&format!("/v3/apps/{app}/revisions?order_by=-created_at")).await.is(200);
        list.body["resources"].as_array().unwrap().clone()
    }

    async fn roll_back(&self, app: &str, revision: &Value) -> Answer {
        let app = json!({ "app": { "data": { "guid": app } } });
        self.post("/v3/deployments", json!({ "revision": { "guid": revision["guid"] }, "relationships": app, "strategy": "rolling" })).await
    }

    async fn act(&self, app: &str, action: &str) -> Answer {
        self.post(&format!("/v3/apps/{app}/actions/{action}"), Value::Null).await.is(200)
    }
}

#[tokio::test]
async fn revisions_are_made_where_something_changed_and_say_what() {
    let harness = Harness::start().await;
    let app = harness.app("revised").await;
    let first = harness.staged(&app, &[("a", b"1")]).await;
    assert!(harness.revisions(&app).await.is_empty(), "nothing ran yet");
    harness.act(&app, "start").await;
    harness.act(&app, "restart").await;
    let made = harness.revisions(&app).await;
    assert_eq!(made.len(), 1, "a restart with nothing new makes none");
    assert_eq!(
        (&made[0]["version"], &made[0]["description"], &made[0]["deployable"]),
        (&json!(1), &json!("Initial revision."), &json!(true))
    );
    assert_eq!(
        (&made[0]["droplet"]["guid"], &made[0]["processes"]),
        (&json!(first), &json!({ "web": { "command": null }, "worker": { "command": null } }))
    );
    assert_eq!(harness.get(&format!("/v3/processes/{app}")).await.body["relationships"]["revision"]["data"]["guid"], made[0]["guid"]);

    harness.patch(&format!("/v3/apps/{app}/environment_variables"), json!({ "var": { "A": "1" } })).await.is(200);
    harness.patch(&format!("/v3/processes/{app}"), json!({ "command": "mine" })).await.is(200);
    harness.act(&app, "restart").await;
    let made = harness.revisions(&app).await;
    assert_eq!(made[0]["description"], "Custom start command added for 'web' process. New environment variables deployed.");
    let variables = harness.get(&format!("/v3/revisions/{}/environment_variables", made[0]["guid"].as_str().unwrap())).await.is(200);
    assert_eq!(variables.body["var"], json!({ "A": "1" }));
    let one = format!("/v3/revisions/{}", made[1]["guid"].as_str().unwrap());
    harness.patch(&one, json!({ "metadata": { "labels": { "k": "v" } } })).await.is(200);
    assert_eq!(
        harness.get(&format!("/v3/apps/{app}/revisions?label_selector=k=v&versions=1&deployable=true")).await.text("/resources/0/guid"),
        harness.get(&one).await.guid()
    );
    harness.get(&format!("/v3/apps/{app}/revisions?deployable=perhaps")).await.refused(400, "Deployable");
    let deployed = harness.get(&format!("/v3/apps/{app}/revisions/deployed")).await;
    assert_eq!((deployed.body["resources"].as_array().unwrap().len(), deployed.body["resources"][0]["version"].clone()), (1, json!(2)));
    harness.act(&app, "stop").await;
    assert_eq!(harness.get(&format!("/v3/apps/{app}/revisions/deployed")).await.body["resources"], json!([]));

    harness.patch(&format!("/v3/apps/{app}/features/revisions"), json!({ "enabled": false })).await.is(200);
    harness.patch(&format!("/v3/apps/{app}/environment_variables"), json!({ "var": { "A": "2" } })).await.is(200);
    harness.act(&app, "start").await;
    assert_eq!(harness.revisions(&app).await.len(), 2, "an app without the feature gets none");
    harness.roll_back(&app, &made[1]).await.refused(422, "without revisions enabled");
    let events = harness.get(&format!("/v3/audit_events?target_guids={app}&types=audit.app.revision.create")).await;
    assert_eq!(events.body["pagination"]["total_results"], 2);
}

#[tokio::test]
async fn a_rollback_brings_back_droplet_variables_and_commands() {
    let harness = Harness::start().await;
    let app = harness.app("regretful").await;
    let first = harness.staged(&app, &[("a", b"1")]).await;
    harness.patch(&format!("/v3/apps/{app}/environment_variables"), json!({ "var": { "A": "old" } })).await.is(200);
    harness.act(&app, "start").await;
    let package = harness.package(&app).await;
    harness.upload(&package, &json!([]), Some(&zip(&[("a", b"2")]))).await.is(200);
    let second = harness.build(&package).await["droplet"]["guid"].as_str().unwrap().to_owned();
    harness.patch(&format!("/v3/apps/{app}/environment_variables"), json!({ "var": { "A": "new", "B": "1" } })).await.is(200);
    harness.patch(&format!("/v3/processes/{app}"), json!({ "command": "mine" })).await.is(200);
    harness.patch(&format!("/v3/apps/{app}/relationships/current_droplet"), json!({ "data": { "guid": second } })).await.is(200);
    harness.act(&app, "restart").await;

    let made = harness.revisions(&app).await;
    harness.roll_back(&app, &made[0]).await.refused(422, "is the same as the deployed revision");
    let other = harness.app("other").await;
    harness.staged(&other, &[("a", b"1")]).await;
    harness.roll_back(&other, &made[1]).await.refused(422, "The revision does not exist");
    let deployment = harness.roll_back(&app, &made[1]).await.is(201);
    assert_eq!(
        (deployment.text("/droplet/guid"), deployment.text("/previous_droplet/guid"), deployment.body["revision"]["version"].clone()),
        (first.clone(), second, json!(3))
    );
    let made = harness.revisions(&app).await;
    assert_eq!(
        made[0]["description"],
        "Custom start command removed for 'web' process. New droplet deployed. New environment variables deployed. Rolled back to revision 1."
    );
    assert_eq!(harness.get(&format!("/v3/apps/{app}/environment_variables")).await.body["var"], json!({ "A": "old" }));
    let new = harness.get(&format!("/v3/processes/{}", deployment.text("/new_processes/0/guid"))).await;
    assert_eq!(
        (new.text("/command"), new.body["relationships"]["revision"]["data"]["guid"].clone()),
        ("serve app.wasm".into(), made[0]["guid"].clone())
    );
    let deployed = harness.get(&format!("/v3/apps/{app}/revisions/deployed?order_by=created_at")).await;
    let versions: Vec<_> = deployed.body["resources"].as_array().unwrap().iter().map(|revision| revision["version"].clone()).collect();
    assert_eq!(versions, [json!(2), json!(3)], "both run while the deployment is on its way");

    harness.post(&format!("/v3/deployments/{}/actions/cancel", deployment.guid()), Value::Null).await.is(200);
    assert_eq!(harness.job(harness.delete(&format!("/v3/apps/{app}")).await).await["state"], "COMPLETE");
}

#[tokio::test]
async fn an_app_keeps_its_newest_hundred_revisions_and_those_whose_droplet_is_gone_are_not_deployable() {
    let harness = Harness::start().await;
    let app = harness.app("busy").await;
    let droplet = harness.staged(&app, &[("a", b"1")]).await;
    for number in 0..102 {
        harness.patch(&format!("/v3/apps/{app}/environment_variables"), json!({ "var": { "N": number.to_string() } })).await.is(200);
        harness.act(&app, "restart").await;
    }
    let list = harness.get(&format!("/v3/apps/{app}/revisions?per_page=200")).await;
    let made = list.body["resources"].as_array().unwrap();
    assert_eq!((made.len(), &made[0]["version"], &made[99]["version"]), (100, &json!(3), &json!(102)));

    let package = harness.package(&app).await;
    harness.upload(&package, &json!([]), Some(&zip(&[("a", b"2")]))).await.is(200);
    let second = harness.build(&package).await["droplet"]["guid"].as_str().unwrap().to_owned();
    harness.patch(&format!("/v3/apps/{app}/relationships/current_droplet"), json!({ "data": { "guid": second } })).await.is(200);
    harness.act(&app, "restart").await;
    assert_eq!(harness.job(harness.delete(&format!("/v3/droplets/{droplet}")).await).await["state"], "COMPLETE");
    assert_eq!(harness.get(&format!("/v3/apps/{app}/revisions?deployable=true")).await.body["pagination"]["total_results"], 1);
    let gone = harness.get(&format!("/v3/apps/{app}/revisions?versions=102&deployable=false")).await.body["resources"][0].clone();
    harness.roll_back(&app, &gone).await.refused(422, "the droplet for this revision no longer exists");
}
