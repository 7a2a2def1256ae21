//! Runs jobs: every unfinished one, each on its own, woken by a nudge and by a timer.

use super::table::{Outcome, work_of};
use crate::{
    Controller, Error, Result,
    service_operations::{give_up, words},
};
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

/// Jobs at a time that do their work here; more wait in their table.
const AT_A_TIME: usize = 16;
/// Jobs at a time that wait for a stranger's answer.
const ASK_BROKERS_AT_A_TIME: usize = 32;
/// Of these, jobs of one user: who registers a broker that never answers holds up nobody else.
const ASK_BROKERS_OF_ONE_USER: usize = 4;
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
    /// It runs; whose it is, if it waits for a stranger.
    Runs { task: Id, asks_for: Option<String> },
    /// It brought its task down, and is not tried again before the next start. It takes nobody's place.
    Panicked,
}

async fn begin_due(controller: &Controller, running: &mut JoinSet<JobGuid>, begun: &mut HashMap<JobGuid, Begun>) {
    let due = match due(controller).await {
        Ok(due) => due,
        Err(error) => return tracing::error!(%error, context = error.api().context, "jobs could not be read; trying again"),
    };
    for job in due {
        let asks_for = super::table::asks_broker(&job.operation).then(|| user_of(&job));
        if !has_place(begun, asks_for.as_deref()) {
            continue;
        }
        if let Entry::Vacant(place) = begun.entry(job.guid) {
            let controller = controller.clone();
            let task = running.spawn(async move {
                perform(&controller, &job).await;
                job.guid
            });
            place.insert(Begun::Runs { task: task.id(), asks_for });
        }
    }
}

/// Who asked for a job; empty for the platform itself.
fn user_of(job: &JobRow) -> String {
    let user = ["/actor/0", "/order/actor/0", "/user"].iter().find_map(|place| job.payload.pointer(place));
    user.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Whether one more job may begin: one that waits for a stranger on behalf of a user, or one that does not.
fn has_place(begun: &HashMap<JobGuid, Begun>, asks_for: Option<&str>) -> bool {
    let running = begun.values().filter_map(|job| match job {
        Begun::Runs { asks_for, .. } => Some(asks_for.as_deref()),
        Begun::Panicked => None,
    });
    let (mut here, mut asking, mut of_user) = (0, 0, 0);
    for other in running {
        match other {
            None => here += 1,
            Some(_) => asking += 1,
        }
        of_user += usize::from(other.is_some() && other == asks_for);
    }
    if asks_for.is_some() { asking < ASK_BROKERS_AT_A_TIME && of_user < ASK_BROKERS_OF_ONE_USER } else { here < AT_A_TIME }
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
            if let Err(error) = give_up(controller, job, &words(api)).await {
                return tracing::warn!(job.guid = %job.guid, %error, context = error.api().context, "a failed operation could not be marked; trying again");
            }
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
    use serde_json::json;

    #[tokio::test]
    async fn a_job_that_panics_gives_its_place_back_and_is_not_begun_again() {
        let (mut running, mut begun) = (JoinSet::new(), HashMap::new());
        let (bad, good) = (JobGuid::from_u128(1), JobGuid::from_u128(2));
        for (guid, panics) in [(bad, true), (good, false)] {
            let task = running.spawn(async move {
                assert!(!panics, "as a job might");
                guid
            });
            begun.insert(guid, Begun::Runs { task: task.id(), asks_for: Some("one".to_owned()) });
        }
        while let Some(ended) = running.join_next_with_id().await {
            note_end(ended, &mut begun);
        }
        assert!(matches!(begun.get(&bad), Some(Begun::Panicked)) && !begun.contains_key(&good));
        for number in 3..6 {
            let task = running.spawn(async { JobGuid::from_u128(0) });
            begun.insert(JobGuid::from_u128(number), Begun::Runs { task: task.id(), asks_for: Some("one".to_owned()) });
        }
        assert!(has_place(&begun, Some("one")), "what panicked takes no place");
    }

    #[tokio::test]
    async fn one_users_brokers_hold_up_nobody_else() {
        let (mut running, mut begun) = (JoinSet::new(), HashMap::new());
        let mut run = |begun: &mut HashMap<JobGuid, Begun>, asks_for: Option<&str>| {
            let task = running.spawn(async { JobGuid::from_u128(0) });
            begun.insert(JobGuid::random(), Begun::Runs { task: task.id(), asks_for: asks_for.map(str::to_owned) });
        };
        for _ in 0..ASK_BROKERS_OF_ONE_USER {
            assert!(has_place(&begun, Some("slow")));
            run(&mut begun, Some("slow"));
        }
        assert!(!has_place(&begun, Some("slow")) && has_place(&begun, Some("other")) && has_place(&begun, None));
        for number in ASK_BROKERS_OF_ONE_USER..ASK_BROKERS_AT_A_TIME {
            run(&mut begun, Some(&number.to_string()));
        }
        assert!(!has_place(&begun, Some("other")) && has_place(&begun, None));
        for _ in 0..AT_A_TIME {
            run(&mut begun, None);
        }
        assert!(!has_place(&begun, None));
    }

    #[test]
    fn a_job_is_its_users() {
        let payloads =
            [json!({ "actor": ["a", "user", "n"] }), json!({ "order": { "actor": ["a", "user", "n"] } }), json!({ "user": "a" })];
        let job = |payload| JobRow {
            guid: JobGuid::from_u128(1),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            operation: String::new(),
            state: JobState::Processing,
            resource: None,
            payload,
            errors: Vec::new(),
            warnings: Vec::new(),
        };
        assert!(payloads.into_iter().all(|payload| user_of(&job(payload)) == "a"));
        assert_eq!(user_of(&job(Value::Null)), "");
    }
}
