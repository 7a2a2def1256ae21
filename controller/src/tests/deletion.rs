//! Deletes that are jobs: what they leave behind, and what becomes of them when the process ends in the middle.

use super::{crashing::Crashing, fixture::Fixture};
use crate::{
    jobs::{run_one_round, start},
    testing::{Api, on_both},
};
use serde_json::{Value, json};
use virga_blobstore::Kind;
use virga_model::OrgGuid;

async fn count(api: &Api, path: &str) -> Value {
    api.admin().await.get(path).await.ok()["pagination"]["total_results"].clone()
}

/// Lists of what belongs to an organization, each cut down to it.
fn of_organization(org: OrgGuid) -> Vec<String> {
    let by_organization = ["spaces", "apps", "processes", "packages", "droplets", "routes", "roles", "tasks", "space_quotas"];
    let mut lists: Vec<String> = by_organization.iter().map(|kind| format!("/v3/{kind}?organization_guids={org}")).collect();
    lists.push(format!("/v3/organizations?guids={org}"));
    lists.push(format!("/v3/domains?organization_guids={org}"));
    lists.push(format!("/v3/service_instances?organization_guids={org}"));
    lists
}

#[tokio::test]
async fn a_deletion_that_is_cut_off_again_and_again_comes_to_its_end() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let fixture = Fixture::make(&api, true).await;
        let org = fixture.org;
        let in_org = json!({ "organization": { "data": { "guid": org } } });
        for name in ["second", "third"] {
            let space = admin.post("/v3/spaces", json!({ "name": name, "relationships": in_org })).await.created();
            let app = json!({ "name": name, "relationships": { "space": { "data": { "guid": space["guid"] } } } });
            admin.post("/v3/apps", app).await.created();
        }
        for list in of_organization(org) {
            assert_ne!(count(&api, &list).await, 0, "{list}");
        }
        let builds = admin.get("/v3/builds").await.ok()["pagination"]["total_results"].clone();
        let deployments = admin.get("/v3/deployments").await.ok()["pagination"]["total_results"].clone();
        assert_eq!((builds, deployments), (json!(1), json!(1)));
        let droplet = admin.get("/v3/droplets").await.ok()["resources"][0]["checksum"]["value"].as_str().unwrap().parse().unwrap();
        assert!(api.controller.blobs.exists(Kind::Droplets, &droplet).await.unwrap());

        let job = admin.delete(&format!("/v3/organizations/{org}")).await.job();
        let mut cut_off = 0;
        for steps in 1.. {
            let work = Crashing { work: Box::pin(run_one_round(&api.controller)), steps };
            match work.await.map(Result::unwrap) {
                None => cut_off += 1,
                Some(0) => break,
                Some(_) => {}
            }
        }
        assert!(cut_off > 3, "it was cut off {cut_off} times only");
        let ended = admin.get(&job).await.ok();
        assert_eq!(
            (&ended["operation"], &ended["state"], &ended["errors"]),
            (&json!("organization.delete"), &json!("COMPLETE"), &json!([]))
        );
        assert_eq!(ended["links"].as_object().unwrap().keys().collect::<Vec<_>>(), ["self"], "what is gone is not linked to");
        for list in of_organization(org).into_iter().chain(["/v3/builds".to_owned(), "/v3/deployments".to_owned()]) {
            assert_eq!(count(&api, &list).await, 0, "{list}");
        }
        assert!(!api.controller.blobs.exists(Kind::Droplets, &droplet).await.unwrap());
        assert!(!api.controller.blobs.exists(Kind::Packages, &droplet).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_job_that_fails_says_why() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let mut tx = api.controller.store.begin().await.unwrap();
        let guid = start(&mut tx, api.controller.now(), "app.frobnicate", "1f3e", Value::Null).await.unwrap();
        tx.commit().await.unwrap();
        let path = format!("/v3/jobs/{guid}");
        let user = api.user("somebody").await;
        let running = user.get(&path).await.ok();
        assert_eq!((&running["state"], &running["errors"], &running["warnings"]), (&json!("PROCESSING"), &json!([]), &json!([])));
        assert_eq!(running["links"]["app"]["href"], "http://api.virga.localhost/v3/apps/1f3e");
        api.settle().await;
        let failed = user.get(&path).await.ok();
        assert_eq!(failed["state"], "FAILED");
        let [error] = failed["errors"].as_array().unwrap().as_slice() else { panic!("{failed}") };
        assert_eq!((&error["code"], &error["title"]), (&json!(10001), &json!("CF-ServerError")));
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    })
    .await;
}
