//! `fields[…]`: pieces of what a list of service instances hangs on, beside the list.

use crate::{Result, list::include};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use virga_contract::{ApiError, ErrorCode};
use virga_model::SpaceGuid;
use virga_store::{
    Connection,
    organizations::{self, OrganizationFilter},
    select::{Listing, Visible},
    service_brokers::{self, ServiceBrokerFilter},
    service_offerings::{self, ServiceOfferingFilter},
    service_plans::ServicePlanRow,
    spaces,
};

/// Parameter, the fields it may name, the kind under `included`.
struct Known {
    parameter: &'static str,
    valid: &'static [&'static str],
    included: &'static str,
}

const SPACE: Known = Known { parameter: "fields[space]", valid: &["guid", "name", "relationships.organization"], included: "spaces" };
const ORGANIZATION: Known = Known { parameter: "fields[space.organization]", valid: &["name", "guid"], included: "organizations" };
const PLAN: Known =
    Known { parameter: "fields[service_plan]", valid: &["guid", "name", "relationships.service_offering"], included: "service_plans" };
const OFFERING: Known = Known {
    parameter: "fields[service_plan.service_offering]",
    valid: &["name", "guid", "description", "documentation_url", "tags", "relationships.service_broker"],
    included: "service_offerings",
};
const BROKER: Known =
    Known { parameter: "fields[service_plan.service_offering.service_broker]", valid: &["name", "guid"], included: "service_brokers" };

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Fields {
    space: Option<Vec<String>>,
    organization: Option<Vec<String>>,
    plan: Option<Vec<String>>,
    offering: Option<Vec<String>>,
    broker: Option<Vec<String>>,
}

impl Fields {
    /// From the values of each parameter.
    ///
    /// # Errors
    /// 400 for a field that is none.
    pub fn read(values: impl Fn(&str) -> Option<Vec<String>>) -> Result<Self> {
        let one = |Known { parameter, valid, .. }: Known| -> Result<Option<Vec<String>>> {
            let asked = values(parameter);
            if asked.iter().flatten().any(|field| !valid.contains(&field.as_str())) {
                let valid: Vec<String> = valid.iter().map(|field| format!("'{field}'")).collect();
                let detail = format!("The query parameter is invalid: Fields valid values for '{parameter}' are: {}", valid.join(", "));
                return Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into());
            }
            Ok(asked)
        };
        Ok(Self { space: one(SPACE)?, organization: one(ORGANIZATION)?, plan: one(PLAN)?, offering: one(OFFERING)?, broker: one(BROKER)? })
    }

    /// Adds it to a page or a single resource: of the spaces and plans of its instances. Who sees an instance sees these.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn add<'a>(
        &self,
        db: &mut Connection,
        body: &mut Value,
        spaces: impl IntoIterator<Item = SpaceGuid>,
        plans: impl IntoIterator<Item = &'a ServicePlanRow>,
    ) -> Result<()> {
        self.add_places(db, body, spaces.into_iter().map(|space| space.to_string()).collect()).await?;
        self.add_providers(db, body, &plans.into_iter().collect::<Vec<_>>()).await
    }

    async fn add_places(&self, db: &mut Connection, body: &mut Value, of: BTreeSet<String>) -> Result<()> {
        if self.space.is_none() && self.organization.is_none() {
            return Ok(());
        }
        let found = spaces::list(db, None, None, Visible::All, &only(of)).await?.rows;
        if let Some(wanted) = &self.space {
            let piece = |space: &spaces::SpaceRow| {
                let organization = json!({ "organization": { "data": { "guid": space.organization } } });
                cut(wanted, [("guid", json!(space.guid)), ("name", json!(space.name)), ("relationships", organization)])
            };
            include(body, SPACE.included, found.iter().map(piece).collect());
        }
        if let Some(wanted) = &self.organization {
            let listing = only(found.iter().map(|space| space.organization.to_string()).collect());
            let owners = organizations::list(db, &OrganizationFilter::default(), Visible::All, &listing).await?.rows;
            let piece = |owner: &organizations::OrganizationRow| cut(wanted, [("name", json!(owner.name)), ("guid", json!(owner.guid))]);
            include(body, ORGANIZATION.included, owners.iter().map(piece).collect());
        }
        Ok(())
    }

    async fn add_providers(&self, db: &mut Connection, body: &mut Value, plans: &[&ServicePlanRow]) -> Result<()> {
        if let Some(wanted) = &self.plan {
            let piece = |plan: &&ServicePlanRow| {
                let offering = json!({ "service_offering": { "data": { "guid": plan.offering } } });
                cut(wanted, [("guid", json!(plan.guid)), ("name", json!(plan.name)), ("relationships", offering)])
            };
            include(body, PLAN.included, plans.iter().map(piece).collect());
        }
        if self.offering.is_none() && self.broker.is_none() {
            return Ok(());
        }
        let listing = only(plans.iter().map(|plan| plan.offering.to_string()).collect());
        let offerings = service_offerings::list(db, &ServiceOfferingFilter::default(), Visible::All, &listing).await?.rows;
        if let Some(wanted) = &self.offering {
            let piece = |offering: &service_offerings::ServiceOfferingRow| {
                let documentation = offering.catalog.metadata.get("documentationUrl").and_then(Value::as_str).unwrap_or_default();
                let members = [
                    ("name", json!(offering.name)),
                    ("guid", json!(offering.guid)),
                    ("description", json!(offering.description)),
                    ("documentation_url", json!(documentation)),
                    ("tags", json!(offering.catalog.tags)),
                    ("relationships", json!({ "service_broker": { "data": { "guid": offering.broker } } })),
                ];
                cut(wanted, members)
            };
            include(body, OFFERING.included, offerings.iter().map(piece).collect());
        }
        if let Some(wanted) = &self.broker {
            let listing = only(offerings.iter().map(|offering| offering.broker.to_string()).collect());
            let brokers = service_brokers::list(db, &ServiceBrokerFilter::default(), Visible::All, &listing).await?.rows;
            let piece =
                |broker: &service_brokers::ServiceBrokerRow| cut(wanted, [("name", json!(broker.name)), ("guid", json!(broker.guid))]);
            include(body, BROKER.included, brokers.iter().map(piece).collect());
        }
        Ok(())
    }
}

fn only(guids: BTreeSet<String>) -> Listing {
    Listing { guids: Some(guids.into_iter().collect()), ..Listing::everything() }
}

/// The members that were asked for.
fn cut<const N: usize>(wanted: &[String], members: [(&str, Value); N]) -> Value {
    let asked = |name: &str| wanted.iter().any(|field| field.split('.').next() == Some(name));
    Value::Object(members.into_iter().filter(|(name, _)| asked(name)).map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}
