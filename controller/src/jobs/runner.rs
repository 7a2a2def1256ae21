//! Runs jobs: every unfinished one, each on its own, woken by a nudge and by a timer.

use super::table::{Outcome, work_of};
use crate::{Controller, Error, Result};
use serde_json::Value;
use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use virga_contract::ApiError;
use virga_model::{JobGuid, Timestamp, state::JobState};
use virga_store::jobs::{self, JobRow};

/// Jobs at a time; more wait in their table.
const AT_A_TIME: usize = 16;
/// Of these, jobs that wait for a stranger's answer: slow service brokers hold up nobody but one another.
const ASK_BROKERS_AT_A_TIME: usize = 4;
/// How often the table is looked at without a nudge, and a job that could not be finished is tried again.
const PERIOD: Duration = Duration::from_secs(2);

/// Runs jobs and stagings until `draining` rings, then finishes the jobs it has begun. What was interrupted by the end of an
/// earlier process is taken up again first.
pub async fn run(controller: Controller, draining: CancellationToken) {
    if let Err(error) = crate::packages::fail_interrupted(&controller).await {
        tracing::error!(%error, context = error.api().context, "interrupted uploads could not be marked");
    }
    let sweep = crate::sweep::run(&controller, draining.clone());
    futures::join!(run_jobs(&controller, draining.clone()), crate::builds::run(&controller, draining), sweep);
    controller.background_done().await;
}

async fn run_jobs(controller: &Controller, draining: CancellationToken) {
    let mut running = JoinSet::new();
    let mut begun = HashMap::new();
    while !draining.is_cancelled() {
        begin_due(controller, &mut running, &mut begun).await;
        let pause = pause(controller).await;
        tokio::select! {
            () = draining.cancelled() => break,
            () = controller.job_nudge().notified() => {}
            () = tokio::time::sleep(pause) => {}
            Some(ended) = running.join_next_with_id(), if !running.is_empty() => note_end(ended, &mut begun),
        }
    }
    while let Some(ended) = running.join_next_with_id().await {
        note_end(ended, &mut begun);
    }
}

/// How long nothing is due, as far as is known.
async fn pause(controller: &Controller) -> Duration {
    let now = controller.now();
    let next = async { Ok::<_, Error>(jobs::next_due(&mut *controller.store.read().await?, now).await?) };
    match next.await {
        Ok(Some(due)) => Duration::try_from(due.duration_since(now)).unwrap_or_default().min(PERIOD),
        Ok(None) => PERIOD,
        Err(error) => {
            tracing::warn!(%error, context = error.api().context, "it is not known when the next job is due");
            PERIOD
        }
    }
}

/// A job that is not to be begun again now.
enum Begun {
    /// It runs; whether it waits for a stranger.
    Runs { task: Id, asks_broker: bool },
    /// It brought its task down, and is not tried again before the next start. It takes nobody's place.
    Panicked,
}

async fn begin_due(controller: &Controller, running: &mut JoinSet<JobGuid>, begun: &mut HashMap<JobGuid, Begun>) {
    let due = match due(controller).await {
        Ok(due) => due,
        Err(error) => return tracing::error!(%error, context = error.api().context, "jobs could not be read; trying again"),
    };
    for job in due {
        if running.len() >= AT_A_TIME {
            return;
        }
        let asks_broker = super::table::asks_broker(&job.operation);
        if asks_broker && asking(begun) >= ASK_BROKERS_AT_A_TIME {
            continue;
        }
        if let Entry::Vacant(place) = begun.entry(job.guid) {
            let controller = controller.clone();
            let task = running.spawn(async move {
                perform(&controller, &job).await;
                job.guid
            });
            place.insert(Begun::Runs { task: task.id(), asks_broker });
        }
    }
}

/// How many jobs wait for a stranger.
fn asking(begun: &HashMap<JobGuid, Begun>) -> usize {
    begun.values().filter(|job| matches!(job, Begun::Runs { asks_broker: true, .. })).count()
}

fn note_end(ended: Result<(Id, JobGuid), JoinError>, begun: &mut HashMap<JobGuid, Begun>) {
    match ended {
        Ok((_, guid)) => drop(begun.remove(&guid)),
        Err(error) => {
            tracing::error!(%error, "a job panicked");
            let ended = error.id();
            let of_task = |job: &&mut Begun| matches!(job, Begun::Runs { task, .. } if *task == ended);
            if let Some(job) = begun.values_mut().find(of_task) {
                *job = Begun::Panicked;
            }
        }
    }
}

async fn due(controller: &Controller) -> Result<Vec<JobRow>> {
    Ok(jobs::due(&mut *controller.store.read().await?, controller.now()).await?)
}

/// Runs every job there is now, one after the other; for tests, which own no runner.
#[cfg(test)]
pub(crate) async fn run_one_round(controller: &Controller) -> Result<usize> {
    let due = due(controller).await?;
    for job in &due {
        perform(controller, job).await;
    }
    Ok(due.len())
}

/// Does the work and writes how it ended. Where that cannot be written the job stays unfinished and runs again.
async fn perform(controller: &Controller, job: &JobRow) {
    let outcome = match work_of(&job.operation) {
        Some(work) => work(controller, job).await,
        None => Err(ApiError::internal(format_args!("no such operation: {}", job.operation)).into()),
    };
    let mut ended = JobRow { updated_at: controller.now(), state: JobState::Complete, payload: Value::Null, ..job.clone() };
    match outcome {
        Ok(Outcome::Done(warnings)) => ended.warnings = warnings,
        Ok(Outcome::Again { payload, at }) => return postpone(controller, job, &payload, at).await,
        Err(error) => {
            let api = error.api();
            // The database was away, or another was quicker: nothing is decided, the next round tries again.
            if must_wait(&error) {
                return tracing::warn!(job.guid = %job.guid, %error, context = api.context, "job must wait");
            }
            tracing::info!(job.guid = %job.guid, job.operation = job.operation, %error, context = api.context, "job failed");
            ended.state = JobState::Failed;
            ended.errors = api.to_json().get("errors").and_then(|errors| errors.as_array()).cloned().unwrap_or_default();
        }
    }
    if let Err(error) = finish(controller, &ended).await {
        tracing::error!(job.guid = %job.guid, %error, context = error.api().context, "the end of a job could not be written");
    }
}

/// Where this cannot be written the job runs again with the input it had.
async fn postpone(controller: &Controller, job: &JobRow, payload: &Value, at: Timestamp) {
    let written = async {
        let mut tx = controller.store.begin().await?;
        jobs::postpone(&mut tx, job.guid, payload, at, controller.now()).await?;
        tx.commit().await?;
        Ok::<_, Error>(())
    };
    if let Err(error) = written.await {
        tracing::error!(job.guid = %job.guid, %error, context = error.api().context, "what a job goes on with could not be written");
    }
}

/// Whether a job that ended like this is to be done again.
pub(crate) fn must_wait(error: &Error) -> bool {
    error.lost_race() || error.api().status() == http::StatusCode::SERVICE_UNAVAILABLE
}

async fn finish(controller: &Controller, ended: &JobRow) -> Result<()> {
    let mut tx = controller.store.begin().await?;
    jobs::finish(&mut tx, ended).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_gives_its_place_back_and_is_not_begun_again() {
        let (mut running, mut begun) = (JoinSet::new(), HashMap::new());
        let (bad, good) = (JobGuid::from_u128(1), JobGuid::from_u128(2));
        for (guid, panics) in [(bad, true), (good, false)] {
            let task = running.spawn(async move {
                assert!(!panics, "as a job might");
                guid
            });
            begun.insert(guid, Begun::Runs { task: task.id(), asks_broker: true });
        }
        assert_eq!(asking(&begun), 2);
        while let Some(ended) = running.join_next_with_id().await {
            note_end(ended, &mut begun);
        }
        assert_eq!(asking(&begun), 0);
        assert!(matches!(begun.get(&bad), Some(Begun::Panicked)) && !begun.contains_key(&good));
    }
}
