//! `GET /v3/apps/:guid`.

use super::{list, lookup, view};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    list::{ListRequest, ListSpec},
};
use virga_model::AppGuid;
use virga_serve::{
    Path,
    axum::{extract::State, response::Response},
};

const SPEC: ListSpec = ListSpec::new(&[]).includes(list::INCLUDES);

/// One app.
///
/// # Errors
/// 404 `App not found`.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    request: ListRequest,
    Path(guid): Path<AppGuid>,
) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    let mut db = controller.store.read().await?;
    let (app, _) = lookup::app(&mut db, &access, SpaceRight::See, guid).await?;
    let mut body = view::app(&query.base, &app);
    list::add_included(&mut db, &query, std::slice::from_ref(&app), &mut body).await?;
    Ok(answer::ok(body))
}
