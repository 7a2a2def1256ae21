//! Reading stacks.

use super::{DEFAULT_STACK, view::view};
use crate::{
    Access, Controller, Result, answer, apps,
    list::{ListRequest, ListSpec},
};
use virga_contract::ApiError;
use virga_model::StackGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    apps::AppFilter,
    stacks::{self, StackRow},
};

const LIST: ListSpec = ListSpec::new(&["names", "default"]).order_by(&["name"]).default_order("name");
const APPS: ListSpec = ListSpec::new(&["names", "organization_guids", "space_guids"]).order_by(&["name", "state"]);

/// `GET /v3/stacks`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let names = match query.values("default") {
        Some(values) if values.iter().any(|value| value == "true") => Some(vec![DEFAULT_STACK.to_owned()]),
        Some(_) => Some(Vec::new()),
        None => query.values("names"),
    };
    let page = stacks::list(&mut *controller.store.read().await?, names.as_deref(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |stack| view(&query.base, stack))))
}

/// `GET /v3/stacks/:guid`.
///
/// # Errors
/// 404.
pub async fn show(State(controller): State<Controller>, base: Base, Path(guid): Path<StackGuid>) -> Result<Response> {
    let stack = find(&controller, guid).await?;
    Ok(answer::ok(view(&base, &stack)))
}

async fn find(controller: &Controller, guid: StackGuid) -> Result<StackRow> {
    let found = stacks::find(&mut *controller.store.read().await?, guid).await?;
    Ok(found.ok_or_else(|| ApiError::not_found("Stack"))?)
}

/// `GET /v3/stacks/:guid/apps`: the apps of the stack that the caller may see.
///
/// # Errors
/// 404; 400 for parameters that are not right.
pub async fn list_apps(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<StackGuid>,
    request: ListRequest,
) -> Result<Response> {
    let query = request.parse(&APPS)?;
    let stack = find(&controller, guid).await?;
    let filter = AppFilter {
        names: query.values("names"),
        organizations: query.values("organization_guids"),
        spaces: query.values("space_guids"),
        stacks: Some(vec![stack.name]),
    };
    let page = virga_store::apps::list(&mut *controller.store.read().await?, &filter, access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |app| apps::view::app(&query.base, app))))
}
