//! Binding groups to spaces, for their running apps or their stagings. Running apps feel it with the next snapshot, a staging
//! that has begun does not.

use super::read::visible;
use crate::{Access, Controller, Result, SpaceRight, answer, request::ToMany};
use virga_contract::ApiError;
use virga_model::{SecurityGroupGuid, SpaceGuid};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    security_groups::{self, Phase},
};

/// `POST /v3/security_groups/:guid/relationships/running_spaces`.
///
/// # Errors
/// 404, 403 for a space whose managers the caller is not of, 422 for spaces that are not there.
pub async fn bind_running(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<SecurityGroupGuid>,
    Json(body): Json<ToMany>,
) -> Result<Response> {
    bind(&controller, &access, &base, guid, Phase::Running, &body).await
}

/// `POST /v3/security_groups/:guid/relationships/staging_spaces`.
///
/// # Errors
/// As [`bind_running`].
pub async fn bind_staging(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<SecurityGroupGuid>,
    Json(body): Json<ToMany>,
) -> Result<Response> {
    bind(&controller, &access, &base, guid, Phase::Staging, &body).await
}

async fn bind(
    controller: &Controller,
    access: &Access,
    base: &Base,
    guid: SecurityGroupGuid,
    phase: Phase,
    wanted: &ToMany,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    visible(&mut tx, access, guid).await?;
    bind_to(&mut tx, access, guid, phase, wanted).await?;
    let bindings = security_groups::bindings(&mut tx, &[guid], access.visible()).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    let spaces = bindings.into_iter().filter(|binding| binding.phase == phase).map(|binding| binding.space);
    let path = format!("/v3/security_groups/{guid}/relationships/{}_spaces", phase.as_str());
    Ok(answer::ok(answer::to_many_at(base, path, spaces)))
}

pub(super) async fn bind_to(db: &mut Connection, access: &Access, group: SecurityGroupGuid, phase: Phase, wanted: &ToMany) -> Result<()> {
    let (mut unknown, mut spaces) = (Vec::new(), Vec::new());
    for named in &wanted.data {
        match named.parsed::<SpaceGuid>() {
            Some(space) if access.has_in_space(db, SpaceRight::See, space).await? => {
                access.in_space(db, SpaceRight::Update, space, "Space").await?;
                spaces.push(space);
            }
            _ => unknown.push(named.guid.clone()),
        }
    }
    if !unknown.is_empty() {
        let detail = format!("Spaces with guids {unknown:?} do not exist, or you do not have access to them.");
        return Err(ApiError::unprocessable(detail).into());
    }
    for space in spaces {
        security_groups::bind(db, group, phase, space).await?;
    }
    Ok(())
}

/// `DELETE /v3/security_groups/:guid/relationships/running_spaces/:space`.
///
/// # Errors
/// 404, 403, 422 for a space that the group is not bound to.
pub async fn unbind_running(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, space)): Path<(SecurityGroupGuid, String)>,
) -> Result<Response> {
    unbind(&controller, &access, guid, Phase::Running, &space).await
}

/// `DELETE /v3/security_groups/:guid/relationships/staging_spaces/:space`.
///
/// # Errors
/// As [`unbind_running`].
pub async fn unbind_staging(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, space)): Path<(SecurityGroupGuid, String)>,
) -> Result<Response> {
    unbind(&controller, &access, guid, Phase::Staging, &space).await
}

async fn unbind(controller: &Controller, access: &Access, guid: SecurityGroupGuid, phase: Phase, named: &str) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    visible(&mut tx, access, guid).await?;
    let not_bound = || {
        ApiError::unprocessable(format!(
            "Unable to unbind security group from space with guid '{named}'. Ensure the space is bound to this security group."
        ))
    };
    let space: SpaceGuid = named.parse().map_err(|_| not_bound())?;
    if !access.has_in_space(&mut tx, SpaceRight::See, space).await? {
        return Err(not_bound().into());
    }
    access.in_space(&mut tx, SpaceRight::Update, space, "Space").await?;
    if !security_groups::unbind(&mut tx, guid, phase, space).await? {
        return Err(not_bound().into());
    }
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::no_content())
}
