//! Routes: host and path of a domain, or a port of a TCP domain.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::{Columns as _, json},
    select::{Listing, Page, Select, Visible},
};
use serde_json::Value;
use sqlx::any::AnyRow;
use std::collections::BTreeSet;
use virga_model::{DomainGuid, OrgGuid, RouteGuid, SpaceGuid, Timestamp};

/// One route, with the name of its domain.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteRow {
    /// Its guid.
    pub guid: RouteGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Whose it is.
    pub space: SpaceGuid,
    /// Below which domain.
    pub domain: DomainGuid,
    /// Name of that domain; read only.
    pub domain_name: String,
    /// Lower case; empty for the domain itself, `*` for every host.
    pub host: String,
    /// Empty, or `/…`.
    pub path: String,
    /// Of a TCP route; no two have the same.
    pub port: Option<u16>,
    /// Per-route options.
    pub options: Option<Value>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

const COLUMNS: &str = "t.*, d.name AS domain_name";
const FROM: &str = "routes t JOIN domains d ON d.guid = t.domain_guid";

impl Record for RouteRow {
    record::head!(RouteGuid);
    const TABLE: &'static str = "routes";
    const FIXED: &'static [&'static str] = &["domain_guid", "host", "path", "port"];

    fn values(&self) -> Result<Values> {
        let options = self.options.as_ref().map(|options| json("options", options)).transpose()?;
        Values::new()
            .word("space_guid", self.space)
            .word("domain_guid", self.domain)
            .set("host", self.host.as_str())
            .set("path", self.path.as_str())
            .set("port", i64::from(self.port.unwrap_or(0)))
            .set("options", options)
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            space: row.parsed("space_guid")?,
            domain: row.parsed("domain_guid")?,
            domain_name: row.text("domain_name")?,
            host: row.text("host")?,
            path: row.text("path")?,
            port: row.opt_count("port")?.filter(|port| *port > 0),
            options: row.opt_json("options")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

impl RouteRow {
    /// `host.domain/path` or `domain:port`, as users write it.
    #[must_use]
    pub fn url(&self) -> String {
        if let Some(port) = self.port {
            return format!("{}:{port}", self.domain_name);
        }
        match self.host.as_str() {
            "" => format!("{}{}", self.domain_name, self.path),
            host => format!("{host}.{}{}", self.domain_name, self.path),
        }
    }
}

/// Writes a new route.
///
/// # Errors
/// [`crate::StoreError::Unique`] by what the table's constraints say; those of the database.
pub async fn insert(db: &mut Connection, route: &RouteRow) -> Result<()> {
    record::insert(db, route).await
}

/// Writes a route's space, options and metadata, and sets its `updated_at` to `now` or later; host, path and domain never change.
///
/// # Errors
/// [`crate::StoreError::Conflict`] when it was changed or deleted since it was read; those of the database.
pub async fn update(db: &mut Connection, route: &mut RouteRow, now: Timestamp) -> Result<()> {
    record::update(db, route, now).await
}

/// Deletes a route with its destinations; false when there was none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, guid: RouteGuid) -> Result<bool> {
    record::delete::<RouteRow>(db, guid).await
}

/// Keeps everybody else who asks for it from changing a route's destinations until the end of the transaction.
///
/// # Errors
/// Those of the database.
pub async fn lock(db: &mut Connection, guid: RouteGuid) -> Result<()> {
    sqlx::query("UPDATE routes SET updated_at = updated_at WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(())
}

async fn first(db: &mut Connection, select: &Select) -> Result<Option<RouteRow>> {
    Ok(select.all(db, "t.created_at, t.guid", RouteRow::from_row).await?.into_iter().next())
}

/// One route.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: RouteGuid) -> Result<Option<RouteRow>> {
    let mut select = Select::new(COLUMNS, FROM);
    select.and("t.guid = ?", [guid.to_string().into()]);
    first(db, &select).await
}

/// The route of this host and path, or of this port, below a domain.
///
/// # Errors
/// Those of the database.
pub async fn find_at(db: &mut Connection, domain: DomainGuid, host: &str, path: &str, port: Option<u16>) -> Result<Option<RouteRow>> {
    let mut select = Select::new(COLUMNS, FROM);
    select.and("t.domain_guid = ? AND t.host = ? AND t.path = ?", [domain.to_string().into(), host.into(), path.into()]);
    select.and("t.port = ?", [i64::from(port.unwrap_or(0)).into()]);
    first(db, &select).await
}

/// The ports that routes have, in order.
///
/// # Errors
/// Those of the database.
pub async fn list_ports(db: &mut Connection) -> Result<BTreeSet<u16>> {
    let rows = sqlx::query("SELECT port FROM routes WHERE port > 0").fetch_all(db).await?;
    rows.iter().map(|row| row.count("port")).collect()
}

/// Whether a space other than `space` has a route of this host below a domain, whatever its path.
///
/// # Errors
/// Those of the database.
pub async fn is_host_elsewhere(db: &mut Connection, domain: DomainGuid, host: &str, space: SpaceGuid) -> Result<bool> {
    let query = sqlx::query("SELECT guid FROM routes WHERE domain_guid = $1 AND host = $2 AND port = 0 AND space_guid <> $3 LIMIT 1");
    Ok(query.bind(domain.to_string()).bind(host.to_owned()).bind(space.to_string()).fetch_optional(db).await?.is_some())
}

/// Whether an organization's spaces have routes below a domain.
///
/// # Errors
/// Those of the database.
pub async fn has_organization(db: &mut Connection, domain: DomainGuid, organization: OrgGuid) -> Result<bool> {
    let sql = "SELECT r.guid FROM routes r JOIN spaces s ON s.guid = r.space_guid \
               WHERE r.domain_guid = $1 AND s.organization_guid = $2 LIMIT 1";
    Ok(sqlx::query(sql).bind(domain.to_string()).bind(organization.to_string()).fetch_optional(db).await?.is_some())
}

/// Whether a space is the route's own or the route is shared with it.
///
/// # Errors
/// Those of the database.
pub async fn is_available_in(db: &mut Connection, route: &RouteRow, space: SpaceGuid) -> Result<bool> {
    if route.space == space {
        return Ok(true);
    }
    let query = sqlx::query("SELECT route_guid FROM route_shares WHERE route_guid = $1 AND space_guid = $2");
    Ok(query.bind(route.guid.to_string()).bind(space.to_string()).fetch_optional(db).await?.is_some())
}

/// The routes of a space; with `unmapped`, only those that lead nowhere.
///
/// # Errors
/// Those of the database.
pub async fn list_of_space(db: &mut Connection, space: SpaceGuid, unmapped: bool) -> Result<Vec<RouteRow>> {
    let mut select = Select::new(COLUMNS, FROM);
    select.and("t.space_guid = ?", [space.to_string().into()]);
    if unmapped {
        select.and("NOT EXISTS (SELECT 1 FROM route_destinations x WHERE x.route_guid = t.guid)", []);
    }
    select.all(db, "t.created_at, t.guid", RouteRow::from_row).await
}

/// The routes below a domain.
///
/// # Errors
/// Those of the database.
pub async fn list_of_domain(db: &mut Connection, domain: DomainGuid) -> Result<Vec<RouteRow>> {
    let mut select = Select::new(COLUMNS, FROM);
    select.and("t.domain_guid = ?", [domain.to_string().into()]);
    select.all(db, "t.created_at, t.guid", RouteRow::from_row).await
}

/// How many routes an organization has.
///
/// # Errors
/// Those of the database.
pub async fn count_in_organization(db: &mut Connection, organization: OrgGuid) -> Result<u64> {
    let mut select = Select::new(COLUMNS, FROM);
    select.and("t.space_guid IN (SELECT guid FROM spaces WHERE organization_guid = ?)", [organization.to_string().into()]);
    select.count(db).await
}

/// Which routes a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteFilter {
    /// Of these hosts.
    pub hosts: Option<Vec<String>>,
    /// Of these paths.
    pub paths: Option<Vec<String>>,
    /// Below these domains.
    pub domains: Option<Vec<String>>,
    /// That lead to these apps.
    pub apps: Option<Vec<String>>,
    /// Of these ports; 0 for HTTP routes.
    pub ports: Option<Vec<i64>>,
    /// In these spaces, or shared with them.
    pub spaces: Option<Vec<String>>,
    /// In these organizations.
    pub organizations: Option<Vec<String>>,
}

/// A page of routes: to a user, those of the spaces whose routes they see, and those shared with such a space.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &RouteFilter, visible: Visible, listing: &Listing) -> Result<Page<RouteRow>> {
    let mut select = Select::new(COLUMNS, FROM);
    select
        .and_in_if("t.host", filter.hosts.as_deref())
        .and_in_if("t.path", filter.paths.as_deref())
        .and_in_if("t.port", filter.ports.as_deref())
        .and_in_if("t.domain_guid", filter.domains.as_deref())
        .and_in_organizations_if("t.space_guid", filter.organizations.as_deref())
        .and_listing(listing);
    let seen = "SELECT space_guid FROM roles WHERE user_guid = ? AND space_guid IS NOT NULL \
                UNION SELECT s.guid FROM roles r JOIN spaces s ON s.organization_guid = r.organization_guid \
                WHERE r.user_guid = ? AND r.type IN ('organization_manager', 'organization_auditor')";
    let seen = format!("t.space_guid IN ({seen}) OR t.guid IN (SELECT route_guid FROM route_shares WHERE space_guid IN ({seen}))");
    select.and_visible(&seen, visible, 4);
    if let Some(spaces) = &filter.spaces {
        let marks = vec!["?"; spaces.len()].join(", ");
        let condition =
            format!("t.space_guid IN ({marks}) OR t.guid IN (SELECT route_guid FROM route_shares WHERE space_guid IN ({marks}))");
        let condition = if spaces.is_empty() { "1 = 0" } else { &condition };
        select.and(condition, spaces.iter().chain(spaces).map(|guid| guid.as_str().into()));
    }
    if let Some(apps) = &filter.apps {
        select.and_in("t.guid IN (SELECT route_guid FROM route_destinations WHERE app_guid", apps, ")");
    }
    select.page(db, listing, RouteRow::from_row).await
}
