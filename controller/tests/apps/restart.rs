//! What a crash of the control process leaves is taken up again, or said.

use crate::support::{Harness, zip};
use serde_json::json;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

impl Harness {
    /// Waits until so many stagings are on their way.
    async fn stagings(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.stager.staging.load(Ordering::SeqCst) != count {
            assert!(Instant::now() < deadline, "never {count} stagings");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_build_that_was_staging_is_staged_by_the_next_process() {
    let harness = Harness::idle().await;
    let app = harness.app("survivor").await;
    let package = harness.package(&app).await;
    harness.upload(&package, &json!([]), Some(&zip(&[("a", b"1")]))).await.is(200);
    harness.stager.may_stage.forget_permits(1_000);
    harness.run_jobs();
    let build = harness.post("/v3/builds", json!({ "package": { "guid": package } })).await.is(201).guid();
    let harness = harness.restarted().await;
    assert_eq!(harness.get(&format!("/v3/builds/{build}")).await.text("/state"), "STAGING");
    harness.run_jobs();
    let ended = harness.until(&format!("/v3/builds/{build}"), |build| build["state"] != "STAGING").await;
    assert_eq!(ended["state"], "STAGED");
}

#[tokio::test]
async fn an_app_whose_deletion_was_asked_for_goes() {
    let harness = Harness::idle().await;
    let app = harness.app("doomed").await;
    harness.delete(&format!("/v3/apps/{app}")).await.is(202);
    let harness = harness.restarted().await;
    harness.get(&format!("/v3/apps/{app}")).await.is(200);
    harness.run_jobs();
    harness.until(&format!("/v3/apps/{app}"), |answer| answer["errors"][0]["detail"] == "App not found").await;
}

#[tokio::test]
async fn staging_ends_with_the_app_it_is_for() {
    let harness = Harness::start().await;
    harness.stager.may_stage.forget_permits(1_000);
    let app = harness.app("regretted").await;
    let package = harness.package(&app).await;
    harness.upload(&package, &json!([]), Some(&zip(&[("a", b"1")]))).await.is(200);
    harness.post("/v3/builds", json!({ "package": { "guid": package } })).await.is(201);
    harness.stagings(1).await;
    assert_eq!(harness.job(harness.delete(&format!("/v3/apps/{app}")).await).await["state"], "COMPLETE");
    harness.stagings(0).await;
}
