//! Domains: shared (of everybody) and private (of one organization).

use crate::{
    Connection, Result,
    metadata::{Metadata, index_labels},
    row::{Columns as _, micros, truth},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
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

impl DomainRow {
    /// From a row with every column.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
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

/// Writes a new domain.
///
/// # Errors
/// [`crate::StoreError::Unique`] `domains_name`; those of the database.
pub async fn insert(db: &mut Connection, domain: &DomainRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO domains (guid, created_at, updated_at, name, internal, organization_guid, labels, annotations) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(domain.guid.to_string())
    .bind(micros(domain.created_at))
    .bind(micros(domain.updated_at))
    .bind(domain.name.clone())
    .bind(truth(domain.internal))
    .bind(domain.organization.map(|guid| guid.to_string()))
    .bind(domain.metadata.labels_json()?)
    .bind(domain.metadata.annotations_json()?)
    .execute(&mut *db)
    .await?;
    index_labels(db, &domain.guid.to_string(), &domain.metadata.labels).await
}

/// Writes a domain's metadata.
///
/// # Errors
/// Those of the database.
pub async fn save_metadata(db: &mut Connection, domain: &DomainRow) -> Result<()> {
    sqlx::query("UPDATE domains SET updated_at = $1, labels = $2, annotations = $3 WHERE guid = $4")
        .bind(micros(domain.updated_at))
        .bind(domain.metadata.labels_json()?)
        .bind(domain.metadata.annotations_json()?)
        .bind(domain.guid.to_string())
        .execute(&mut *db)
        .await?;
    index_labels(db, &domain.guid.to_string(), &domain.metadata.labels).await
}

/// One domain.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: DomainGuid) -> Result<Option<DomainRow>> {
    let row = sqlx::query("SELECT * FROM domains WHERE guid = $1").bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(DomainRow::from_row).transpose()
}

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
    let query = "SELECT * FROM domains WHERE internal = 0 AND (organization_guid IS NULL OR organization_guid = $1) \
                 ORDER BY CASE WHEN organization_guid IS NULL THEN 0 ELSE 1 END, created_at, guid LIMIT 1";
    sqlx::query(query).bind(organization.to_string()).fetch_optional(db).await?.as_ref().map(DomainRow::from_row).transpose()
}

/// Deletes a domain; its routes must be gone. False when there was none.
///
/// # Errors
/// [`crate::StoreError::Reference`] while routes have it; those of the database.
pub async fn delete(db: &mut Connection, guid: DomainGuid) -> Result<bool> {
    index_labels(db, &guid.to_string(), &BTreeMap::new()).await?;
    let done = sqlx::query("DELETE FROM domains WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// The private domains of an organization.
///
/// # Errors
/// Those of the database.
pub async fn private_of(db: &mut Connection, organization: OrgGuid) -> Result<Vec<DomainRow>> {
    let query = sqlx::query("SELECT * FROM domains WHERE organization_guid = $1 ORDER BY created_at, guid");
    query.bind(organization.to_string()).fetch_all(db).await?.iter().map(DomainRow::from_row).collect()
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
