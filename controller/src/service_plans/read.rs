//! Reading plans.

use super::{lookup::seen, view::view};
use crate::{
    Access, Controller, Result, answer, fields,
    list::{ListRequest, ListSpec, asked_for, include},
    service_offerings::{self, BROKER_FIELDS, Shopper, available, brokers_beside},
    spaces,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use virga_model::ServicePlanGuid;
use virga_serve::{
    Base, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    select::{Listing, Visible},
    service_offerings::ServiceOfferingFilter,
    service_plans::{self as rows, Audience, ServicePlanFilter, ServicePlanRow},
};

const INCLUDES: &[&str] = &["space.organization", "service_offering"];
const BROKER: &str = "fields[service_offering.service_broker]";
const LIST: ListSpec = ListSpec::new(&[
    "names",
    "available",
    "broker_catalog_ids",
    "service_broker_guids",
    "service_broker_names",
    "service_offering_guids",
    "service_offering_names",
    "service_instance_guids",
    "space_guids",
    "organization_guids",
    BROKER,
])
.order_by(&["name"])
.includes(INCLUDES);

/// `GET /v3/service_plans`: those that the caller sees.
///
/// # Errors
/// 400 for parameters that are not right; 401 without a login where an operator hides the marketplace.
pub async fn list(State(controller): State<Controller>, shopper: Shopper, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let broker = fields::checked(BROKER, query.values(BROKER), BROKER_FIELDS)?;
    let filter = ServicePlanFilter {
        names: query.values("names"),
        available: available(&query)?,
        catalog_ids: query.values("broker_catalog_ids"),
        brokers: query.values("service_broker_guids"),
        broker_names: query.values("service_broker_names"),
        offerings: query.values("service_offering_guids"),
        offering_names: query.values("service_offering_names"),
        spaces: query.values("space_guids"),
        organizations: query.values("organization_guids"),
        instances: query.values("service_instance_guids"),
    };
    let mut db = controller.store.read().await?;
    let visible = shopper.visible(&mut db).await?;
    let page = rows::list(&mut db, &filter, visible, &query.listing).await?;
    let audience = rows::audience(&mut db, &page.rows).await?;
    let mut body = query.render(&page, |plan| view(&query.base, plan, &audience));
    let beside = Beside { places: query.includes("space.organization"), offerings: query.includes("service_offering"), broker };
    beside.add(&mut db, &query.base, &mut body, &page.rows, &audience).await?;
    Ok(answer::ok(body))
}

/// What was asked for beside plans.
struct Beside {
    places: bool,
    offerings: bool,
    broker: Option<Vec<String>>,
}

impl Beside {
    async fn add(&self, db: &mut Connection, base: &Base, body: &mut Value, plans: &[ServicePlanRow], audience: &Audience) -> Result<()> {
        let only = |guids: BTreeSet<String>| Listing { guids: Some(guids.into_iter().collect()), ..Listing::everything() };
        if self.places {
            let guids = plans.iter().filter_map(|plan| audience.space(plan)).map(|space| space.to_string()).collect();
            let found = virga_store::spaces::list(db, None, None, Visible::All, &only(guids)).await?.rows;
            include(body, "spaces", found.iter().map(|space| spaces::view(base, space)).collect());
            let owners = spaces::organizations_of(db, base, found.iter().map(|space| space.organization)).await?;
            include(body, "organizations", owners);
        }
        if self.offerings || self.broker.is_some() {
            let guids = plans.iter().map(|plan| plan.offering.to_string()).collect();
            let filter = ServiceOfferingFilter::default();
            let found = virga_store::service_offerings::list(db, &filter, Visible::All, &only(guids)).await?.rows;
            if self.offerings {
                include(body, "service_offerings", found.iter().map(|offering| service_offerings::view(base, offering)).collect());
            }
            if let Some(wanted) = &self.broker {
                brokers_beside(db, base, body, wanted, found.iter().map(|offering| offering.broker)).await?;
            }
        }
        Ok(())
    }
}

/// Parameters of `GET /v3/service_plans/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowQuery {
    include: Option<String>,
    #[serde(rename = "fields[service_offering.service_broker]")]
    broker: Option<String>,
}

/// `GET /v3/service_plans/:guid`.
///
/// # Errors
/// 404, 400 for what cannot be included.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServicePlanGuid>,
    Query(query): Query<ShowQuery>,
) -> Result<Response> {
    let asked = asked_for(query.include.as_deref(), INCLUDES)?;
    let broker = fields::checked(BROKER, fields::split(query.broker.as_ref()), BROKER_FIELDS)?;
    let beside = Beside { places: asked.contains(&"space.organization"), offerings: asked.contains(&"service_offering"), broker };
    let mut db = controller.store.read().await?;
    let (plan, audience) = seen(&mut db, &access, guid).await?;
    let mut body = view(&base, &plan, &audience);
    beside.add(&mut db, &base, &mut body, std::slice::from_ref(&plan), &audience).await?;
    Ok(answer::ok(body))
}
