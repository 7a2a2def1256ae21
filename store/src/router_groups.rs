//! Router groups: which ports TCP routes may have.

use crate::{
    Connection, Result,
    record::{self, Record, Values},
    row::Columns as _,
};
use sqlx::any::AnyRow;
use virga_model::{RouterGroupGuid, Timestamp};

/// One router group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterGroupRow {
    /// Its guid.
    pub guid: RouterGroupGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Unique.
    pub name: String,
    /// `tcp`.
    pub kind: String,
    /// As written, such as `1024-1123,2000`.
    pub reservable_ports: String,
}

impl Record for RouterGroupRow {
    record::head!(RouterGroupGuid);
    const TABLE: &'static str = "router_groups";
    const FIXED: &'static [&'static str] = &["name", "type"];

    fn values(&self) -> Result<Values> {
        Ok(Values::new()
            .set("name", self.name.as_str())
            .set("type", self.kind.as_str())
            .set("reservable_ports", self.reservable_ports.as_str()))
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            kind: row.text("type")?,
            reservable_ports: row.text("reservable_ports")?,
        })
    }
}

record::functions!(RouterGroupRow);

/// Every router group, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection) -> Result<Vec<RouterGroupRow>> {
    record::all(db, "ORDER BY created_at, guid", []).await
}

/// Whether a domain belongs to a router group.
///
/// # Errors
/// Those of the database.
pub async fn is_used(db: &mut Connection, guid: RouterGroupGuid) -> Result<bool> {
    let query = sqlx::query("SELECT guid FROM domains WHERE router_group_guid = $1 LIMIT 1");
    Ok(query.bind(guid.to_string()).fetch_optional(db).await?.is_some())
}
