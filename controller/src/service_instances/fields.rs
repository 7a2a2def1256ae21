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
    spaces,
};

/// Parameter, the fields it may name, the kind under `included`.
type Known = (&'static str, &'static [&'static str], &'static str);

const SPACE: Known = ("fields[space]", &["guid", "name", "relationships.organization"], "spaces");
const ORGANIZATION: Known = ("fields[space.organization]", &["name", "guid"], "organizations");
/// Of what brokers offer; user-provided instances have none of it.
const OF_BROKERS: &[Known] = &[
    ("fields[service_plan]", &["guid", "name", "relationships.service_offering"], "service_plans"),
    (
        "fields[service_plan.service_offering]",
        &["name", "guid", "description", "documentation_url", "tags", "relationships.service_broker"],
        "service_offerings",
    ),
    ("fields[service_plan.service_offering.service_broker]", &["name", "guid"], "service_brokers"),
];

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Fields {
    space: Option<Vec<String>>,
    organization: Option<Vec<String>>,
    of_brokers: Vec<&'static str>,
}

impl Fields {
    /// From the values of each parameter.
    ///
    /// # Errors
    /// 400 for a field that is none.
    pub fn read(values: impl Fn(&str) -> Option<Vec<String>>) -> Result<Self> {
        let one = |(parameter, valid, _): Known| -> Result<Option<Vec<String>>> {
            let asked = values(parameter);
            if asked.iter().flatten().any(|field| !valid.contains(&field.as_str())) {
                let valid: Vec<String> = valid.iter().map(|field| format!("'{field}'")).collect();
                let detail = format!("The query parameter is invalid: Fields valid values for '{parameter}' are: {}", valid.join(", "));
                return Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into());
            }
            Ok(asked)
        };
        let mut of_brokers = Vec::new();
        for known in OF_BROKERS {
            of_brokers.extend(one(*known)?.map(|_| known.2));
        }
        Ok(Self { space: one(SPACE)?, organization: one(ORGANIZATION)?, of_brokers })
    }

    /// Adds it to a page or a single resource.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn add(&self, db: &mut Connection, body: &mut Value, of: impl IntoIterator<Item = SpaceGuid>) -> Result<()> {
        for kind in &self.of_brokers {
            include(body, kind, Vec::new());
        }
        if self.space.is_none() && self.organization.is_none() {
            return Ok(());
        }
        // Who sees an instance sees its space and organization.
        let only = |guids: BTreeSet<String>| Listing { guids: Some(guids.into_iter().collect()), ..Listing::everything() };
        let listing = only(of.into_iter().map(|space| space.to_string()).collect());
        let found = spaces::list(db, None, None, Visible::All, &listing).await?.rows;
        if let Some(wanted) = &self.space {
            let piece = |space: &spaces::SpaceRow| {
                let organization = json!({ "organization": { "data": { "guid": space.organization } } });
                cut(wanted, [("guid", json!(space.guid)), ("name", json!(space.name)), ("relationships", organization)])
            };
            include(body, SPACE.2, found.iter().map(piece).collect());
        }
        if let Some(wanted) = &self.organization {
            let listing = only(found.iter().map(|space| space.organization.to_string()).collect());
            let owners = organizations::list(db, &OrganizationFilter::default(), Visible::All, &listing).await?.rows;
            let piece = |owner: &organizations::OrganizationRow| {
                cut(wanted, [("name", json!(owner.name)), ("guid", json!(owner.guid)), ("relationships", Value::Null)])
            };
            include(body, ORGANIZATION.2, owners.iter().map(piece).collect());
        }
        Ok(())
    }
}

/// The members that were asked for.
fn cut(wanted: &[String], members: [(&str, Value); 3]) -> Value {
    let asked = |name: &str| wanted.iter().any(|field| field.split('.').next() == Some(name));
    Value::Object(members.into_iter().filter(|(name, _)| asked(name)).map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}
