//! Spaces whose apps may be destinations of a route besides those of the route's own space.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
    select::Select,
};
use sqlx::any::AnyRow;
use virga_model::{RouteGuid, SpaceGuid, Timestamp};

/// Shares a route with a space; once more does nothing more.
///
/// # Errors
/// [`crate::StoreError::Reference`] where either is not there; those of the database.
pub async fn insert(db: &mut Connection, route: RouteGuid, space: SpaceGuid, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO route_shares (route_guid, space_guid, created_at) VALUES ($1, $2, $3) \
               ON CONFLICT (route_guid, space_guid) DO NOTHING";
    sqlx::query(sql).bind(route.to_string()).bind(space.to_string()).bind(micros(now)).execute(db).await?;
    Ok(())
}

/// Ends it; false when it was not shared.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, route: RouteGuid, space: SpaceGuid) -> Result<bool> {
    let query = sqlx::query("DELETE FROM route_shares WHERE route_guid = $1 AND space_guid = $2");
    Ok(query.bind(route.to_string()).bind(space.to_string()).execute(db).await?.rows_affected() > 0)
}

/// With which spaces a route is shared, in the order of sharing.
///
/// # Errors
/// Those of the database.
pub async fn list_of_route(db: &mut Connection, route: RouteGuid) -> Result<Vec<SpaceGuid>> {
    let mut select = Select::new("t.*", "route_shares t");
    select.and("t.route_guid = ?", [route.to_string().into()]);
    select.all(db, "t.created_at, t.space_guid", |row: &AnyRow| row.parsed("space_guid")).await
}
