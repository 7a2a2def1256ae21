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
    let guids: Vec<_> = page.rows.iter().map(|quota| quota.guid).collect();
    let organizations = organization_quotas::organizations(&mut db, &guids, access.visible()).await?;
    let of = |guid| organizations.get(&guid).map_or(&[][..], Vec::as_slice);
    Ok(answer::ok(query.render(&page, |quota| view(&query.base, quota, of(quota.guid)))))
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
    let organizations = organization_quotas::organizations(db, &[guid], access.visible()).await?;
    Ok(view(base, quota, organizations.get(&guid).map_or(&[], Vec::as_slice)))
}
