//! Reading quotas.

use super::view::view;
use crate::{
    Access, Controller, Result, answer,
    list::{ListRequest, ListSpec},
};
use virga_contract::ApiError;
use virga_model::QuotaGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{Connection, organization_quotas, select::Listing};

const LIST: ListSpec = ListSpec::new(&["names", "organization_guids"]).order_by(&["name"]).without_labels();

/// `GET /v3/organization_quotas`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let mut db = controller.store.read().await?;
    let (names, organizations) = (query.values("names"), query.values("organization_guids"));
    let page = organization_quotas::list(&mut db, names.as_deref(), organizations.as_deref(), access.visible(), &query.listing).await?;
    let mut views = Vec::with_capacity(page.rows.len());
    for quota in &page.rows {
        let organizations = organization_quotas::organizations(&mut db, quota.guid, access.visible()).await?;
        views.push(view(&query.base, quota, &organizations));
    }
    Ok(answer::ok(query.paginated(page.total, views)))
}

/// `GET /v3/organization_quotas/:guid`.
///
/// # Errors
/// 404.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<QuotaGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    Ok(answer::ok(one(&mut db, &access, &base, guid).await?))
}

pub(super) async fn one(db: &mut Connection, access: &Access, base: &Base, guid: QuotaGuid) -> Result<serde_json::Value> {
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    let page = organization_quotas::list(db, None, None, access.visible(), &listing).await?;
    let quota = page.rows.first().ok_or_else(|| ApiError::not_found("Organization quota"))?;
    let organizations = organization_quotas::organizations(db, guid, access.visible()).await?;
    Ok(view(base, quota, &organizations))
}
