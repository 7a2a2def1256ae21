//! Organizations that may use a private domain besides the one that owns it.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
    select::{Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{DomainGuid, OrgGuid, Timestamp};

/// Shares a domain with an organization; once more does nothing more.
///
/// # Errors
/// [`crate::StoreError::Reference`] where either is not there; those of the database.
pub async fn insert(db: &mut Connection, domain: DomainGuid, organization: OrgGuid, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO domain_shares (domain_guid, organization_guid, created_at) VALUES ($1, $2, $3) \
               ON CONFLICT (domain_guid, organization_guid) DO NOTHING";
    sqlx::query(sql).bind(domain.to_string()).bind(organization.to_string()).bind(micros(now)).execute(db).await?;
    Ok(())
}

/// Ends it; false when it was not shared.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, domain: DomainGuid, organization: OrgGuid) -> Result<bool> {
    let query = sqlx::query("DELETE FROM domain_shares WHERE domain_guid = $1 AND organization_guid = $2");
    Ok(query.bind(domain.to_string()).bind(organization.to_string()).execute(db).await?.rows_affected() > 0)
}

/// With which organizations these domains are shared; to a user, those they have a role in.
///
/// # Errors
/// Those of the database.
pub async fn list_of_domains(db: &mut Connection, domains: &[DomainGuid], visible: Visible) -> Result<Vec<(DomainGuid, OrgGuid)>> {
    let guids: Vec<String> = domains.iter().map(ToString::to_string).collect();
    let mut all = Vec::new();
    // One statement takes a few thousand values at most; a page has up to 5,000 domains.
    for guids in guids.chunks(1000) {
        let mut select = Select::new("t.*", "domain_shares t");
        select.and_in("t.domain_guid", guids, "").and_organization_visible("t.organization_guid", visible);
        let read = |row: &AnyRow| Ok((row.parsed("domain_guid")?, row.parsed("organization_guid")?));
        all.extend(select.all(db, "t.domain_guid, t.created_at, t.organization_guid", read).await?);
    }
    Ok(all)
}

/// Whether a domain is shared with an organization.
///
/// # Errors
/// Those of the database.
pub async fn is_shared(db: &mut Connection, domain: DomainGuid, organization: OrgGuid) -> Result<bool> {
    let query = sqlx::query("SELECT domain_guid FROM domain_shares WHERE domain_guid = $1 AND organization_guid = $2");
    Ok(query.bind(domain.to_string()).bind(organization.to_string()).fetch_optional(db).await?.is_some())
}
