//! `POST /v3/apps`, and the same for a manifest.

use super::{
    change,
    lookup::event,
    request::{CreateApp, Lifecycle},
    view,
};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::{record, say},
    metadata::MetadataPatch,
    processes::defaults,
    request::check_name,
    stacks,
};
use serde_json::json;
use std::collections::BTreeMap;
use virga_contract::ApiError;
use virga_model::{AppGuid, OrgGuid, SpaceGuid, state::AppState};
use virga_serve::{
    Base, Json,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    apps::{self, AppRow},
    metadata::Metadata,
};

/// What a new app is made of.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewApp {
    /// Its name.
    pub(crate) name: String,
    /// Buildpacks and stack.
    pub(crate) lifecycle: Option<Lifecycle>,
    /// The user's own environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// Labels and annotations.
    pub(crate) metadata: Metadata,
}

/// Makes an app, stopped, with its `web` process.
///
/// # Errors
/// 422 for a name that is taken or no name, an unknown space, buildpack or stack; 403.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(request): Json<CreateApp>) -> Result<Response> {
    let new = NewApp {
        name: request.name,
        lifecycle: request.lifecycle,
        environment: change::environment(&BTreeMap::new(), request.environment_variables.unwrap_or_default())?,
        metadata: MetadataPatch::create(request.metadata)?,
    };
    let invalid = || ApiError::unprocessable("Invalid space. Ensure that the space exists and you have access to it.");
    let space = request.relationships.space.parsed::<SpaceGuid>().ok_or_else(invalid)?;
    let mut tx = controller.store.begin().await?;
    let organization = match access.in_space(&mut tx, SpaceRight::Write, space, "Space").await {
        Err(error) if error.api().status() == http::StatusCode::NOT_FOUND => return Err(invalid().into()),
        other => other?.organization,
    };
    let app = insert(&controller, &mut tx, &access, space, organization, new).await?;
    let warning = stacks::warning(&mut tx, &app.stack).await?;
    tx.commit().await?;
    say(&controller, app.guid, format!("Created app with guid {}", app.guid));
    Ok(answer::with_warnings(answer::created(view::app(&base, &app)), warning))
}

/// Writes the rows of a new app, and its event.
///
/// # Errors
/// 422 as [`create`]; those of the database.
pub(crate) async fn insert(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    space: SpaceGuid,
    organization: OrgGuid,
    new: NewApp,
) -> Result<AppRow> {
    check_name(&new.name)?;
    let now = controller.now();
    let mut app = AppRow {
        guid: AppGuid::random(),
        created_at: now,
        updated_at: now,
        name: new.name,
        space,
        state: AppState::Stopped,
        buildpacks: Vec::new(),
        stack: change::STACK.to_owned(),
        droplet: None,
        environment: new.environment,
        features: BTreeMap::new(),
        metadata: new.metadata,
    };
    change::lifecycle(db, &mut app, new.lifecycle.unwrap_or_default()).await?;
    stacks::check(db, &app.stack, false).await?;
    apps::insert(db, &app).await.map_err(|error| change::name_taken(error, &app.name))?;
    record(controller, db, access, event("audit.app.create", &app, organization, json!({ "request": { "name": app.name } }))).await?;
    let web = defaults::process(controller, &app, "web", Some(app.guid.into()));
    super::insert_process(controller, db, access, organization, &app, &web).await?;
    Ok(app)
}
