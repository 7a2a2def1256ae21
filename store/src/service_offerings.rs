//! Service offerings: what brokers have in their catalogs.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
    service_plans::{PLAN_SEEN, PLAN_SEEN_BINDS},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use virga_model::{ServiceBrokerGuid, ServiceOfferingGuid, Timestamp};

/// One offering.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceOfferingRow {
    /// Its guid.
    pub guid: ServiceOfferingGuid,
    /// When it was first seen in a catalog.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Who offers it.
    pub broker: ServiceBrokerGuid,
    /// The broker's own id of it.
    pub catalog_id: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Whether it is still in the catalog.
    pub available: bool,
    /// The rest of what the catalog says.
    pub catalog: OfferingCatalog,
    /// Labels and annotations.
    pub metadata: Metadata,
}

/// What a catalog says of an offering besides its name and description.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OfferingCatalog {
    /// Words by which frameworks recognise it.
    pub tags: Vec<String>,
    /// Permissions it needs: `syslog_drain`, `route_forwarding`, `volume_mount`.
    pub requires: Vec<String>,
    /// The broker's own words for marketplaces.
    pub metadata: Map<String, Value>,
    /// Whether instances can be bound.
    pub bindable: bool,
    /// Whether instances can change their plan.
    pub plan_updateable: bool,
    /// Whether the broker tells of instances.
    pub instances_retrievable: bool,
    /// Whether the broker tells of bindings.
    pub bindings_retrievable: bool,
    /// Whether the broker wants to know of new names.
    pub allow_context_updates: bool,
}

impl Record for ServiceOfferingRow {
    record::head!(ServiceOfferingGuid);
    const TABLE: &'static str = "service_offerings";
    const FIXED: &'static [&'static str] = &["broker_guid", "catalog_id"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .word("broker_guid", self.broker)
            .set("catalog_id", self.catalog_id.as_str())
            .set("name", self.name.as_str())
            .set("description", self.description.as_str())
            .set("available", self.available)
            .json("catalog", &self.catalog)?
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            broker: row.parsed("broker_guid")?,
            catalog_id: row.text("catalog_id")?,
            name: row.text("name")?,
            description: row.text("description")?,
            available: row.flag("available")?,
            catalog: row.json("catalog")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(ServiceOfferingRow);

/// The offerings of a broker, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_broker(db: &mut Connection, broker: ServiceBrokerGuid) -> Result<Vec<ServiceOfferingRow>> {
    record::all(db, "WHERE broker_guid = $1 ORDER BY created_at, guid", [broker.to_string().into()]).await
}

/// Which offerings a list is to hold; guids are texts, because what callers wrote may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceOfferingFilter {
    /// Of these names.
    pub names: Option<Vec<String>>,
    /// Still in the catalog, or no more.
    pub available: Option<bool>,
    /// With these ids of brokers.
    pub catalog_ids: Option<Vec<String>>,
    /// Of these brokers.
    pub brokers: Option<Vec<String>>,
    /// Of brokers with these names.
    pub broker_names: Option<Vec<String>>,
    /// To be had in these spaces.
    pub spaces: Option<Vec<String>>,
    /// To be had in these organizations.
    pub organizations: Option<Vec<String>>,
}

/// A page of offerings: to a user, those with a plan that the user sees.
///
/// # Errors
/// Those of the database.
pub async fn list(
    db: &mut Connection,
    filter: &ServiceOfferingFilter,
    visible: Visible,
    listing: &Listing,
) -> Result<Page<ServiceOfferingRow>> {
    let mut select = Select::new("t.*", "service_offerings t JOIN service_brokers b ON b.guid = t.broker_guid");
    select
        .and_in_if("t.name", filter.names.as_deref())
        .and_in_if("t.catalog_id", filter.catalog_ids.as_deref())
        .and_in_if("t.broker_guid", filter.brokers.as_deref())
        .and_in_if("b.name", filter.broker_names.as_deref())
        .and_in_if("t.available", filter.available.map(|available| [available]).as_ref().map(<[bool; 1]>::as_slice))
        .and_listing(listing);
    let with_plan = |condition: &str| format!("t.guid IN (SELECT p.offering_guid FROM service_plans p WHERE {condition})");
    select.and_visible(&with_plan(PLAN_SEEN), visible, PLAN_SEEN_BINDS);
    for (places, condition) in [(&filter.spaces, OFFERED_IN_SPACES), (&filter.organizations, OFFERED_IN_ORGANIZATIONS)] {
        if let Some(places) = places {
            select.and_everywhere(condition, places);
        }
    }
    select.page(db, listing, ServiceOfferingRow::from_row).await
}

/// `{}` stands for the list of spaces.
const OFFERED_IN_SPACES: &str = "t.guid IN (SELECT p.offering_guid FROM service_plans p WHERE p.is_public = 1 OR p.guid IN \
     (SELECT v.plan_guid FROM service_plan_visibilities v JOIN spaces s ON s.organization_guid = v.organization_guid \
      WHERE s.guid IN ({}))) OR b.space_guid IN ({})";
/// `{}` stands for the list of organizations.
const OFFERED_IN_ORGANIZATIONS: &str = "t.guid IN (SELECT p.offering_guid FROM service_plans p WHERE p.is_public = 1 OR p.guid IN \
     (SELECT v.plan_guid FROM service_plan_visibilities v WHERE v.organization_guid IN ({}))) \
     OR b.space_guid IN (SELECT guid FROM spaces WHERE organization_guid IN ({}))";
