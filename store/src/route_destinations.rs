//! Destinations: which apps a route leads to.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
    select::Select,
};
use sqlx::any::AnyRow;
use virga_model::{AppGuid, DestinationGuid, RouteGuid, Timestamp, route::RouteProtocol};

/// The port of a destination that names none.
pub const DEFAULT_PORT: u16 = 8080;

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationRow {
    /// Its guid.
    pub guid: DestinationGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Of which route.
    pub route: RouteGuid,
    /// To which app.
    pub app: AppGuid,
    /// To which of its process types.
    pub process_type: String,
    /// To which port; [`DEFAULT_PORT`] without.
    pub port: Option<u16>,
    /// Share of the requests.
    pub weight: Option<u8>,
    /// Protocol towards the app.
    pub protocol: RouteProtocol,
}

impl DestinationRow {
    /// From a row with every column.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            route: row.parsed("route_guid")?,
            app: row.parsed("app_guid")?,
            process_type: row.text("process_type")?,
            port: row.opt_count("port")?,
            weight: row.opt_count("weight")?,
            protocol: row.parsed("protocol")?,
        })
    }

    /// Whether both lead to the same place.
    #[must_use]
    pub fn leads_where(&self, other: &Self) -> bool {
        let place = |row: &Self| (row.app, row.port.unwrap_or(DEFAULT_PORT));
        place(self) == place(other) && self.process_type == other.process_type
    }
}

/// Writes a destination, new or changed.
///
/// # Errors
/// [`crate::StoreError::Reference`] where route or app is not there; those of the database.
pub async fn save(db: &mut Connection, destination: &DestinationRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO route_destinations (guid, created_at, updated_at, route_guid, app_guid, process_type, port, weight, protocol) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (guid) DO UPDATE SET updated_at = excluded.updated_at, \
         weight = excluded.weight, protocol = excluded.protocol",
    )
    .bind(destination.guid.to_string())
    .bind(micros(destination.created_at))
    .bind(micros(destination.updated_at))
    .bind(destination.route.to_string())
    .bind(destination.app.to_string())
    .bind(destination.process_type.clone())
    .bind(destination.port.map(i64::from))
    .bind(destination.weight.map(i64::from))
    .bind(destination.protocol.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// Marks the destinations of a route as changed, because what is said of the route itself was.
///
/// # Errors
/// Those of the database.
pub async fn touch(db: &mut Connection, route: RouteGuid, now: Timestamp) -> Result<()> {
    let query = sqlx::query("UPDATE route_destinations SET updated_at = $1 WHERE route_guid = $2");
    query.bind(micros(now)).bind(route.to_string()).execute(db).await?;
    Ok(())
}

/// Deletes a destination; false when there was none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, guid: DestinationGuid) -> Result<bool> {
    let done = sqlx::query("DELETE FROM route_destinations WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes every destination that leads to an app.
///
/// # Errors
/// Those of the database.
pub async fn delete_of_app(db: &mut Connection, app: AppGuid) -> Result<()> {
    sqlx::query("DELETE FROM route_destinations WHERE app_guid = $1").bind(app.to_string()).execute(db).await?;
    Ok(())
}

/// The destinations of these routes, in the order they were made.
///
/// # Errors
/// Those of the database.
pub async fn list_of_routes(db: &mut Connection, routes: &[RouteGuid]) -> Result<Vec<DestinationRow>> {
    let guids: Vec<String> = routes.iter().map(ToString::to_string).collect();
    let mut all = Vec::new();
    // One statement takes a few thousand values at most; a page has up to 5,000 routes.
    for guids in guids.chunks(1000) {
        let mut select = Select::new("t.*", "route_destinations t");
        select.and_in("t.route_guid", guids, "");
        all.extend(select.all(db, "t.created_at, t.guid", DestinationRow::from_row).await?);
    }
    Ok(all)
}

/// The destinations that lead to an app.
///
/// # Errors
/// Those of the database.
pub async fn list_of_app(db: &mut Connection, app: AppGuid) -> Result<Vec<DestinationRow>> {
    let mut select = Select::new("t.*", "route_destinations t");
    select.and("t.app_guid = ?", [app.to_string().into()]);
    select.all(db, "t.created_at, t.guid", DestinationRow::from_row).await
}
