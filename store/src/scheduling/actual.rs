//! Actual instances.

use super::{CHUNK, marks, tuples};
use crate::{
    Connection, Result,
    row::{Columns as _, micros},
};
use sqlx::{AssertSqlSafe, any::AnyRow};
use virga_model::{InstanceGuid, ProcessGuid, Timestamp, state::InstanceState};

/// One actual instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActualInstanceRow {
    /// New for every start.
    pub guid: InstanceGuid,
    /// Its process.
    pub process: ProcessGuid,
    /// 0-based; one instance at a time per process and index.
    pub index: u32,
    /// `processes.version` it was started for.
    pub version: String,
    /// The cell it is on.
    pub cell: String,
    /// What it is doing.
    pub state: InstanceState,
    /// When it entered this state.
    pub since: Timestamp,
    /// Why it crashed, or what it waits for.
    pub details: Option<String>,
    /// Crashes in a row.
    pub crash_count: u32,
    /// Earliest moment of the next start, for a crashed one that will be started again.
    pub restart_at: Option<Timestamp>,
}

/// Every actual instance.
///
/// # Errors
/// Those of the database.
pub async fn list_actual(db: &mut Connection) -> Result<Vec<ActualInstanceRow>> {
    let rows = sqlx::query(
        "SELECT guid, process_guid, instance_index, version, cell, state, since, details, crash_count, restart_at FROM actual_instances",
    );
    let read = |row: &AnyRow| {
        Ok(ActualInstanceRow {
            guid: row.parsed("guid")?,
            process: row.parsed("process_guid")?,
            index: row.count("instance_index")?,
            version: row.text("version")?,
            cell: row.text("cell")?,
            state: row.parsed("state")?,
            since: row.time("since")?,
            details: row.opt_text("details")?,
            crash_count: row.count("crash_count")?,
            restart_at: row.opt_time("restart_at")?,
        })
    };
    rows.fetch_all(db).await?.iter().map(read).collect()
}

/// Writes instances: new ones, changed ones, and ones that take the place (process and index) of another.
///
/// # Errors
/// Those of the database.
pub async fn write_actual(db: &mut Connection, rows: &[ActualInstanceRow]) -> Result<()> {
    for chunk in rows.chunks(CHUNK) {
        let sql = format!(
            "INSERT INTO actual_instances (guid, process_guid, instance_index, version, cell, state, since, details, crash_count, \
             restart_at) VALUES {} ON CONFLICT (process_guid, instance_index) DO UPDATE SET guid = excluded.guid, \
             version = excluded.version, cell = excluded.cell, state = excluded.state, since = excluded.since, \
             details = excluded.details, crash_count = excluded.crash_count, restart_at = excluded.restart_at",
            tuples(chunk.len(), 10)
        );
        let query = chunk.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, row| {
            query
                .bind(row.guid.to_string())
                .bind(row.process.to_string())
                .bind(i64::from(row.index))
                .bind(row.version.clone())
                .bind(row.cell.clone())
                .bind(row.state.as_str())
                .bind(micros(row.since))
                .bind(row.details.clone())
                .bind(i64::from(row.crash_count))
                .bind(row.restart_at.map(micros))
        });
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// Deletes instances.
///
/// # Errors
/// Those of the database.
pub async fn delete_actual(db: &mut Connection, guids: &[InstanceGuid]) -> Result<()> {
    for chunk in guids.chunks(CHUNK) {
        let sql = format!("DELETE FROM actual_instances WHERE guid IN ({})", marks(chunk.len()));
        let query = chunk.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, guid| query.bind(guid.to_string()));
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// The first snapshot revision of this start: the time in microseconds, but always well above the last start's, of
/// which no run can use up 2^32.
///
/// # Errors
/// Those of the database.
pub async fn next_first_revision(db: &mut Connection, now: Timestamp) -> Result<u64> {
    const GAP: i64 = 1 << 32;
    let row = sqlx::query("SELECT first_revision FROM snapshot_revisions").fetch_optional(&mut *db).await?;
    let last = row.map(|row| row.int("first_revision")).transpose()?;
    let first = last.map_or(micros(now), |last| micros(now).max(last.saturating_add(GAP)));
    sqlx::query(
        "INSERT INTO snapshot_revisions (singleton, first_revision) VALUES (1, $1) \
         ON CONFLICT (singleton) DO UPDATE SET first_revision = excluded.first_revision",
    )
    .bind(first)
    .execute(db)
    .await?;
    Ok(u64::try_from(first).unwrap_or(0))
}
