//! Reading quotas.

use super::view::view;
use crate::{
    Access, Controller, OrgRight, Result, answer,
    list::{ListRequest, ListSpec},
};
use serde_json::Value;
use virga_contract::ApiError;
use virga_model::QuotaGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    select::Listing,
    space_quotas::{self, SpaceQuotaFilter, SpaceQuotaRow},
};

pub(crate) const LIST: ListSpec = ListSpec::new(&["names", "organization_guids", "space_guids"]).order_by(&["name"]).without_labels();

/// `GET /v3/space_quotas`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let filter = SpaceQuotaFilter {
        names: query.values("names"),
        organizations: query.values("organization_guids"),
        spaces: query.values("space_guids"),
    };
    let mut db = controller.store.read().await?;
    let page = space_quotas::list(&mut db, &filter, access.visible(), &query.listing).await?;
    let guids: Vec<_> = page.rows.iter().map(|quota| quota.guid).collect();
    let spaces = space_quotas::spaces(&mut db, &guids, access.visible()).await?;
    let of = |guid| spaces.get(&guid).map_or(&[][..], Vec::as_slice);
    Ok(answer::ok(query.render(&page, |quota| view(&query.base, quota, of(quota.guid)))))
}

/// `GET /v3/space_quotas/:guid`.
///
/// # Errors
/// 404.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<QuotaGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let quota = visible(&mut db, &access, guid).await?;
    Ok(answer::ok(one(&mut db, &access, &base, &quota).await?))
}

pub(super) async fn one(db: &mut Connection, access: &Access, base: &Base, quota: &SpaceQuotaRow) -> Result<Value> {
    let spaces = space_quotas::spaces(db, &[quota.guid], access.visible()).await?;
    Ok(view(base, quota, spaces.get(&quota.guid).map_or(&[], Vec::as_slice)))
}

/// The quota, for a caller who may see it.
pub(super) async fn visible(db: &mut Connection, access: &Access, guid: QuotaGuid) -> Result<SpaceQuotaRow> {
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    let page = space_quotas::list(db, &SpaceQuotaFilter::default(), access.visible(), &listing).await?;
    Ok(page.rows.into_iter().next().ok_or_else(|| ApiError::not_found("Space quota"))?)
}

/// The quota, for a caller who may change it: who manages its organization.
pub(super) async fn writable(db: &mut Connection, access: &Access, guid: QuotaGuid) -> Result<SpaceQuotaRow> {
    let quota = visible(db, access, guid).await?;
    access.in_organization(db, OrgRight::Write, quota.organization, "Space quota").await?;
    Ok(quota)
}
