//! Making, changing and deleting segments, and saying who may use them. Administrators only, which the route table sees to.

use super::{
    read::{entitled, visible},
    shared,
    view::view,
};
use crate::{
    Access, Controller, Error, Result, answer,
    metadata::MetadataPatch,
    request::{ToMany, check_name},
};
use serde::Deserialize;
use virga_contract::ApiError;
use virga_model::{IsolationSegmentGuid, OrgGuid};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    StoreError,
    isolation_segments::{self, IsolationSegmentRow},
    organizations,
};

/// Body of `POST /v3/isolation_segments`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateSegment {
    name: String,
    metadata: Option<MetadataPatch>,
}

/// `POST /v3/isolation_segments`.
///
/// # Errors
/// 403, 422 for a name that is taken.
pub async fn create(State(controller): State<Controller>, base: Base, Json(body): Json<CreateSegment>) -> Result<Response> {
    check_name(&body.name)?;
    let now = controller.now();
    let segment = IsolationSegmentRow {
        guid: IsolationSegmentGuid::random(),
        created_at: now,
        updated_at: now,
        name: body.name,
        metadata: MetadataPatch::create(body.metadata)?,
    };
    let mut tx = controller.store.begin().await?;
    isolation_segments::insert(&mut tx, &segment).await.map_err(taken)?;
    tx.commit().await?;
    Ok(answer::created(view(&base, &segment)))
}

/// Body of `PATCH /v3/isolation_segments/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateSegment {
    name: Option<String>,
    metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/isolation_segments/:guid`.
///
/// # Errors
/// 404, 403, 422 for the shared one and for one that is in use.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<IsolationSegmentGuid>,
    Json(body): Json<UpdateSegment>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut segment = visible(&mut tx, &access, guid).await?;
    if guid == shared() {
        return Err(ApiError::unprocessable("Cannot update the shared Isolation Segment").into());
    }
    if isolation_segments::is_assigned(&mut tx, guid).await? {
        let detail = "Cannot update Isolation Segments that are assigned as the default for an Organization or Space.";
        return Err(ApiError::unprocessable(detail).into());
    }
    if let Some(name) = body.name {
        check_name(&name)?;
        segment.name = name;
    }
    body.metadata.unwrap_or_default().apply(&mut segment.metadata)?;
    isolation_segments::update(&mut tx, &mut segment, controller.now()).await.map_err(taken)?;
    tx.commit().await?;
    Ok(answer::ok(view(&base, &segment)))
}

/// `DELETE /v3/isolation_segments/:guid`.
///
/// # Errors
/// 404, 403, 422 for the shared one and while an organization may use it.
pub async fn delete(State(controller): State<Controller>, access: Access, Path(guid): Path<IsolationSegmentGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let segment = visible(&mut tx, &access, guid).await?;
    if guid == shared() {
        return Err(ApiError::unprocessable(format!("Cannot delete the {} Isolation Segment", segment.name)).into());
    }
    let is_entitled = !isolation_segments::organizations(&mut tx, guid, access.visible()).await?.is_empty();
    if is_entitled || isolation_segments::is_assigned(&mut tx, guid).await? {
        return Err(ApiError::unprocessable("Revoke the Organization entitlements for your Isolation Segment.").into());
    }
    isolation_segments::delete(&mut tx, guid).await?;
    tx.commit().await?;
    Ok(answer::no_content())
}

/// `POST /v3/isolation_segments/:guid/relationships/organizations`.
///
/// # Errors
/// 404, 403, 422 for organizations that are not there.
pub async fn entitle(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<IsolationSegmentGuid>,
    Json(body): Json<ToMany>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    visible(&mut tx, &access, guid).await?;
    let mut missing = Vec::new();
    for named in &body.data {
        let found = match named.parsed::<OrgGuid>() {
            Some(guid) => organizations::find(&mut tx, guid).await?,
            None => None,
        };
        match found {
            None => missing.push(format!("'{}'", named.guid)),
            Some(mut organization) => {
                isolation_segments::entitle(&mut tx, guid, organization.guid).await?;
                if guid == shared() && organization.default_isolation_segment.is_none() {
                    organization.default_isolation_segment = Some(shared());
                    organizations::update(&mut tx, &mut organization, controller.now()).await?;
                }
            }
        }
    }
    if !missing.is_empty() {
        return Err(ApiError::unprocessable(format!(
            "Unable to entitle organizations [{}] for the isolation segment. Ensure the organizations exist.",
            missing.join(", ")
        ))
        .into());
    }
    let view = entitled(&mut tx, &access, &base, guid).await?;
    tx.commit().await?;
    Ok(answer::ok(view))
}

/// `DELETE /v3/isolation_segments/:guid/relationships/organizations/:organization`.
///
/// # Errors
/// 404, 403, 422 while the organization or a space of it uses the segment.
pub async fn revoke(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, organization)): Path<(IsolationSegmentGuid, OrgGuid)>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    visible(&mut tx, &access, guid).await?;
    let organization = organizations::find(&mut tx, organization).await?.ok_or_else(|| ApiError::not_found("Organization"))?;
    if organization.default_isolation_segment == Some(guid) {
        return Err(ApiError::unprocessable(
            "Cannot remove the entitlement while this Isolation Segment is assigned as the Default Isolation Segment for the Organization.",
        )
        .into());
    }
    let spaces = isolation_segments::space_names(&mut tx, guid, organization.guid).await?;
    if !spaces.is_empty() {
        let spaces: Vec<String> = spaces.iter().map(|name| format!("'{name}'")).collect();
        return Err(ApiError::unprocessable(format!(
            "Cannot remove the entitlement while this Isolation Segment is assigned to any Spaces. Currently assigned to: {}",
            spaces.join(", ")
        ))
        .into());
    }
    isolation_segments::revoke(&mut tx, guid, organization.guid).await?;
    tx.commit().await?;
    Ok(answer::no_content())
}

fn taken(error: StoreError) -> Error {
    if error.is_unique("isolation_segments_name_key") {
        return ApiError::unprocessable("Isolation Segment names are case insensitive and must be unique").into();
    }
    error.into()
}
