//! `GET /v3/processes` and `GET /v3/apps/:guid/processes`.

use super::view::{self, CommandView};
use crate::{
    Access, Controller, Result, SpaceRight, answer, apps,
    list::{ListQuery, ListRequest, ListSpec},
};
use virga_model::AppGuid;
use virga_serve::{
    Path,
    axum::{extract::State, response::Response},
};
use virga_store::processes::{self, ProcessFilter};

const SPEC: ListSpec = ListSpec::new(&["types", "app_guids", "space_guids", "organization_guids"]).embeds(&["process_instances"]);

/// The processes the caller may see.
///
/// # Errors
/// 400 `BadQueryParameter`.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    let filter = filter(&query);
    answer(&controller, &access, &query, &filter).await
}

/// The processes of an app.
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
    let filter = ProcessFilter { of: query.of_app(guid), ..filter(&query) };
    answer(&controller, &access, &query, &filter).await
}

fn filter(query: &ListQuery) -> ProcessFilter {
    ProcessFilter { types: query.values("types"), of: query.of_apps() }
}

async fn answer(controller: &Controller, access: &Access, query: &ListQuery, filter: &ProcessFilter) -> Result<Response> {
    let page = processes::list(&mut *controller.store.read().await?, filter, access.visible(), &query.listing).await?;
    let mut shown: Vec<_> = page.rows.iter().map(|process| view::process(&query.base, process, CommandView::HiddenInLists)).collect();
    if query.embeds("process_instances") {
        let asked: Vec<_> = page.rows.iter().map(|process| (process.guid, process.instances)).collect();
        let stats = controller.scheduler.stats_of(&asked).await?;
        for (body, stats) in shown.iter_mut().zip(stats) {
            if let Some(members) = body.as_object_mut() {
                members.insert("process_instances".to_owned(), view::instances(&stats, controller.now()));
            }
        }
    }
    Ok(answer::ok(query.paginated(page.total, shown)))
}
