//! Domains: shared (of everybody) and private (of one organization).

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{DomainGuid, OrgGuid, Timestamp};

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
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for DomainRow {
    record::head!(DomainGuid);
    const TABLE: &'static str = "domains";
    const FIXED: &'static [&'static str] = &["name", "internal", "organization_guid"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .set("name", self.name.as_str())
            .set("internal", self.internal)
            .opt_word("organization_guid", self.organization)
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

/// A shared domain that ends in `.<name>`, or a private one of another organization that `name` ends in; such a name is
/// not free for `organization`.
///
/// # Errors
/// Those of the database.
pub async fn overlapping(db: &mut Connection, name: &str, organization: Option<OrgGuid>) -> Result<Option<DomainRow>> {
    // Every parent of the name: a.b.c -> b.c, c.
    let parents: Vec<String> = name.match_indices('.').filter_map(|(at, _)| name.get(at + 1..)).map(str::to_owned).collect();
    let mut select = Select::new("t.*", "domains t");
    select.and_in("t.name", &parents, "").and("t.organization_guid IS NOT NULL", []);
    if let Some(organization) = organization {
        select.and("t.organization_guid <> ?", [organization.to_string().into()]);
    }
    Ok(select.all(db, "t.created_at, t.guid", DomainRow::from_row).await?.into_iter().next())
}

/// The domain an app gets a route of when none is asked for: the oldest shared one that is not internal, else the oldest
/// private one of the organization.
///
/// # Errors
/// Those of the database.
pub async fn default_of(db: &mut Connection, organization: OrgGuid) -> Result<Option<DomainRow>> {
    let rest = "WHERE internal = 0 AND (organization_guid IS NULL OR organization_guid = $1) \
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

/// A page of domains: to a user, the shared ones and those of the organizations they see. `usable_in` keeps what an
/// organization may use.
///
/// # Errors
/// Those of the database.
pub async fn list(
    db: &mut Connection,
    names: Option<&[String]>,
    organizations: Option<&[String]>,
    usable_in: Option<OrgGuid>,
    visible: Visible,
    listing: &Listing,
) -> Result<Page<DomainRow>> {
    let mut select = Select::new("t.*", "domains t");
    select.and_in_if("t.name", names).and_in_if("t.organization_guid", organizations).and_listing(listing);
    if let Some(organization) = usable_in {
        select.and("t.organization_guid IS NULL OR t.organization_guid = ?", [organization.to_string().into()]);
    }
    let seen = "t.organization_guid IS NULL OR t.organization_guid IN \
                (SELECT organization_guid FROM roles WHERE user_guid = ? AND organization_guid IS NOT NULL)";
    select.and_visible(seen, visible, 1);
    select.page(db, listing, DomainRow::from_row).await
}
