//! `GET /v3/tasks` and `GET /v3/apps/:guid/tasks`.

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
use virga_store::tasks::{self, TaskFilter};

const SPEC: ListSpec = ListSpec::new(&["names", "states", "app_guids", "space_guids", "organization_guids"]);
const SPEC_OF_APP: ListSpec = ListSpec::new(&["names", "states", "sequence_ids"]);

/// The tasks the caller may see, without their commands.
///
/// # Errors
/// 400 `BadQueryParameter`.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    let filter = TaskFilter { of: query.of_apps(), ..filter(&query) };
    let page = tasks::list(&mut *controller.store.read().await?, &filter, access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |task| view::task(&query.base, task, false))))
}

/// The tasks of an app.
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
    let mut db = controller.store.read().await?;
    let (app, _) = apps::lookup::app(&mut db, &access, SpaceRight::See, guid).await?;
    let secrets = access.has_in_space(&mut db, SpaceRight::ReadSecrets, app.space).await?;
    let filter = TaskFilter { of: query.of_app(guid), ..filter(&query) };
    let page = tasks::list(&mut db, &filter, access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |task| view::task(&query.base, task, secrets))))
}

fn filter(query: &ListQuery) -> TaskFilter {
    let numbers = |words: Vec<String>| words.iter().filter_map(|word| word.parse().ok()).collect();
    TaskFilter {
        names: query.values("names"),
        states: query.values("states"),
        sequence_ids: query.values("sequence_ids").map(numbers),
        ..TaskFilter::default()
    }
}
