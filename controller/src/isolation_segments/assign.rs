//! Which segment an organization's apps run on by default, and which a space's do.

use crate::{Access, Controller, OrgRight, Result, SpaceRight, answer, request::ToOne};
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::{IsolationSegmentGuid, OrgGuid, SpaceGuid};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{Connection, isolation_segments, organizations, spaces};

fn relationship(base: &Base, path: &str, segment: Option<IsolationSegmentGuid>) -> Value {
    let mut links = json!({ "self": answer::link(base, path) });
    if let (Some(segment), Value::Object(links)) = (segment, &mut links) {
        links.insert("related".to_owned(), answer::link(base, format_args!("/v3/isolation_segments/{segment}")));
    }
    let mut view = answer::to_one(segment);
    if let Value::Object(members) = &mut view {
        members.insert("links".to_owned(), links);
    }
    view
}

/// The segment that was named, where the organization may use it; `null` names none. `whose` ends the error's sentence.
async fn named(db: &mut Connection, organization: OrgGuid, wanted: &ToOne, whose: &str) -> Result<Option<IsolationSegmentGuid>> {
    let Some(data) = &wanted.data else { return Ok(None) };
    let guid: Option<IsolationSegmentGuid> = data.parsed();
    match guid {
        Some(guid) if isolation_segments::is_entitled(db, guid, organization).await? => Ok(Some(guid)),
        _ => Err(ApiError::unprocessable(format!(
            "Unable to assign isolation segment with guid '{}'. Ensure it has been entitled to the organization{whose}.",
            data.guid
        ))
        .into()),
    }
}

fn organization_path(guid: OrgGuid) -> String {
    format!("/v3/organizations/{guid}/relationships/default_isolation_segment")
}

fn space_path(guid: SpaceGuid) -> String {
    format!("/v3/spaces/{guid}/relationships/isolation_segment")
}

/// `GET /v3/organizations/:guid/relationships/default_isolation_segment`.
///
/// # Errors
/// 404.
pub async fn of_organization(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<OrgGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_organization(&mut db, OrgRight::See, guid, "Organization").await?;
    let organization = organizations::find(&mut db, guid).await?.ok_or_else(|| ApiError::not_found("Organization"))?;
    Ok(answer::ok(relationship(&base, &organization_path(guid), organization.default_isolation_segment)))
}

/// `PATCH /v3/organizations/:guid/relationships/default_isolation_segment`.
///
/// # Errors
/// 404, 403, 422 for a segment the organization may not use.
pub async fn set_for_organization(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<OrgGuid>,
    Json(wanted): Json<ToOne>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    access.in_organization(&mut tx, OrgRight::Write, guid, "Organization").await?;
    let mut organization = organizations::find(&mut tx, guid).await?.ok_or_else(|| ApiError::not_found("Organization"))?;
    organization.default_isolation_segment = named(&mut tx, guid, &wanted, "").await?;
    organizations::update(&mut tx, &mut organization, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(relationship(&base, &organization_path(guid), organization.default_isolation_segment)))
}

/// `GET /v3/spaces/:guid/relationships/isolation_segment`.
///
/// # Errors
/// 404.
pub async fn of_space(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<SpaceGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_space(&mut db, SpaceRight::See, guid, "Space").await?;
    let space = spaces::find(&mut db, guid).await?.ok_or_else(|| ApiError::not_found("Space"))?;
    Ok(answer::ok(relationship(&base, &space_path(guid), space.isolation_segment)))
}

/// `PATCH /v3/spaces/:guid/relationships/isolation_segment`: managers of the organization may.
///
/// # Errors
/// 404, 403, 422 for a segment the organization may not use.
pub async fn set_for_space(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<SpaceGuid>,
    Json(wanted): Json<ToOne>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let organization = access.in_space(&mut tx, SpaceRight::See, guid, "Space").await?.organization;
    access.in_organization(&mut tx, OrgRight::Write, organization, "Space").await?;
    let mut space = spaces::find(&mut tx, guid).await?.ok_or_else(|| ApiError::not_found("Space"))?;
    space.isolation_segment = named(&mut tx, organization, &wanted, " that this space belongs to").await?;
    spaces::update(&mut tx, &mut space, controller.now()).await?;
    let data = json!({ "request": answer::to_one(space.isolation_segment) });
    crate::spaces::record(&controller, &mut tx, &access, "audit.space.update", &space, data).await?;
    tx.commit().await?;
    Ok(answer::ok(relationship(&base, &space_path(guid), space.isolation_segment)))
}
