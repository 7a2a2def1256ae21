//! Reading offerings.

use super::{Shopper, view};
use crate::{
    Access, Controller, Result, answer, fields,
    list::{ListQuery, ListRequest, ListSpec, include},
    service_brokers,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use virga_contract::{ApiError, ErrorCode};
use virga_model::{ServiceBrokerGuid, ServiceOfferingGuid};
use virga_serve::{
    Base, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    select::{Listing, Visible},
    service_brokers::ServiceBrokerFilter,
    service_offerings::{self as rows, ServiceOfferingFilter, ServiceOfferingRow},
};

const LIST: ListSpec = ListSpec::new(&[
    "names",
    "available",
    "broker_catalog_ids",
    "service_broker_guids",
    "service_broker_names",
    "space_guids",
    "organization_guids",
    "fields[service_broker]",
])
.order_by(&["name"]);
/// What may be asked of a broker beside what it offers.
pub(crate) const BROKER_FIELDS: &[&str] = &["name", "guid"];

/// `available=true` or `false`.
///
/// # Errors
/// 400 for anything else.
pub(crate) fn available(query: &ListQuery) -> Result<Option<bool>> {
    let Some(values) = query.values("available") else { return Ok(None) };
    match values.as_slice() {
        [value] if value == "true" => Ok(Some(true)),
        [value] if value == "false" => Ok(Some(false)),
        _ => {
            let detail = "The query parameter is invalid: Available only accepts values 'true' or 'false'";
            Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into())
        }
    }
}

/// `GET /v3/service_offerings`: those with a plan that the caller sees.
///
/// # Errors
/// 400 for parameters that are not right; 401 without a login where an operator hides the marketplace.
pub async fn list(State(controller): State<Controller>, shopper: Shopper, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let broker = fields::checked("fields[service_broker]", query.values("fields[service_broker]"), BROKER_FIELDS)?;
    let filter = ServiceOfferingFilter {
        names: query.values("names"),
        available: available(&query)?,
        catalog_ids: query.values("broker_catalog_ids"),
        brokers: query.values("service_broker_guids"),
        broker_names: query.values("service_broker_names"),
        spaces: query.values("space_guids"),
        organizations: query.values("organization_guids"),
    };
    let mut db = controller.store.read().await?;
    let visible = shopper.visible(&mut db).await?;
    let page = rows::list(&mut db, &filter, visible, &query.listing).await?;
    let mut body = query.render(&page, |offering| view(&query.base, offering));
    if let Some(wanted) = broker {
        brokers_beside(&mut db, &query.base, &mut body, &wanted, page.rows.iter().map(|offering| offering.broker)).await?;
    }
    Ok(answer::ok(body))
}

/// Adds what was asked of these brokers.
///
/// # Errors
/// Those of the database.
pub(crate) async fn brokers_beside(
    db: &mut Connection,
    base: &Base,
    body: &mut Value,
    wanted: &[String],
    brokers: impl Iterator<Item = ServiceBrokerGuid>,
) -> Result<()> {
    let guids: BTreeSet<String> = brokers.map(|broker| broker.to_string()).collect();
    let listing = Listing { guids: Some(guids.into_iter().collect()), ..Listing::everything() };
    // Who sees what a broker offers may know its name.
    let page = virga_store::service_brokers::list(db, &ServiceBrokerFilter::default(), Visible::All, &listing).await?;
    let pieces = page.rows.iter().map(|broker| fields::cut(wanted, &service_brokers::view(base, broker)));
    include(body, "service_brokers", pieces.collect());
    Ok(())
}

/// An offering for a caller who sees one of its plans.
///
/// # Errors
/// 404.
pub(super) async fn seen(db: &mut Connection, access: &Access, guid: ServiceOfferingGuid) -> Result<ServiceOfferingRow> {
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    let page = rows::list(db, &ServiceOfferingFilter::default(), access.visible(), &listing).await?;
    Ok(page.rows.into_iter().next().ok_or_else(|| ApiError::not_found("Service offering"))?)
}

/// Parameters of `GET /v3/service_offerings/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowQuery {
    #[serde(rename = "fields[service_broker]")]
    broker: Option<String>,
}

/// `GET /v3/service_offerings/:guid`.
///
/// # Errors
/// 404, 400 for fields that are none.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceOfferingGuid>,
    Query(query): Query<ShowQuery>,
) -> Result<Response> {
    let broker = fields::checked("fields[service_broker]", fields::split(query.broker.as_ref()), BROKER_FIELDS)?;
    let mut db = controller.store.read().await?;
    let offering = seen(&mut db, &access, guid).await?;
    let mut body = view(&base, &offering);
    if let Some(wanted) = broker {
        brokers_beside(&mut db, &base, &mut body, &wanted, std::iter::once(offering.broker)).await?;
    }
    Ok(answer::ok(body))
}
