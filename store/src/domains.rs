//! Domains: shared (of everybody) and private (of one organization, which may let others use them).

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{DomainGuid, OrgGuid, RouterGroupGuid, Timestamp};

/// One domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRow {
    /// Its guid.
    pub guid: DomainGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Unique, lower case.
    pub name: String,
    /// Whether only apps reach it.
    pub internal: bool,
    /// Whose it is; shared without.
    pub organization: Option<OrgGuid>,
    /// Of a TCP domain, where its routes get their ports.
    pub router_group: Option<RouterGroupGuid>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for DomainRow {
    record::head!(DomainGuid);
    const TABLE: &'static str = "domains";
    const FIXED: &'static [&'static str] = &["name", "internal", "organization_guid", "router_group_guid"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .set("name", self.name.as_str())
            .set("internal", self.internal)
            .opt_word("organization_guid", self.organization)
            .opt_word("router_group_guid", self.router_group)
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            internal: row.flag("internal")?,
            organization: row.opt_parsed("organization_guid")?,
            router_group: row.opt_parsed("router_group_guid")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(DomainRow);

/// The domains of these names.
///
/// # Errors
/// Those of the database.
pub async fn find_by_names(db: &mut Connection, names: &[String]) -> Result<Vec<DomainRow>> {
    let mut select = Select::new("t.*", "domains t");
    select.and_in("t.name", names, "");
    select.all(db, "t.created_at, t.guid", DomainRow::from_row).await
}

/// Every parent of a name: of `a.b.c`, `b.c` and `c`.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').filter_map(|(at, _)| name.get(at + 1..))
}

/// The domain that keeps `organization` (or, without one, everybody) from having `name`: a private one of another
/// organization above it, or, for a private domain, anybody else's below it.
///
/// # Errors
/// Those of the database.
pub async fn overlapping(db: &mut Connection, name: &str, organization: Option<OrgGuid>) -> Result<Option<DomainRow>> {
    let above: Vec<&str> = parents(name).collect();
    let mut select = Select::new("t.*", "domains t");
    select.and_in("t.name", &above, "").and("t.organization_guid IS NOT NULL", []);
    if let Some(organization) = organization {
        select.and("t.organization_guid <> ?", [organization.to_string().into()]);
    }
    if let Some(found) = select.all(db, "t.created_at, t.guid", DomainRow::from_row).await?.into_iter().next() {
        return Ok(Some(found));
    }
    let Some(organization) = organization else { return Ok(None) };
    let mut select = Select::new("t.*", "domains t");
    // A name of a domain has neither of LIKE's signs.
    select.and("t.name LIKE ?", [format!("%.{name}").into()]);
    select.and("t.organization_guid IS NULL OR t.organization_guid <> ?", [organization.to_string().into()]);
    Ok(select.all(db, "t.created_at, t.guid", DomainRow::from_row).await?.into_iter().next())
}

/// The first route (`host.domain`) whose own name is this one or one above it.
///
/// # Errors
/// Those of the database.
pub async fn route_over(db: &mut Connection, name: &str) -> Result<Option<String>> {
    for name in std::iter::once(name).chain(parents(name)) {
        let Some((host, domain)) = name.split_once('.') else { continue };
        let sql = "SELECT r.guid FROM routes r JOIN domains d ON d.guid = r.domain_guid WHERE d.name = $1 AND r.host = $2 LIMIT 1";
        if sqlx::query(sql).bind(domain.to_owned()).bind(host.to_owned()).fetch_optional(&mut *db).await?.is_some() {
            return Ok(Some(name.to_owned()));
        }
    }
    Ok(None)
}

/// The domain an app gets a route of when none is asked for: the oldest shared one of the HTTP router, else the oldest
/// private one that the organization may use.
///
/// # Errors
/// Those of the database.
pub async fn default_of(db: &mut Connection, organization: OrgGuid) -> Result<Option<DomainRow>> {
    let rest = "WHERE internal = 0 AND router_group_guid IS NULL AND (organization_guid IS NULL OR organization_guid = $1 \
                 OR guid IN (SELECT domain_guid FROM domain_shares WHERE organization_guid = $1)) \
                 ORDER BY CASE WHEN organization_guid IS NULL THEN 0 ELSE 1 END, created_at, guid LIMIT 1";
    record::first(db, rest, [organization.to_string().into()]).await
}

/// The private domains of an organization.
///
/// # Errors
/// Those of the database.
pub async fn private_of(db: &mut Connection, organization: OrgGuid) -> Result<Vec<DomainRow>> {
    record::all(db, "WHERE organization_guid = $1 ORDER BY created_at, guid", [organization.to_string().into()]).await
}

/// Whether an organization may have routes below a domain: a shared one, its own, or one shared with it.
///
/// # Errors
/// Those of the database.
pub async fn is_usable_by(db: &mut Connection, domain: &DomainRow, organization: OrgGuid) -> Result<bool> {
    match domain.organization {
        None => Ok(true),
        Some(owner) if owner == organization => Ok(true),
        Some(_) => crate::domain_shares::is_shared(db, domain.guid, organization).await,
    }
}

/// Which domains a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DomainFilter {
    /// Of these names.
    pub names: Option<Vec<String>>,
    /// Of these organizations themselves.
    pub organizations: Option<Vec<String>>,
    /// That this organization may use.
    pub usable_in: Option<OrgGuid>,
}

/// A page of domains: to a user, the shared ones, those of organizations in which they are manager, auditor or have a
/// role in a space, and those shared with such an organization.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &DomainFilter, visible: Visible, listing: &Listing) -> Result<Page<DomainRow>> {
    const SEEN: &str = "SELECT organization_guid FROM roles WHERE user_guid = ? AND type IN ('organization_manager', 'organization_auditor') \
                        UNION SELECT s.organization_guid FROM roles r JOIN spaces s ON s.guid = r.space_guid WHERE r.user_guid = ?";
    let mut select = Select::new("t.*", "domains t");
    select
        .and_in_if("t.name", filter.names.as_deref())
        .and_in_if("t.organization_guid", filter.organizations.as_deref())
        .and_listing(listing);
    if let Some(organization) = filter.usable_in {
        let usable = "t.organization_guid IS NULL OR t.organization_guid = ? \
                      OR t.guid IN (SELECT domain_guid FROM domain_shares WHERE organization_guid = ?)";
        select.and(usable, [organization.to_string().into(), organization.to_string().into()]);
    }
    let seen = format!(
        "t.organization_guid IS NULL OR t.organization_guid IN ({SEEN}) \
         OR t.guid IN (SELECT domain_guid FROM domain_shares WHERE organization_guid IN ({SEEN}))"
    );
    select.and_visible(&seen, visible, 4);
    select.page(db, listing, DomainRow::from_row).await
}

/// Keeps everybody else who asks for it from going on below a domain until the end of the transaction.
///
/// # Errors
/// Those of the database.
pub async fn lock(db: &mut Connection, guid: DomainGuid) -> Result<()> {
    sqlx::query("UPDATE domains SET updated_at = updated_at WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(())
}
