//! Spaces whose apps may be bound to a service instance besides those of the instance's own space.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
    select::Select,
};
use sqlx::any::AnyRow;
use virga_model::{ServiceInstanceGuid, SpaceGuid, Timestamp};

/// Shares an instance with a space; once more does nothing more.
///
/// # Errors
/// [`crate::StoreError::Reference`] where either is not there; those of the database.
pub async fn insert(db: &mut Connection, instance: ServiceInstanceGuid, space: SpaceGuid, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO service_instance_shares (service_instance_guid, space_guid, created_at) VALUES ($1, $2, $3) \
               ON CONFLICT (service_instance_guid, space_guid) DO NOTHING";
    sqlx::query(sql).bind(instance.to_string()).bind(space.to_string()).bind(micros(now)).execute(db).await?;
    Ok(())
}

/// Ends it; false when it was not shared.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, instance: ServiceInstanceGuid, space: SpaceGuid) -> Result<bool> {
    let query = sqlx::query("DELETE FROM service_instance_shares WHERE service_instance_guid = $1 AND space_guid = $2");
    Ok(query.bind(instance.to_string()).bind(space.to_string()).execute(db).await?.rows_affected() > 0)
}

/// Ends every share of an instance.
///
/// # Errors
/// Those of the database.
pub async fn delete_of_instance(db: &mut Connection, instance: ServiceInstanceGuid) -> Result<()> {
    let query = sqlx::query("DELETE FROM service_instance_shares WHERE service_instance_guid = $1");
    query.bind(instance.to_string()).execute(db).await?;
    Ok(())
}

/// Ends every share with a space, when the space goes.
///
/// # Errors
/// Those of the database.
pub async fn delete_of_space(db: &mut Connection, space: SpaceGuid) -> Result<()> {
    sqlx::query("DELETE FROM service_instance_shares WHERE space_guid = $1").bind(space.to_string()).execute(db).await?;
    Ok(())
}

/// Guids and names of the instances that are shared with a space.
///
/// # Errors
/// Those of the database.
pub async fn names_in_space(db: &mut Connection, space: SpaceGuid) -> Result<Vec<(ServiceInstanceGuid, String)>> {
    let mut select =
        Select::new("i.guid, i.name", "service_instance_shares t JOIN service_instances i ON i.guid = t.service_instance_guid");
    select.and("t.space_guid = ?", [space.to_string().into()]);
    select.all(db, "i.name, i.guid", |row: &AnyRow| Ok((row.parsed("guid")?, row.text("name")?))).await
}

/// With which spaces an instance is shared, in the order of sharing.
///
/// # Errors
/// Those of the database.
pub async fn list_of_instance(db: &mut Connection, instance: ServiceInstanceGuid) -> Result<Vec<SpaceGuid>> {
    let mut select = Select::new("t.*", "service_instance_shares t");
    select.and("t.service_instance_guid = ?", [instance.to_string().into()]);
    select.all(db, "t.created_at, t.space_guid", |row: &AnyRow| row.parsed("space_guid")).await
}
