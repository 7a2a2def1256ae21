//! Sharing service instances with other spaces, which user-provided ones cannot be.

use super::{fields::Fields, read::permitted};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    request::{ToMany, require_flag},
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::{ServiceInstanceGuid, SpaceGuid};
use virga_serve::{
    Base, Json, Path, Query,
    axum::{extract::State, response::Response},
};

/// Parameters of `GET /v3/service_instances/:guid/relationships/shared_spaces`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedSpacesQuery {
    #[serde(rename = "fields[space]")]
    space: Option<String>,
    #[serde(rename = "fields[space.organization]")]
    organization: Option<String>,
}

/// `GET /v3/service_instances/:guid/relationships/shared_spaces`.
///
/// # Errors
/// 404, 400 for fields that are none.
pub async fn list_shared_spaces(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceInstanceGuid>,
    Query(query): Query<SharedSpacesQuery>,
) -> Result<Response> {
    let fields = Fields::read(|parameter| {
        let value = match parameter {
            "fields[space]" => query.space.as_ref(),
            "fields[space.organization]" => query.organization.as_ref(),
            _ => None,
        };
        value.map(|value| value.split(',').map(str::to_owned).collect())
    })?;
    let mut db = controller.store.read().await?;
    permitted(&mut db, &access, SpaceRight::See, guid).await?;
    let own = format!("/v3/service_instances/{guid}/relationships/shared_spaces");
    let mut body = answer::to_many_at(&base, own, std::iter::empty::<SpaceGuid>());
    fields.add(&mut db, &mut body, []).await?;
    Ok(answer::ok(body))
}

/// `GET /v3/service_instances/:guid/relationships/shared_spaces/usage_summary`.
///
/// # Errors
/// 404.
pub async fn usage_summary(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceInstanceGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    permitted(&mut db, &access, SpaceRight::See, guid).await?;
    let own = format!("/v3/service_instances/{guid}/relationships/shared_spaces");
    Ok(answer::ok(json!({
        "usage_summary": Vec::<Value>::new(),
        "links": {
            "self": answer::link(&base, format_args!("{own}/usage_summary")),
            "shared_spaces": answer::link(&base, &own),
            "service_instance": answer::link(&base, format_args!("/v3/service_instances/{guid}")),
        },
    })))
}

/// `POST /v3/service_instances/:guid/relationships/shared_spaces`.
///
/// # Errors
/// 404, 403 while the flag `service_instance_sharing` is off, 422 for user-provided instances.
pub async fn share(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<ServiceInstanceGuid>,
    Json(_): Json<ToMany>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let (instance, _) = permitted(&mut db, &access, SpaceRight::Write, guid).await?;
    require_flag(&mut db, "service_instance_sharing").await?;
    let is_route_service = instance.route_service_url.as_ref().is_some_and(|url| !url.is_empty());
    let detail = if is_route_service { "Route services cannot be shared." } else { "User-provided services cannot be shared." };
    Err(ApiError::unprocessable(detail).into())
}

/// `DELETE /v3/service_instances/:guid/relationships/shared_spaces/:space`.
///
/// # Errors
/// 404, 403, 422 for a space with which it is not shared.
pub async fn unshare(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, space)): Path<(ServiceInstanceGuid, String)>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    permitted(&mut db, &access, SpaceRight::Write, guid).await?;
    let detail = format!(
        "Unable to unshare service instance from space {space}. Ensure the space exists and the service instance has been shared to this space."
    );
    Err(ApiError::unprocessable(detail).into())
}
