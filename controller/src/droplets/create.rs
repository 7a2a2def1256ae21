//! `POST /v3/droplets`, also as a copy (`?source_guid=`).

use super::{lookup, view};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    apps::{self, change, lookup::event},
    audit_events::record,
    metadata::MetadataPatch,
    packages::request::CreateDroplet,
};
use serde::Deserialize;
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{DropletGuid, state::DropletState};
use virga_serve::{
    Base, Json, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    droplets::{self, DropletRow},
};

/// The query of a copy.
#[derive(Debug, Clone, Deserialize)]
pub struct Source {
    source_guid: Option<String>,
}

/// Makes a droplet that awaits its archive, or one with the archive of another.
///
/// # Errors
/// 422 for an app or a source the caller cannot see; 403.
pub async fn create(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Query(source): Query<Source>,
    Json(request): Json<CreateDroplet>,
) -> Result<Response> {
    let app = request.relationships.app.data.map(|app| app.guid);
    let detail = "App is invalid. Ensure it exists and you have access to it.";
    let mut tx = controller.store.begin().await?;
    let (app, organization) = apps::lookup::named(&mut tx, &access, SpaceRight::Write, app.as_deref(), detail).await?;
    let now = controller.now();
    let mut droplet = DropletRow {
        guid: DropletGuid::random(),
        created_at: now,
        updated_at: now,
        app: app.guid,
        package: None,
        state: DropletState::AwaitingUpload,
        error: None,
        digest: None,
        size_bytes: None,
        guest: None,
        component: None,
        stack: change::STACK.to_owned(),
        process_types: request.process_types.unwrap_or_default(),
        buildpacks: json!([]),
        metadata: MetadataPatch::create(request.metadata)?,
    };
    if let Some(source) = source.source_guid {
        copy(&mut tx, &access, &source, &mut droplet).await?;
    }
    droplets::insert(&mut tx, &droplet).await?;
    let data = json!({ "droplet_guid": droplet.guid });
    record(&controller, &mut tx, &access, event("audit.app.droplet.create", &app, organization, data)).await?;
    tx.commit().await?;
    Ok(answer::created(view::droplet(&base, &droplet, false, true)))
}

/// Blobs are named by their content, so a copy is staged at once.
async fn copy(db: &mut Connection, access: &Access, source: &str, droplet: &mut DropletRow) -> Result<()> {
    let unprocessable = || ApiError::unprocessable("Source droplet is invalid. Ensure it exists, is staged and you have access to it.");
    let guid = source.parse().map_err(|_| unprocessable())?;
    let source = match lookup::find(db, access, SpaceRight::Write, guid).await {
        Err(error) if error.api().status() == http::StatusCode::NOT_FOUND => return Err(unprocessable().into()),
        found => found?.0,
    };
    if source.state != DropletState::Staged {
        return Err(unprocessable().into());
    }
    droplet.state = DropletState::Staged;
    droplet.digest = source.digest;
    droplet.size_bytes = source.size_bytes;
    droplet.guest = source.guest;
    droplet.component = source.component;
    droplet.stack = source.stack;
    droplet.process_types = source.process_types;
    droplet.buildpacks = source.buildpacks;
    Ok(())
}
