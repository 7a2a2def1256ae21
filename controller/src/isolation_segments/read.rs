//! Reading segments and where they are used.

use super::view::view;
use crate::{
    Access, Controller, Result, answer,
    list::{ListRequest, ListSpec},
};
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::IsolationSegmentGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    isolation_segments::{self, IsolationSegmentRow},
    organizations::OrganizationFilter,
    select::Listing,
};

const LIST: ListSpec = ListSpec::new(&["names", "organization_guids"]).order_by(&["name"]);

/// `GET /v3/isolation_segments`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let mut db = controller.store.read().await?;
    let (names, organizations) = (query.values("names"), query.values("organization_guids"));
    let page = isolation_segments::list(&mut db, names.as_deref(), organizations.as_deref(), access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |segment| view(&query.base, segment))))
}

/// `GET /v3/isolation_segments/:guid`.
///
/// # Errors
/// 404.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<IsolationSegmentGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    Ok(answer::ok(view(&base, &visible(&mut db, &access, guid).await?)))
}

pub(super) async fn visible(db: &mut Connection, access: &Access, guid: IsolationSegmentGuid) -> Result<IsolationSegmentRow> {
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    let page = isolation_segments::list(db, None, None, access.visible(), &listing).await?;
    Ok(page.rows.into_iter().next().ok_or_else(|| ApiError::not_found("Isolation segment"))?)
}

/// `GET /v3/isolation_segments/:guid/organizations`: those that may use it, whole.
///
/// # Errors
/// 404.
pub async fn organizations(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<IsolationSegmentGuid>,
    request: ListRequest,
) -> Result<Response> {
    let query = request.parse(&crate::organizations::LIST)?;
    let mut db = controller.store.read().await?;
    visible(&mut db, &access, guid).await?;
    let filter = OrganizationFilter { names: query.values("names"), isolation_segment: Some(guid) };
    let page = virga_store::organizations::list(&mut db, &filter, access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |organization| crate::organizations::view(&query.base, organization))))
}

/// `GET /v3/isolation_segments/:guid/relationships/organizations`.
///
/// # Errors
/// 404.
pub async fn related_organizations(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<IsolationSegmentGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    visible(&mut db, &access, guid).await?;
    Ok(answer::ok(entitled(&mut db, &access, &base, guid).await?))
}

pub(super) async fn entitled(db: &mut Connection, access: &Access, base: &Base, guid: IsolationSegmentGuid) -> Result<Value> {
    let organizations = isolation_segments::organizations(db, guid, access.visible()).await?;
    let mut view = answer::to_many(organizations);
    if let Value::Object(members) = &mut view {
        let links = json!({
            "self": answer::link(base, format_args!("/v3/isolation_segments/{guid}/relationships/organizations")),
            "related": answer::link(base, format_args!("/v3/isolation_segments/{guid}/organizations")),
        });
        members.insert("links".to_owned(), links);
    }
    Ok(view)
}

/// `GET /v3/isolation_segments/:guid/relationships/spaces`.
///
/// # Errors
/// 404.
pub async fn related_spaces(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<IsolationSegmentGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    visible(&mut db, &access, guid).await?;
    let spaces = isolation_segments::spaces(&mut db, guid, access.visible()).await?;
    let path = format!("/v3/isolation_segments/{guid}/relationships/spaces");
    Ok(answer::ok(answer::to_many_at(&base, path, spaces)))
}
