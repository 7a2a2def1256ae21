//! Brokers by guid, for callers who may.

use crate::{Access, Result, SpaceRight};
use virga_contract::ApiError;
use virga_model::ServiceBrokerGuid;
use virga_store::{
    Connection,
    select::Listing,
    service_brokers::{self, ServiceBrokerFilter, ServiceBrokerRow},
};

const RESOURCE: &str = "Service broker";

/// A broker for a caller who may see it.
///
/// # Errors
/// 404.
pub(super) async fn seen(db: &mut Connection, access: &Access, guid: ServiceBrokerGuid) -> Result<ServiceBrokerRow> {
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    let page = service_brokers::list(db, &ServiceBrokerFilter::default(), access.visible(), &listing).await?;
    Ok(page.rows.into_iter().next().ok_or_else(|| ApiError::not_found(RESOURCE))?)
}

/// A broker for a caller who may change it: an administrator, or a developer of its space.
///
/// # Errors
/// 404, 403.
pub(super) async fn writable(db: &mut Connection, access: &Access, guid: ServiceBrokerGuid) -> Result<ServiceBrokerRow> {
    let broker = service_brokers::find(db, guid).await?.ok_or_else(|| ApiError::not_found(RESOURCE))?;
    match broker.space {
        Some(space) => drop(access.in_space(db, SpaceRight::Write, space, RESOURCE).await?),
        None if !access.reads_all() => return Err(ApiError::not_found(RESOURCE).into()),
        None => access.admin()?,
    }
    Ok(broker)
}
