//! Service plans, and who sees them.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::{Columns as _, micros},
    select::{Listing, Page, Select, Visible},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use std::collections::{HashMap, HashSet};
use virga_model::{OrgGuid, ServiceOfferingGuid, ServicePlanGuid, SpaceGuid, Timestamp, service::PlanVisibility};

/// One plan.
#[derive(Debug, Clone, PartialEq)]
pub struct ServicePlanRow {
    /// Its guid.
    pub guid: ServicePlanGuid,
    /// When it was first seen in a catalog.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// What it is a plan of.
    pub offering: ServiceOfferingGuid,
    /// The broker's own id of it.
    pub catalog_id: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Whether it is still in the catalog.
    pub available: bool,
    /// Whether it costs nothing.
    pub is_free: bool,
    /// Whether everybody sees it. Never of a broker that belongs to a space.
    pub is_public: bool,
    /// The rest of what the catalog says.
    pub catalog: PlanCatalog,
    /// Labels and annotations.
    pub metadata: Metadata,
}

/// What a catalog says of a plan besides its name, description and whether it is free.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanCatalog {
    /// The broker's own words for marketplaces, costs among them.
    pub metadata: Map<String, Value>,
    /// Whether instances can be bound.
    pub bindable: bool,
    /// Whether instances can leave it for another plan.
    pub plan_updateable: bool,
    /// Longest time that an operation is asked after, seconds.
    pub maximum_polling_duration: Option<u64>,
    /// `{"version": …, "description": …}`.
    pub maintenance_info: Option<Value>,
    /// JSON schemas of parameters: `{"service_instance": {"create": {"parameters": …}, …}, …}`.
    pub schemas: Value,
}

impl Record for ServicePlanRow {
    record::head!(ServicePlanGuid);
    const TABLE: &'static str = "service_plans";
    const FIXED: &'static [&'static str] = &["offering_guid", "catalog_id"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .word("offering_guid", self.offering)
            .set("catalog_id", self.catalog_id.as_str())
            .set("name", self.name.as_str())
            .set("description", self.description.as_str())
            .set("available", self.available)
            .set("is_free", self.is_free)
            .set("is_public", self.is_public)
            .json("catalog", &self.catalog)?
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            offering: row.parsed("offering_guid")?,
            catalog_id: row.text("catalog_id")?,
            name: row.text("name")?,
            description: row.text("description")?,
            available: row.flag("available")?,
            is_free: row.flag("is_free")?,
            is_public: row.flag("is_public")?,
            catalog: row.json("catalog")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(ServicePlanRow);

/// Keeps a plan as it was read until the transaction ends, so that it does not leave while an instance of it is made.
///
/// # Errors
/// [`crate::StoreError::Conflict`] when it was changed or deleted since it was read; those of the database.
pub async fn hold(db: &mut Connection, plan: &ServicePlanRow) -> Result<()> {
    record::hold(db, plan).await
}

/// The plans of an offering, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_offering(db: &mut Connection, offering: ServiceOfferingGuid) -> Result<Vec<ServicePlanRow>> {
    record::all(db, "WHERE offering_guid = $1 ORDER BY created_at, guid", [offering.to_string().into()]).await
}

/// That a user sees the plan `p` of the broker `b`: because all do, or the user's organizations, or the space of the broker.
pub(crate) const PLAN_SEEN: &str = "p.is_public = 1 OR p.guid IN (SELECT v.plan_guid FROM service_plan_visibilities v \
     JOIN roles r ON r.organization_guid = v.organization_guid WHERE r.user_guid = ?) \
     OR p.guid IN (SELECT v.plan_guid FROM service_plan_visibilities v JOIN spaces s ON s.organization_guid = v.organization_guid \
     JOIN roles r ON r.space_guid = s.guid WHERE r.user_guid = ?) \
     OR b.space_guid IN (SELECT space_guid FROM roles WHERE user_guid = ? AND space_guid IS NOT NULL)";
/// The user's guids in it.
pub(crate) const PLAN_SEEN_BINDS: usize = 3;

/// Which plans a list is to hold; guids are texts, because what callers wrote may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServicePlanFilter {
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
    /// Of these offerings.
    pub offerings: Option<Vec<String>>,
    /// Of offerings with these names.
    pub offering_names: Option<Vec<String>>,
    /// Of these instances.
    pub instances: Option<Vec<String>>,
    /// To be had in these spaces.
    pub spaces: Option<Vec<String>>,
    /// To be had in these organizations.
    pub organizations: Option<Vec<String>>,
}

/// A page of plans that the caller sees.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &ServicePlanFilter, visible: Visible, listing: &Listing) -> Result<Page<ServicePlanRow>> {
    // `p` is `t` again: `t` is what a list orders by, `p` what is asked who sees it.
    let mut select = Select::new(
        "t.*",
        "service_plans t JOIN service_plans p ON p.guid = t.guid JOIN service_offerings o ON o.guid = t.offering_guid \
         JOIN service_brokers b ON b.guid = o.broker_guid",
    );
    select
        .and_in_if("t.name", filter.names.as_deref())
        .and_in_if("t.catalog_id", filter.catalog_ids.as_deref())
        .and_in_if("o.broker_guid", filter.brokers.as_deref())
        .and_in_if("b.name", filter.broker_names.as_deref())
        .and_in_if("t.offering_guid", filter.offerings.as_deref())
        .and_in_if("o.name", filter.offering_names.as_deref())
        .and_in_if("t.available", filter.available.map(|available| [available]).as_ref().map(<[bool; 1]>::as_slice))
        .and_visible(PLAN_SEEN, visible, PLAN_SEEN_BINDS)
        .and_listing(listing);
    if let Some(instances) = &filter.instances {
        select.and_in("t.guid IN (SELECT plan_guid FROM service_instances WHERE guid", instances, ")");
    }
    for (places, condition) in [(&filter.spaces, IN_SPACES), (&filter.organizations, IN_ORGANIZATIONS)] {
        if let Some(places) = places {
            select.and_everywhere(condition, places);
        }
    }
    select.page(db, listing, ServicePlanRow::from_row).await
}

/// `{}` stands for the list of spaces.
const IN_SPACES: &str = "p.is_public = 1 OR p.guid IN (SELECT v.plan_guid FROM service_plan_visibilities v \
     JOIN spaces s ON s.organization_guid = v.organization_guid WHERE s.guid IN ({})) OR b.space_guid IN ({})";
/// `{}` stands for the list of organizations.
const IN_ORGANIZATIONS: &str = "p.is_public = 1 OR p.guid IN (SELECT v.plan_guid FROM service_plan_visibilities v \
     WHERE v.organization_guid IN ({})) OR b.space_guid IN (SELECT guid FROM spaces WHERE organization_guid IN ({}))";

/// Whether the plan can be had in a space.
///
/// # Errors
/// Those of the database.
pub async fn is_in_space(db: &mut Connection, plan: ServicePlanGuid, space: SpaceGuid) -> Result<bool> {
    let filter = ServicePlanFilter { spaces: Some(vec![space.to_string()]), ..ServicePlanFilter::default() };
    let listing = Listing { guids: Some(vec![plan.to_string()]), ..Listing::everything() };
    Ok(!list(db, &filter, Visible::All, &listing).await?.rows.is_empty())
}

/// Who sees these plans, where they are not public: the space of the broker, or organizations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    spaces: HashMap<ServicePlanGuid, SpaceGuid>,
    restricted: HashSet<ServicePlanGuid>,
}

impl Audience {
    /// The space of the plan's broker.
    #[must_use]
    pub fn space(&self, plan: &ServicePlanRow) -> Option<SpaceGuid> {
        self.spaces.get(&plan.guid).copied()
    }

    /// The word for it.
    #[must_use]
    pub fn of(&self, plan: &ServicePlanRow) -> PlanVisibility {
        if plan.is_public {
            PlanVisibility::Public
        } else if self.spaces.contains_key(&plan.guid) {
            PlanVisibility::Space
        } else if self.restricted.contains(&plan.guid) {
            PlanVisibility::Organization
        } else {
            PlanVisibility::Admin
        }
    }
}

/// Plans of one statement.
const CHUNK: usize = 200;

/// Who sees these plans.
///
/// # Errors
/// Those of the database.
pub async fn audience(db: &mut Connection, plans: &[ServicePlanRow]) -> Result<Audience> {
    let mut audience = Audience::default();
    for chunk in plans.chunks(CHUNK) {
        let guids: Vec<String> = chunk.iter().map(|plan| plan.guid.to_string()).collect();
        let mut select = Select::new("v.plan_guid", "service_plan_visibilities v");
        select.and_in("v.plan_guid", &guids, "");
        let restricted: Vec<ServicePlanGuid> = select.all(db, "v.plan_guid", |row| row.parsed("plan_guid")).await?;
        audience.restricted.extend(restricted);
        let mut select = Select::new(
            "t.guid, b.space_guid",
            "service_plans t JOIN service_offerings o ON o.guid = t.offering_guid JOIN service_brokers b ON b.guid = o.broker_guid",
        );
        select.and_in("t.guid", &guids, "").and("b.space_guid IS NOT NULL", []);
        let spaces: Vec<(ServicePlanGuid, SpaceGuid)> =
            select.all(db, "t.guid", |row| Ok((row.parsed("guid")?, row.parsed("space_guid")?))).await?;
        audience.spaces.extend(spaces);
    }
    Ok(audience)
}

/// The organizations that see a plan, of those that the caller sees, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn organizations(db: &mut Connection, plan: ServicePlanGuid, visible: Visible) -> Result<Vec<(OrgGuid, String)>> {
    let mut select = Select::new("t.guid, t.name", "organizations t JOIN service_plan_visibilities v ON v.organization_guid = t.guid");
    select.and("v.plan_guid = ?", [plan.to_string().into()]).and_organization_visible("t.guid", visible);
    select.all(db, "t.created_at, t.guid", |row| Ok((row.parsed("guid")?, row.text("name")?))).await
}

/// Shows a plan to an organization. False where it was shown already.
///
/// # Errors
/// Those of the database.
pub async fn show_to(db: &mut Connection, plan: ServicePlanGuid, organization: OrgGuid, now: Timestamp) -> Result<bool> {
    let query = sqlx::query(
        "INSERT INTO service_plan_visibilities (plan_guid, organization_guid, created_at) VALUES ($1, $2, $3) \
         ON CONFLICT (plan_guid, organization_guid) DO NOTHING",
    );
    let done = query.bind(plan.to_string()).bind(organization.to_string()).bind(micros(now)).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Hides a plan from an organization. False where it was hidden already.
///
/// # Errors
/// Those of the database.
pub async fn hide_from(db: &mut Connection, plan: ServicePlanGuid, organization: OrgGuid) -> Result<bool> {
    let query = sqlx::query("DELETE FROM service_plan_visibilities WHERE plan_guid = $1 AND organization_guid = $2");
    Ok(query.bind(plan.to_string()).bind(organization.to_string()).execute(db).await?.rows_affected() > 0)
}

/// Hides a plan from every organization that it was shown to.
///
/// # Errors
/// Those of the database.
pub async fn hide_from_all(db: &mut Connection, plan: ServicePlanGuid) -> Result<()> {
    sqlx::query("DELETE FROM service_plan_visibilities WHERE plan_guid = $1").bind(plan.to_string()).execute(db).await?;
    Ok(())
}

/// Forgets what an organization was shown, when it goes.
///
/// # Errors
/// Those of the database.
pub async fn forget_organization(db: &mut Connection, organization: OrgGuid) -> Result<()> {
    let query = sqlx::query("DELETE FROM service_plan_visibilities WHERE organization_guid = $1");
    query.bind(organization.to_string()).execute(db).await?;
    Ok(())
}
