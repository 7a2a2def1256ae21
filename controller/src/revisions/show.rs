//! `GET /v3/revisions/:guid` and `…/environment_variables`.

use super::{lookup, view};
use crate::{Access, Controller, Result, SpaceRight, answer, apps::lookup::event, audit_events::record};
use serde_json::json;
use virga_model::RevisionGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};

/// One revision.
///
/// # Errors
/// 404 `Revision not found`.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<RevisionGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let (revision, _, _) = lookup::find(&mut db, &access, SpaceRight::See, guid).await?;
    let deployable = lookup::is_deployable(&mut db, &revision).await?;
    Ok(answer::ok(view::revision(&base, &revision, deployable)))
}

/// The app's own variables as they were.
///
/// # Errors
/// 404 `Revision not found`, 403.
pub async fn show_environment_variables(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<RevisionGuid>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (revision, app, organization) = lookup::find(&mut tx, &access, SpaceRight::ReadSecrets, guid).await?;
    let data = json!({ "revision_guid": revision.guid, "revision_version": revision.version });
    record(&controller, &mut tx, &access, event("audit.app.revision.environment_variables.show", &app, organization, data)).await?;
    tx.commit().await?;
    Ok(answer::ok(view::environment_variables(&base, &revision)))
}
