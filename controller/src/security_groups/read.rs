//! Reading security groups.

use super::view::view;
use crate::{
    Access, Controller, Result, answer,
    list::{ListQuery, ListRequest, ListSpec},
};
use serde_json::Value;
use virga_contract::{ApiError, ErrorCode};
use virga_model::SecurityGroupGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    security_groups::{self, SecurityGroupFilter, SecurityGroupRow},
    select::Listing,
};

const LIST: ListSpec =
    ListSpec::new(&["names", "running_space_guids", "staging_space_guids", "globally_enabled_running", "globally_enabled_staging"])
        .without_labels();

/// `GET /v3/security_groups`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let filter = SecurityGroupFilter {
        names: query.values("names"),
        running_default: truth(&query, "globally_enabled_running")?,
        staging_default: truth(&query, "globally_enabled_staging")?,
        running_spaces: query.values("running_space_guids"),
        staging_spaces: query.values("staging_space_guids"),
        holds_in: None,
    };
    let mut db = controller.store.read().await?;
    let page = security_groups::list(&mut db, &filter, access.visible(), &query.listing).await?;
    let views = views(&mut db, &access, &query.base, &page.rows).await?;
    Ok(answer::ok(query.paginated(page.total, views)))
}

/// Views of groups with the spaces that the caller may see.
pub(crate) async fn views(db: &mut Connection, access: &Access, base: &Base, groups: &[SecurityGroupRow]) -> Result<Vec<Value>> {
    let guids: Vec<_> = groups.iter().map(|group| group.guid).collect();
    let bindings = security_groups::bindings(db, &guids, access.visible()).await?;
    Ok(groups.iter().map(|group| view(base, group, &bindings)).collect())
}

pub(super) async fn one(db: &mut Connection, access: &Access, base: &Base, group: SecurityGroupRow) -> Result<Value> {
    let bindings = security_groups::bindings(db, &[group.guid], access.visible()).await?;
    Ok(view(base, &group, &bindings))
}

fn truth(query: &ListQuery, name: &str) -> Result<Option<bool>> {
    match query.values(name).as_deref() {
        None => Ok(None),
        Some([text]) if text == "true" => Ok(Some(true)),
        Some([text]) if text == "false" => Ok(Some(false)),
        Some(_) => {
            let detail = format!("The query parameter is invalid: {name} must be 'true' or 'false'");
            Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into())
        }
    }
}

/// `GET /v3/security_groups/:guid`.
///
/// # Errors
/// 404.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<SecurityGroupGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let group = visible(&mut db, &access, guid).await?;
    Ok(answer::ok(one(&mut db, &access, &base, group).await?))
}

pub(super) async fn visible(db: &mut Connection, access: &Access, guid: SecurityGroupGuid) -> Result<SecurityGroupRow> {
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    let page = security_groups::list(db, &SecurityGroupFilter::default(), access.visible(), &listing).await?;
    Ok(page.rows.into_iter().next().ok_or_else(|| ApiError::not_found("Security group"))?)
}
