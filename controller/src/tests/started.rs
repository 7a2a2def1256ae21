//! An app that runs, for tests that are about something else.

use crate::testing::Api;
use serde_json::json;
use virga_model::{AppGuid, DropletGuid, SpaceGuid, Timestamp, droplet::GuestKind, state::DropletState};
use virga_store::droplets::{self, DropletRow};

/// A started app with one instance of 256 MB.
pub(super) async fn started_app(api: &Api, name: &str, space: SpaceGuid) -> AppGuid {
    let admin = api.admin().await;
    let app = json!({ "name": name, "relationships": { "space": { "data": { "guid": space } } } });
    let app: AppGuid = crate::testing::guid_of(&admin.post("/v3/apps", app).await.created());
    let now: Timestamp = api.controller.now();
    let droplet = DropletRow {
        guid: DropletGuid::random(),
        created_at: now,
        updated_at: now,
        app,
        package: None,
        state: DropletState::Staged,
        error: None,
        digest: Some(virga_model::Sha256Digest::of(name.as_bytes())),
        size_bytes: Some(1),
        guest: Some(GuestKind::Static),
        component: None,
        stack: "cflinuxfs4".to_owned(),
        process_types: std::collections::BTreeMap::from([("web".to_owned(), "x".to_owned())]),
        buildpacks: json!([]),
        metadata: virga_store::metadata::Metadata::default(),
    };
    let mut tx = api.controller.store.begin().await.unwrap();
    droplets::insert(&mut tx, &droplet).await.unwrap();
    tx.commit().await.unwrap();
    let current = json!({ "data": { "guid": droplet.guid } });
    admin.patch(&format!("/v3/apps/{app}/relationships/current_droplet"), current).await.ok();
    admin.post(&format!("/v3/apps/{app}/actions/start"), json!({})).await.ok();
    app
}
