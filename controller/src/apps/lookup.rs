//! Finding an app for a caller, and naming it in events.

use crate::{Access, Result, SpaceRight, audit_events::Event};
use serde_json::Value;
use virga_contract::ApiError;
use virga_model::{AppGuid, OrgGuid};
use virga_store::{
    Connection,
    apps::{self, AppRow},
};

/// The app, and the organization of its space, for a caller who has `right` there.
///
/// # Errors
/// 404 `App not found`, 403.
pub(crate) async fn app(db: &mut Connection, access: &Access, right: SpaceRight, guid: AppGuid) -> Result<(AppRow, OrgGuid)> {
    of(db, access, right, guid, "App").await
}

/// The app that a resource belongs to; `resource` is what a caller who may not see it is told not to exist.
///
/// # Errors
/// 404 `<resource> not found`, 403.
pub(crate) async fn of(
    db: &mut Connection,
    access: &Access,
    right: SpaceRight,
    guid: AppGuid,
    resource: &str,
) -> Result<(AppRow, OrgGuid)> {
    let app = apps::find(db, guid).await?.ok_or_else(|| ApiError::not_found(resource))?;
    let standing = access.in_space(db, right, app.space, resource).await?;
    Ok((app, standing.organization))
}

/// The app that a body names, where naming one that is not there is the body's fault.
///
/// # Errors
/// 422 with `detail` for an app the caller cannot see; 403.
pub(crate) async fn named(
    db: &mut Connection,
    access: &Access,
    right: SpaceRight,
    guid: Option<&str>,
    detail: &str,
) -> Result<(AppRow, OrgGuid)> {
    let unprocessable = || ApiError::unprocessable(detail);
    let guid: AppGuid = guid.and_then(|guid| guid.parse().ok()).ok_or_else(unprocessable)?;
    match app(db, access, right, guid).await {
        Err(error) if error.api().status() == http::StatusCode::NOT_FOUND => Err(unprocessable().into()),
        other => other,
    }
}

/// An event about an app.
pub(crate) fn event<'a>(kind: &'a str, app: &'a AppRow, organization: OrgGuid, data: Value) -> Event<'a> {
    Event {
        kind,
        target_kind: "app",
        target: app.guid.to_string(),
        target_name: &app.name,
        data,
        space: Some(app.space),
        organization: Some(organization),
    }
}
