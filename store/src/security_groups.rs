//! Security groups: where apps may connect to.

use crate::{
    Connection, Result,
    row::{Columns as _, json, micros, truth},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{SecurityGroupGuid, Timestamp, egress::EgressRule};

/// One security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroupRow {
    /// Its guid.
    pub guid: SecurityGroupGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Unique.
    pub name: String,
    /// What it allows.
    pub rules: Vec<EgressRule>,
    /// Whether it holds for every running app.
    pub running_default: bool,
    /// Whether it holds for every staging.
    pub staging_default: bool,
}

impl SecurityGroupRow {
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
            rules: row.json("rules")?,
            running_default: row.flag("running_default")?,
            staging_default: row.flag("staging_default")?,
        })
    }
}

/// Writes a group, new or changed.
///
/// # Errors
/// [`crate::StoreError::Unique`] `security_groups_name`; those of the database.
pub async fn save(db: &mut Connection, group: &SecurityGroupRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO security_groups (guid, created_at, updated_at, name, rules, running_default, staging_default) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (guid) DO UPDATE SET updated_at = excluded.updated_at, \
         name = excluded.name, rules = excluded.rules, running_default = excluded.running_default, \
         staging_default = excluded.staging_default",
    )
    .bind(group.guid.to_string())
    .bind(micros(group.created_at))
    .bind(micros(group.updated_at))
    .bind(group.name.clone())
    .bind(json("rules", &group.rules)?)
    .bind(truth(group.running_default))
    .bind(truth(group.staging_default))
    .execute(db)
    .await?;
    Ok(())
}

/// One group.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: SecurityGroupGuid) -> Result<Option<SecurityGroupRow>> {
    let row = sqlx::query("SELECT * FROM security_groups WHERE guid = $1").bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(SecurityGroupRow::from_row).transpose()
}

/// The group of this name.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, name: &str) -> Result<Option<SecurityGroupRow>> {
    let row = sqlx::query("SELECT * FROM security_groups WHERE name = $1").bind(name.to_owned()).fetch_optional(db).await?;
    row.as_ref().map(SecurityGroupRow::from_row).transpose()
}

/// Deletes a group; false when there was none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, guid: SecurityGroupGuid) -> Result<bool> {
    let done = sqlx::query("DELETE FROM security_groups WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Which groups a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityGroupFilter {
    /// Of these names.
    pub names: Option<Vec<String>>,
    /// Whether they hold for every running app.
    pub running_default: Option<bool>,
    /// Whether they hold for every staging.
    pub staging_default: Option<bool>,
}

/// A page of groups: to a user, those that hold everywhere.
///
/// # Errors
/// Those of the database.
pub async fn list(
    db: &mut Connection,
    filter: &SecurityGroupFilter,
    visible: Visible,
    listing: &Listing,
) -> Result<Page<SecurityGroupRow>> {
    let mut select = Select::new("t.*", "security_groups t");
    select.and_in_if("t.name", filter.names.as_deref()).and_listing(listing);
    for (column, wanted) in [("t.running_default = ?", filter.running_default), ("t.staging_default = ?", filter.staging_default)] {
        if let Some(wanted) = wanted {
            select.and(column, [truth(wanted).into()]);
        }
    }
    select.and_visible("t.running_default = 1 OR t.staging_default = 1", visible, 0);
    select.page(db, listing, SecurityGroupRow::from_row).await
}
