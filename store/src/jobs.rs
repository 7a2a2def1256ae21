//! Background jobs. A job is written in the transaction that needs it; whoever runs jobs takes up every one that is not
//! finished, also after a crash.

use crate::{
    Connection, Result,
    row::{Columns as _, json, micros},
};
use serde_json::Value;
use sqlx::any::AnyRow;
use virga_model::{JobGuid, Timestamp, state::JobState};

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// Its guid.
    pub guid: JobGuid,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// What it does, such as `app.delete`.
    pub operation: String,
    /// How far it is.
    pub state: JobState,
    /// What it is about.
    pub resource: Option<String>,
    /// Its input.
    pub payload: Value,
    /// `[{"code","title","detail"}]`.
    pub errors: Vec<Value>,
    /// Sentences.
    pub warnings: Vec<String>,
}

impl JobRow {
    /// From a row with every column.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            operation: row.text("operation")?,
            state: row.parsed("state")?,
            resource: row.opt_text("resource_guid")?,
            payload: row.json("payload")?,
            errors: row.json("errors")?,
            warnings: row.json("warnings")?,
        })
    }
}

/// Writes a new job.
///
/// # Errors
/// Those of the database.
pub async fn insert(db: &mut Connection, job: &JobRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO jobs (guid, created_at, updated_at, operation, state, resource_guid, payload, errors, warnings) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(job.guid.to_string())
    .bind(micros(job.created_at))
    .bind(micros(job.updated_at))
    .bind(job.operation.clone())
    .bind(job.state.as_str())
    .bind(job.resource.clone())
    .bind(json("payload", &job.payload)?)
    .bind(json("errors", &job.errors)?)
    .bind(json("warnings", &job.warnings)?)
    .execute(db)
    .await?;
    Ok(())
}

/// One job.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: JobGuid) -> Result<Option<JobRow>> {
    let row = sqlx::query("SELECT * FROM jobs WHERE guid = $1").bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(JobRow::from_row).transpose()
}

/// Every job that is not finished and due, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn due(db: &mut Connection, now: Timestamp) -> Result<Vec<JobRow>> {
    let sql = "SELECT * FROM jobs WHERE state IN ('PROCESSING', 'POLLING') AND (due_at IS NULL OR due_at <= $1) \
               ORDER BY created_at, guid LIMIT 1000";
    sqlx::query(sql).bind(micros(now)).fetch_all(db).await?.iter().map(JobRow::from_row).collect()
}

/// When the next job is due that is not finished and not yet due.
///
/// # Errors
/// Those of the database.
pub async fn next_due(db: &mut Connection, now: Timestamp) -> Result<Option<Timestamp>> {
    let sql = "SELECT MIN(due_at) AS due_at FROM jobs WHERE state IN ('PROCESSING', 'POLLING') AND due_at > $1";
    sqlx::query(sql).bind(micros(now)).fetch_one(db).await?.opt_time("due_at")
}

/// Writes what a job goes on with, and when. A job that has ended already stays as it is.
///
/// # Errors
/// Those of the database.
pub async fn postpone(db: &mut Connection, job: JobGuid, payload: &Value, due_at: Timestamp, now: Timestamp) -> Result<()> {
    let query = "UPDATE jobs SET updated_at = $1, state = 'POLLING', payload = $2, due_at = $3 \
                 WHERE guid = $4 AND state IN ('PROCESSING', 'POLLING')";
    sqlx::query(query).bind(micros(now)).bind(json("payload", payload)?).bind(micros(due_at)).bind(job.to_string()).execute(db).await?;
    Ok(())
}

/// Writes how a job ended. A job that has ended already stays as it is.
///
/// # Errors
/// Those of the database.
pub async fn finish(db: &mut Connection, job: &JobRow) -> Result<()> {
    let query = "UPDATE jobs SET updated_at = $1, state = $2, errors = $3, warnings = $4, payload = $5 \
                 WHERE guid = $6 AND state IN ('PROCESSING', 'POLLING')";
    sqlx::query(query)
        .bind(micros(job.updated_at))
        .bind(job.state.as_str())
        .bind(json("errors", &job.errors)?)
        .bind(json("warnings", &job.warnings)?)
        .bind(json("payload", &job.payload)?)
        .bind(job.guid.to_string())
        .execute(db)
        .await?;
    Ok(())
}

/// Deletes jobs that ended before `before`; how many.
///
/// # Errors
/// Those of the database.
pub async fn delete_finished(db: &mut Connection, before: Timestamp) -> Result<u64> {
    let query = sqlx::query("DELETE FROM jobs WHERE state IN ('COMPLETE', 'FAILED') AND updated_at < $1").bind(micros(before));
    Ok(query.execute(db).await?.rows_affected())
}
