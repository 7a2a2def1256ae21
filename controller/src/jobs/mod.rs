//! Background jobs: slow or fallible follow-up of a request, written in the request's own transaction and taken up again
//! after a crash, therefore idempotent.
//!
//! An action calls [`start`] inside its transaction (or [`done`] where the work fits into it), commits, rings
//! [`crate::Controller::nudge_jobs`], and answers [`crate::answer::job`]. What an operation does stands in `table`.

mod runner;
mod show;
mod table;

pub(crate) use runner::must_wait;
pub use runner::run;
#[cfg(test)]
pub(crate) use runner::run_one_round;
pub use show::show;
pub(crate) use table::Outcome;

use crate::Result;
use serde_json::Value;
use virga_model::{JobGuid, Timestamp, state::JobState};
use virga_store::{
    Connection,
    jobs::{self, JobRow},
};

/// Wakes the runner; carries no data.
pub(crate) type JobNudge = tokio::sync::Notify;

/// Writes a job that is still to run. `resource` is the guid that its view links to, `payload` its input.
///
/// # Errors
/// Those of the database.
pub async fn start(db: &mut Connection, now: Timestamp, operation: &str, resource: impl ToString, payload: Value) -> Result<JobGuid> {
    insert(db, now, operation, Some(resource.to_string()), payload, JobState::Processing).await
}

/// Writes a job that is complete with the transaction that writes it.
///
/// # Errors
/// Those of the database.
pub async fn done(db: &mut Connection, now: Timestamp, operation: &str, resource: impl ToString) -> Result<JobGuid> {
    insert(db, now, operation, Some(resource.to_string()), Value::Null, JobState::Complete).await
}

async fn insert(
    db: &mut Connection,
    now: Timestamp,
    operation: &str,
    resource: Option<String>,
    payload: Value,
    state: JobState,
) -> Result<JobGuid> {
    let guid = JobGuid::random();
    let job = JobRow {
        guid,
        created_at: now,
        updated_at: now,
        operation: operation.to_owned(),
        state,
        resource,
        payload,
        errors: Vec::new(),
        warnings: Vec::new(),
    };
    jobs::insert(db, &job).await?;
    Ok(guid)
}
