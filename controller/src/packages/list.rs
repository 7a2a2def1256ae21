//! `GET /v3/packages` and `GET /v3/apps/:guid/packages`.

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
use virga_store::packages::{self, PackageFilter};

const SPEC: ListSpec = ListSpec::new(&["states", "types", "app_guids", "space_guids", "organization_guids"]);

/// The packages the caller may see.
///
/// # Errors
/// 400 `BadQueryParameter`.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    answer(&controller, &access, &query, &filter(&query)).await
}

/// The packages of an app.
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
    let filter = PackageFilter { of: query.of_app(guid), ..filter(&query) };
    answer(&controller, &access, &query, &filter).await
}

fn filter(query: &ListQuery) -> PackageFilter {
    PackageFilter { states: query.values("states"), of: query.of_apps(), types: query.values("types") }
}

async fn answer(controller: &Controller, access: &Access, query: &ListQuery, filter: &PackageFilter) -> Result<Response> {
    let page = packages::list(&mut *controller.store.read().await?, filter, access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |package| view::package(&query.base, package))))
}
