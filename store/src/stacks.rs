//! Stacks: what apps are staged and run on.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select},
};
use sqlx::any::AnyRow;
use virga_model::{StackGuid, Timestamp, state::StackState};

/// One stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackRow {
    /// Its guid.
    pub guid: StackGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Unique.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Who may still use it.
    pub state: StackState,
    /// Why.
    pub state_reason: Option<String>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for StackRow {
    record::head!(StackGuid);
    const TABLE: &'static str = "stacks";
    const FIXED: &'static [&'static str] = &["name"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .set("name", self.name.as_str())
            .set("description", self.description.as_str())
            .set("state", self.state.as_str())
            .set("state_reason", self.state_reason.clone())
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            description: row.text("description")?,
            state: row.parsed("state")?,
            state_reason: row.opt_text("state_reason")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(StackRow);

/// The stack of this name.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, name: &str) -> Result<Option<StackRow>> {
    record::first(db, "WHERE name = $1", [name.into()]).await
}

/// A page of stacks.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, names: Option<&[String]>, listing: &Listing) -> Result<Page<StackRow>> {
    let mut select = Select::new("t.*", "stacks t");
    select.and_in_if("t.name", names).and_listing(listing);
    select.page(db, listing, StackRow::from_row).await
}
