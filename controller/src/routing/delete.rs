//! Deleting routes.

use super::{create::record, read::permitted};
use crate::{
    Access, Controller, Result, SpaceRight, answer, jobs,
    list::{ListRequest, ListSpec},
};
use serde_json::json;
use virga_contract::{ApiError, ErrorCode};
use virga_model::{RouteGuid, SpaceGuid};
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::routes;

/// `DELETE /v3/routes/:guid`.
///
/// # Errors
/// 404, 403.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<RouteGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (route, organization) = permitted(&mut tx, &access, guid, SpaceRight::Manage).await?;
    routes::delete(&mut tx, guid).await?;
    let data = json!({ "request": { "recursive": true } });
    record(&controller, &mut tx, &access, "audit.route.delete-request", &route, organization, data).await?;
    let job = jobs::done(&mut tx, controller.now(), "route.delete", guid).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::job(&base, job))
}

const UNMAPPED: ListSpec = ListSpec::new(&["unmapped"]).without_labels();

/// `DELETE /v3/spaces/:guid/routes?unmapped=true`: every route of the space that leads nowhere.
///
/// # Errors
/// 404, 403, 400 without `unmapped=true`.
pub async fn delete_unmapped(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<SpaceGuid>,
    request: ListRequest,
) -> Result<Response> {
    let query = request.parse(&UNMAPPED)?;
    if query.values("unmapped").is_none_or(|values| values != ["true"]) {
        let detail = "The query parameter is invalid: Mass delete not supported for routes. Use 'unmapped=true' parameter to delete all unmapped routes.";
        return Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into());
    }
    let mut tx = controller.store.begin().await?;
    let standing = access.in_space(&mut tx, SpaceRight::Manage, guid, "Space").await?;
    for route in routes::list_of_space(&mut tx, guid, true).await? {
        routes::delete(&mut tx, route.guid).await?;
        let data = json!({ "request": { "recursive": true } });
        record(&controller, &mut tx, &access, "audit.route.delete-request", &route, standing.organization, data).await?;
    }
    let job = jobs::done(&mut tx, controller.now(), "space.delete_unmapped_routes", guid).await?;
    tx.commit().await?;
    Ok(answer::job(&query.base, job))
}
