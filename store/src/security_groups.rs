//! Security groups: where apps may connect to.

use crate::{
    Connection, Result,
    record::{self, Record, Values},
    row::{Columns as _, truth},
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

impl Record for SecurityGroupRow {
    record::head!(SecurityGroupGuid);
    const TABLE: &'static str = "security_groups";
    const FIXED: &'static [&'static str] = &[];

    fn values(&self) -> Result<Values> {
        Values::new()
            .set("name", self.name.as_str())
            .set("running_default", self.running_default)
            .set("staging_default", self.staging_default)
            .json("rules", &self.rules)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
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

record::functions!(SecurityGroupRow);

/// The group of this name.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, name: &str) -> Result<Option<SecurityGroupRow>> {
    record::first(db, "WHERE name = $1", [name.into()]).await
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
