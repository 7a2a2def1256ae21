//! `GET /v3/apps/:guid/revisions` and `…/revisions/deployed`.

use super::view;
use crate::{
    Access, Controller, Result, SpaceRight, answer, apps,
    list::{ListRequest, ListSpec},
};
use virga_contract::{ApiError, ErrorCode};
use virga_model::AppGuid;
use virga_serve::{
    Path,
    axum::{extract::State, response::Response},
};
use virga_store::revisions::{self, RevisionFilter};

const SPEC: ListSpec = ListSpec::new(&["versions", "deployable"]);
const SPEC_DEPLOYED: ListSpec = ListSpec::new(&[]);

/// The revisions of an app.
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
    let deployable = match query.values("deployable").as_deref() {
        None => None,
        Some([word]) if word == "true" => Some(true),
        Some([word]) if word == "false" => Some(false),
        Some(_) => {
            let detail = "The query parameter is invalid: Deployable must be a boolean: 'true' or 'false'";
            return Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into());
        }
    };
    let versions = query.values("versions").map(|words| words.iter().filter_map(|word| word.parse().ok()).collect());
    let filter = RevisionFilter { versions, deployable, deployed: false };
    let mut db = controller.store.read().await?;
    apps::lookup::app(&mut db, &access, SpaceRight::See, guid).await?;
    let page = revisions::list(&mut db, guid, &filter, &query.listing).await?;
    Ok(answer::ok(query.render(&page, |(revision, deployable)| view::revision(&query.base, revision, *deployable))))
}

/// Those that the app's running processes belong to.
///
/// # Errors
/// 404 `App not found`, 400 `BadQueryParameter`.
pub async fn list_deployed(
    State(controller): State<Controller>,
    access: Access,
    request: ListRequest,
    Path(guid): Path<AppGuid>,
) -> Result<Response> {
    let query = request.parse(&SPEC_DEPLOYED)?;
    let filter = RevisionFilter { deployed: true, ..RevisionFilter::default() };
    let mut db = controller.store.read().await?;
    apps::lookup::app(&mut db, &access, SpaceRight::See, guid).await?;
    let page = revisions::list(&mut db, guid, &filter, &query.listing).await?;
    Ok(answer::ok(query.render(&page, |(revision, deployable)| view::revision(&query.base, revision, *deployable))))
}
