//! Plans by guid, for callers who may.

use crate::{Access, Result, SpaceRight};
use virga_contract::ApiError;
use virga_model::ServicePlanGuid;
use virga_store::{
    Connection,
    select::Listing,
    service_plans::{self, Audience, ServicePlanFilter, ServicePlanRow},
};

const RESOURCE: &str = "Service plan";

/// A plan, and who else sees it, for a caller who does.
///
/// # Errors
/// 404.
pub(super) async fn seen(db: &mut Connection, access: &Access, guid: ServicePlanGuid) -> Result<(ServicePlanRow, Audience)> {
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    let page = service_plans::list(db, &ServicePlanFilter::default(), access.visible(), &listing).await?;
    let audience = service_plans::audience(db, &page.rows).await?;
    let plan = page.rows.into_iter().next().ok_or_else(|| ApiError::not_found(RESOURCE))?;
    Ok((plan, audience))
}

/// Whether a caller sees a plan.
///
/// # Errors
/// Those of the database.
pub(crate) async fn is_seen(db: &mut Connection, access: &Access, guid: ServicePlanGuid) -> Result<bool> {
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    Ok(!service_plans::list(db, &ServicePlanFilter::default(), access.visible(), &listing).await?.rows.is_empty())
}

/// A plan for a caller who may change it: an administrator, or a developer of the space of its broker.
///
/// # Errors
/// 404, 403.
pub(super) async fn writable(db: &mut Connection, access: &Access, guid: ServicePlanGuid) -> Result<(ServicePlanRow, Audience)> {
    let (plan, audience) = seen(db, access, guid).await?;
    match audience.space(&plan) {
        Some(space) => drop(access.in_space(db, SpaceRight::Write, space, RESOURCE).await?),
        None => access.admin()?,
    }
    Ok((plan, audience))
}
