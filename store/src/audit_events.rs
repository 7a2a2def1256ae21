//! Audit events: who did what.

use crate::{
    Connection, Result,
    row::{Columns as _, json, micros},
    select::{Listing, Page, Select, Visible},
};
use serde_json::Value;
use sqlx::any::AnyRow;
use virga_model::{EventGuid, OrgGuid, SpaceGuid, Timestamp};

/// Somebody or something that an event names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventParty {
    /// A guid, or a client's id.
    pub guid: String,
    /// `user`, `client`, `process`, `app`, `space`, …
    pub kind: String,
    /// Its name when the event happened.
    pub name: String,
}

/// One event. Events never change.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Its guid.
    pub guid: EventGuid,
    /// When it happened.
    pub created_at: Timestamp,
    /// Such as `audit.app.create`.
    pub kind: String,
    /// Who did it.
    pub actor: EventParty,
    /// To what.
    pub target: EventParty,
    /// More about it; never a secret.
    pub data: Value,
    /// Where.
    pub space: Option<SpaceGuid>,
    /// Where.
    pub organization: Option<OrgGuid>,
}

impl EventRow {
    /// From a row with every column.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
        let party = |guid, kind, name| {
            Ok::<_, crate::StoreError>(EventParty { guid: row.text(guid)?, kind: row.text(kind)?, name: row.text(name)? })
        };
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            kind: row.text("type")?,
            actor: party("actor_guid", "actor_type", "actor_name")?,
            target: party("target_guid", "target_type", "target_name")?,
            data: row.json("data")?,
            space: row.opt_parsed("space_guid")?,
            organization: row.opt_parsed("organization_guid")?,
        })
    }
}

/// Writes an event.
///
/// # Errors
/// Those of the database.
pub async fn insert(db: &mut Connection, event: &EventRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO audit_events (guid, created_at, type, actor_guid, actor_type, actor_name, target_guid, target_type, \
         target_name, data, space_guid, organization_guid) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(event.guid.to_string())
    .bind(micros(event.created_at))
    .bind(event.kind.clone())
    .bind(event.actor.guid.clone())
    .bind(event.actor.kind.clone())
    .bind(event.actor.name.clone())
    .bind(event.target.guid.clone())
    .bind(event.target.kind.clone())
    .bind(event.target.name.clone())
    .bind(json("data", &event.data)?)
    .bind(event.space.map(|guid| guid.to_string()))
    .bind(event.organization.map(|guid| guid.to_string()))
    .execute(db)
    .await?;
    Ok(())
}

/// One event.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: EventGuid) -> Result<Option<EventRow>> {
    let row = sqlx::query("SELECT * FROM audit_events WHERE guid = $1").bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(EventRow::from_row).transpose()
}

/// Which events a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of these types.
    pub types: Option<Vec<String>>,
    /// About these.
    pub targets: Option<Vec<String>>,
    /// Not about these.
    pub not_targets: Option<Vec<String>>,
    /// In these spaces.
    pub spaces: Option<Vec<String>>,
    /// In these organizations.
    pub organizations: Option<Vec<String>>,
}

/// A page of events: to a user, those of the spaces where they are developer, auditor or supporter and of the
/// organizations they audit.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &EventFilter, visible: Visible, listing: &Listing) -> Result<Page<EventRow>> {
    // Events have no updated_at of their own; the list shows created_at for it.
    let mut listing = listing.clone();
    listing.created.append(&mut listing.updated);
    listing.order_by = "created_at";
    let mut select = Select::new("t.*", "audit_events t");
    select
        .and_in_if("t.type", filter.types.as_deref())
        .and_in_if("t.target_guid", filter.targets.as_deref())
        .and_in_if("t.space_guid", filter.spaces.as_deref())
        .and_in_if("t.organization_guid", filter.organizations.as_deref())
        .and_listing(&listing);
    if let Some(targets) = filter.not_targets.as_deref().filter(|targets| !targets.is_empty()) {
        select.and_in("NOT (t.target_guid", targets, ")");
    }
    let seen = "t.space_guid IN (SELECT space_guid FROM roles WHERE user_guid = ? AND space_guid IS NOT NULL \
                AND type IN ('space_developer', 'space_auditor', 'space_supporter')) \
                OR t.organization_guid IN (SELECT organization_guid FROM roles WHERE user_guid = ? AND type = 'organization_auditor')";
    select.and_visible(seen, visible, 2);
    select.page(db, &listing, EventRow::from_row).await
}

/// Deletes events older than `before`; how many.
///
/// # Errors
/// Those of the database.
pub async fn delete_older(db: &mut Connection, before: Timestamp) -> Result<u64> {
    let query = sqlx::query("DELETE FROM audit_events WHERE created_at < $1").bind(micros(before));
    Ok(query.execute(db).await?.rows_affected())
}
