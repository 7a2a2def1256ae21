//! `GET /v3/droplets`, `GET /v3/apps/:guid/droplets`, `GET /v3/packages/:guid/droplets`.

use super::view;
use crate::{
    Access, Controller, Result, SpaceRight, answer, apps,
    list::{ListQuery, ListRequest, ListSpec},
    packages,
};
use virga_model::{AppGuid, PackageGuid};
use virga_serve::{
    Path,
    axum::{extract::State, response::Response},
};
use virga_store::droplets::{self, DropletFilter};

const SPEC: ListSpec = ListSpec::new(&["states", "app_guids", "space_guids", "organization_guids"]);
const SPEC_OF_APP: ListSpec = ListSpec::new(&["states", "current"]);
const SPEC_OF_PACKAGE: ListSpec = ListSpec::new(&["states"]);

/// The droplets the caller may see.
///
/// # Errors
/// 400 `BadQueryParameter`.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    let filter = DropletFilter { states: query.values("states"), of: query.of_apps(), ..DropletFilter::default() };
    answer(&controller, &access, &query, &filter).await
}

/// The droplets of an app.
///
/// # Errors
/// 404 `App not found`, 400 `BadQueryParameter`.
pub async fn list_of_app(
    State(controller): State<Controller>,
    access: Access,
    request: ListRequest,
    Path(guid): Path<AppGuid>,
) -> Result<Response> {
    let query = request.parse(&SPEC_OF_APP)?;
    apps::lookup::app(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    let filter = DropletFilter {
        states: query.values("states"),
        of: query.of_app(guid),
        current: query.values("current").is_some_and(|values| values.iter().any(|value| value == "true")),
        ..DropletFilter::default()
    };
    answer(&controller, &access, &query, &filter).await
}

/// The droplets staged from a package.
///
/// # Errors
/// 404 `Package not found`, 400 `BadQueryParameter`.
pub async fn list_of_package(
    State(controller): State<Controller>,
    access: Access,
    request: ListRequest,
    Path(guid): Path<PackageGuid>,
) -> Result<Response> {
    let query = request.parse(&SPEC_OF_PACKAGE)?;
    packages::find(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    let filter = DropletFilter { states: query.values("states"), packages: Some(vec![guid.to_string()]), ..DropletFilter::default() };
    answer(&controller, &access, &query, &filter).await
}

async fn answer(controller: &Controller, access: &Access, query: &ListQuery, filter: &DropletFilter) -> Result<Response> {
    let page = droplets::list(&mut *controller.store.read().await?, filter, access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |droplet| view::droplet(&query.base, droplet, true, false))))
}
