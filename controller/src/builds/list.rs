//! `GET /v3/builds` and `GET /v3/apps/:guid/builds`.

use super::view;
use crate::{
    Access, Controller, Result, SpaceRight, answer, apps,
    list::{ListQuery, ListRequest, ListSpec},
};
use virga_model::AppGuid;
use virga_serve::{
    Path,
    axum::{extract::State, response::Response},
};
use virga_store::builds::{self, BuildFilter};

const SPEC: ListSpec = ListSpec::new(&["states", "app_guids", "package_guids"]);

/// The builds the caller may see.
///
/// # Errors
/// 400 `BadQueryParameter`.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    answer(&controller, &access, &query, &filter(&query)).await
}

/// The builds of an app.
///
/// # Errors
/// 404 `App not found`, 400 `BadQueryParameter`.
pub async fn list_of_app(
    State(controller): State<Controller>,
    access: Access,
    request: ListRequest,
    Path(guid): Path<AppGuid>,
) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    apps::lookup::app(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    let filter = BuildFilter { of: query.of_app(guid), ..filter(&query) };
    answer(&controller, &access, &query, &filter).await
}

fn filter(query: &ListQuery) -> BuildFilter {
    BuildFilter { states: query.values("states"), of: query.of_apps(), packages: query.values("package_guids") }
}

async fn answer(controller: &Controller, access: &Access, query: &ListQuery, filter: &BuildFilter) -> Result<Response> {
    let page = builds::list(&mut *controller.store.read().await?, filter, access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |build| view::build(&query.base, build))))
}
