//! Giving quotas to spaces and taking them back.

use super::{change::record, read::writable};
use crate::{Access, Controller, Result, SpaceRight, answer, quotas, request::ToMany};
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{QuotaGuid, SpaceGuid};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    quotas::QuotaKind,
    space_quotas::{self, SpaceQuotaRow},
    spaces,
};

/// `POST /v3/space_quotas/:guid/relationships/spaces`.
///
/// # Errors
/// 404, 403, 422 for spaces that are not there or of another organization.
pub async fn apply(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<QuotaGuid>,
    Json(body): Json<ToMany>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let quota = writable(&mut tx, &access, guid).await?;
    apply_to(&controller, &mut tx, &access, &quota, &body).await?;
    let mut spaces = space_quotas::spaces(&mut tx, &[guid], access.visible()).await?;
    tx.commit().await?;
    let path = format!("/v3/space_quotas/{guid}/relationships/spaces");
    Ok(answer::ok(answer::to_many_at(&base, path, spaces.remove(&guid).unwrap_or_default())))
}

pub(super) async fn apply_to(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    quota: &SpaceQuotaRow,
    wanted: &ToMany,
) -> Result<()> {
    let (mut unknown, mut found) = (Vec::new(), Vec::new());
    for wanted in &wanted.data {
        match wanted.parsed::<SpaceGuid>() {
            Some(guid) if access.has_in_space(db, SpaceRight::See, guid).await? => found.extend(spaces::find(db, guid).await?),
            _ => unknown.push(wanted.guid.clone()),
        }
    }
    if !unknown.is_empty() {
        let detail = format!("Spaces with guids {unknown:?} do not exist, or you do not have access to them.");
        return Err(ApiError::unprocessable(detail).into());
    }
    if found.iter().any(|space| space.organization != quota.organization) {
        return Err(ApiError::unprocessable("Space quotas cannot be applied outside of their owning organization.").into());
    }
    for mut space in found {
        space.quota = Some(quota.guid);
        spaces::update(db, &mut space, controller.now()).await?;
        let data = json!({ "space_guid": space.guid, "space_name": space.name });
        record(controller, db, access, "audit.space_quota.apply", quota, Some(space.guid), data).await?;
    }
    quotas::unlimited_logs(db, QuotaKind::Space, quota.guid, &quota.limits).await
}

/// `DELETE /v3/space_quotas/:guid/relationships/spaces/:space`.
///
/// # Errors
/// 404, 403, 422 for a space that does not have the quota.
pub async fn remove(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, named)): Path<(QuotaGuid, String)>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let quota = writable(&mut tx, &access, guid).await?;
    let found = match named.parse::<SpaceGuid>() {
        Ok(space) => spaces::find(&mut tx, space).await?,
        Err(_) => None,
    };
    let Some(mut space) = found.filter(|space| space.quota == Some(guid)) else {
        let detail = format!("Unable to remove quota from space with guid '{named}'. Ensure the space quota is applied to this space.");
        return Err(ApiError::unprocessable(detail).into());
    };
    space.quota = None;
    spaces::update(&mut tx, &mut space, controller.now()).await?;
    let data = json!({ "space_guid": space.guid, "space_name": space.name });
    record(&controller, &mut tx, &access, "audit.space_quota.remove", &quota, Some(space.guid), data).await?;
    tx.commit().await?;
    Ok(answer::no_content())
}
