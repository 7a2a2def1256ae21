//! Creating and updating spaces.

use super::view;
use crate::{
    Access, Controller, Error, OrgRight, Result, SpaceRight, answer,
    audit_events::{self, Event},
    metadata::MetadataPatch,
    request::{ToOne, check_name},
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{OrgGuid, SpaceGuid};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, StoreError,
    spaces::{self, SpaceRow},
};

/// Body of `POST /v3/spaces`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateSpace {
    name: String,
    #[serde(default)]
    suspended: bool,
    relationships: CreateRelationships,
    metadata: Option<MetadataPatch>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateRelationships {
    organization: ToOne,
}

/// `POST /v3/spaces`.
///
/// # Errors
/// 422 for an organization the caller does not see, 403 for one they do not manage, 422 `Name must be unique per
/// organization`.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(body): Json<CreateSpace>) -> Result<Response> {
    check_name(&body.name)?;
    let metadata = MetadataPatch::create(body.metadata)?;
    let now = controller.now();
    let mut tx = controller.store.begin().await?;
    let unknown = || ApiError::unprocessable("Invalid organization. Ensure the organization exists and you have access to it.");
    let organization: OrgGuid = body.relationships.organization.parsed().ok_or_else(unknown)?;
    let allowed = access.in_organization(&mut tx, OrgRight::Write, organization, "Organization").await;
    allowed.map_err(|error| if error.api().status() == ErrorCode::ResourceNotFound.status() { unknown().into() } else { error })?;
    let space = SpaceRow { suspended: body.suspended, metadata, ..SpaceRow::new(&body.name, organization, now) };
    spaces::insert(&mut tx, &space).await.map_err(taken)?;
    record(&controller, &mut tx, &access, "audit.space.create", &space, json!({ "request": { "name": space.name } })).await?;
    tx.commit().await?;
    Ok(answer::created(view(&base, &space)))
}

/// Body of `PATCH /v3/spaces/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateSpace {
    name: Option<String>,
    suspended: Option<bool>,
    metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/spaces/:guid`. Only managers of the organization suspend.
///
/// # Errors
/// 404, 403, 422 `Name must be unique per organization`.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<SpaceGuid>,
    Json(body): Json<UpdateSpace>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    access.in_space(&mut tx, SpaceRight::Update, guid, "Space").await?;
    let mut space = spaces::find(&mut tx, guid).await?.ok_or_else(|| ApiError::not_found("Space"))?;
    if let Some(name) = body.name {
        check_name(&name)?;
        space.name = name;
    }
    if let Some(suspended) = body.suspended {
        // A space's own managers may not suspend it or lift that.
        access.in_organization(&mut tx, OrgRight::Write, space.organization, "Space").await?;
        space.suspended = suspended;
    }
    if let Some(patch) = body.metadata {
        patch.apply(&mut space.metadata)?;
    }
    spaces::update(&mut tx, &mut space, controller.now()).await.map_err(taken)?;
    record(&controller, &mut tx, &access, "audit.space.update", &space, json!({ "request": { "name": space.name } })).await?;
    tx.commit().await?;
    // VCAP_APPLICATION names the space.
    controller.scheduler.nudge();
    Ok(answer::ok(view(&base, &space)))
}

fn taken(error: StoreError) -> Error {
    if error.is_unique("spaces_organization_guid_name") {
        return ApiError::unprocessable("Name must be unique per organization").into();
    }
    error.into()
}

pub(crate) async fn record(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    kind: &str,
    space: &SpaceRow,
    data: Value,
) -> Result<()> {
    let event = Event {
        kind,
        target_kind: "space",
        target: space.guid.to_string(),
        target_name: &space.name,
        data,
        space: Some(space.guid),
        organization: Some(space.organization),
    };
    audit_events::record(controller, db, access, event).await
}
