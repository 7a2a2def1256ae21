//! `GET /v3/processes/:guid` and `GET /v3/apps/:guid/processes/:type`.

use super::{
    lookup::{self, Named},
    view,
};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    list::{ListRequest, ListSpec},
};
use virga_model::{AppGuid, ProcessGuid};
use virga_serve::{
    Path,
    axum::{extract::State, response::Response},
};

const SPEC: ListSpec = ListSpec::new(&[]).embeds(&["process_instances"]);

/// One process.
///
/// # Errors
/// 404 `Process not found`.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    request: ListRequest,
    Path(guid): Path<ProcessGuid>,
) -> Result<Response> {
    answer(&controller, &access, request, &Named::Guid(guid)).await
}

/// The app's process of a type.
///
/// # Errors
/// 404 `App not found`, `Process not found`.
pub async fn show_of_app(
    State(controller): State<Controller>,
    access: Access,
    request: ListRequest,
    Path((app, process_type)): Path<(AppGuid, String)>,
) -> Result<Response> {
    answer(&controller, &access, request, &Named::Type(app, process_type)).await
}

async fn answer(controller: &Controller, access: &Access, request: ListRequest, named: &Named) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    let mut db = controller.store.read().await?;
    let found = lookup::find(&mut db, access, SpaceRight::See, named).await?;
    let mut body = lookup::view(&mut db, access, &query.base, &found).await?;
    drop(db);
    if let (true, Some(members)) = (query.embeds("process_instances"), body.as_object_mut()) {
        let stats = controller.scheduler.stats(found.process.guid, found.process.instances).await?;
        members.insert("process_instances".to_owned(), view::instances(&stats, controller.now()));
    }
    Ok(answer::ok(body))
}
