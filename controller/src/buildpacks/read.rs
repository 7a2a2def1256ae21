//! Reading buildpacks.

use super::view::view;
use crate::{
    Controller, Result, answer,
    list::{ListRequest, ListSpec},
};
use virga_contract::ApiError;
use virga_model::BuildpackGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    buildpacks::{self, BuildpackFilter, BuildpackRow},
};

const LIST: ListSpec = ListSpec::new(&["names", "stacks", "lifecycle"]).order_by(&["position", "lifecycle"]).default_order("position");

/// `GET /v3/buildpacks`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let filter = BuildpackFilter { names: query.values("names"), stacks: query.values("stacks"), lifecycles: query.values("lifecycle") };
    let page = buildpacks::list(&mut *controller.store.read().await?, &filter, &query.listing).await?;
    Ok(answer::ok(query.render(&page, |buildpack| view(&controller, &query.base, buildpack))))
}

/// `GET /v3/buildpacks/:guid`.
///
/// # Errors
/// 404.
pub async fn show(State(controller): State<Controller>, base: Base, Path(guid): Path<BuildpackGuid>) -> Result<Response> {
    let buildpack = find(&mut *controller.store.read().await?, guid).await?;
    Ok(answer::ok(view(&controller, &base, &buildpack)))
}

pub(super) async fn find(db: &mut Connection, guid: BuildpackGuid) -> Result<BuildpackRow> {
    Ok(buildpacks::find(db, guid).await?.ok_or_else(|| ApiError::not_found("Buildpack"))?)
}
