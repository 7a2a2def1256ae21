//! Tasks: each is given to one worker process, once, and ends with it.
//!
//! The row says which worker process before any snapshot does; a scheduler that starts anew goes on from the rows. A task
//! ends when its worker says so, when that worker process is gone, or, cancelled, when its worker has applied a snapshot that
//! no longer names it.

use super::{Brain, desired::unsealed};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use virga_contract::cell::{CellReport, CellTask, WorkerIndex};
use virga_model::{
    TaskGuid, environment,
    environment::AppDescription,
    service::vcap_services,
    service_files::{self, ServiceFilesError},
    state::TaskState,
};
use virga_store::{
    Result, StoreError, app_usage_events,
    scheduling::{self, TaskSpecRow},
    service_credential_bindings,
    tasks::{self, GivenTask, TaskRow},
};

const CANCELLED: &str = "task was cancelled";
const WORKER_GONE: &str = "The worker process that ran the task is gone";
const NO_DROPLET: &str = "The droplet of the task is no longer there";
const NO_SERVICES: &str = "The credentials of the app's services cannot be read; an operator must look at the sealing key";

/// What is sealed that a task was given: it holds credentials.
fn place_of_spec(task: TaskGuid) -> String {
    format!("tasks/{task}/spec")
}

fn corrupt(error: serde_json::Error) -> StoreError {
    StoreError::Corrupt { column: "spec".to_owned(), reason: error.into() }
}

/// What is known of tasks that have not ended.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    /// In the snapshot.
    given: BTreeMap<TaskGuid, Arc<CellTask>>,
    /// Out of the snapshot; ended once their worker has applied one without them.
    cancelled: BTreeMap<TaskGuid, Cancelled>,
    /// How tasks ended whose rows do not say so yet.
    ended: BTreeMap<TaskGuid, (TaskState, Option<String>)>,
    /// Tasks that wait for a worker.
    waiting: u64,
}

#[derive(Debug, Clone, Copy)]
struct Cancelled {
    worker: WorkerIndex,
    pid: u32,
    /// First revision without it.
    revision: u64,
}

impl Tasks {
    /// For the snapshot.
    pub(super) fn for_cell(&self) -> Vec<Arc<CellTask>> {
        self.given.values().cloned().collect()
    }

    /// How many were given, and how many wait.
    pub(super) fn counts(&self) -> (u64, u64) {
        (u64::try_from(self.given.len()).unwrap_or(u64::MAX), self.waiting)
    }

    fn given_to(&self, worker: WorkerIndex) -> usize {
        self.given.values().filter(|task| task.worker == worker).count()
    }
}

impl Brain {
    /// One step of every task that has not ended.
    pub(super) async fn step_tasks(&mut self) -> Result<()> {
        self.write_ended_tasks().await?;
        let active = tasks::list_active(&mut *self.store.read().await?).await?;
        // What nobody has a row of any more (its app was deleted) is cancelled by being forgotten.
        let before = self.tasks.given.len();
        self.tasks.given.retain(|guid, _| active.iter().any(|row| row.guid == *guid));
        self.changed |= self.tasks.given.len() != before;
        self.tasks.cancelled.retain(|guid, _| active.iter().any(|row| row.guid == *guid));
        self.tasks.waiting = 0;
        for row in active {
            match (row.state, &row.given) {
                (TaskState::Canceling, _) => self.cancel_task(&row),
                (_, Some(given)) => self.adopt_task(&row, given),
                (_, None) => self.give_task(row).await?,
            }
        }
        self.watch_tasks();
        self.write_ended_tasks().await
    }

    /// Takes over what an earlier scheduler gave.
    fn adopt_task(&mut self, row: &TaskRow, given: &GivenTask) {
        if self.tasks.given.contains_key(&row.guid) {
            return;
        }
        match self.read_given(row.guid, given) {
            Ok(task) => {
                self.tasks.given.insert(row.guid, Arc::new(task));
                self.changed = true;
            }
            Err(error) => {
                tracing::error!(task.guid = %row.guid, error = &error as &dyn std::error::Error, "what a task was given cannot be read");
                let reason = "What the task was given could not be read after a restart of the platform";
                self.tasks.ended.insert(row.guid, (TaskState::Failed, Some(reason.to_owned())));
            }
        }
    }

    fn read_given(&self, task: TaskGuid, given: &GivenTask) -> Result<CellTask> {
        let json = unsealed(&self.store, place_of_spec(task), &given.spec)?;
        serde_json::from_str(&json).map_err(corrupt)
    }

    /// Takes the task out of the snapshot. One that was never given has nothing to wait for.
    fn cancel_task(&mut self, row: &TaskRow) {
        if self.tasks.cancelled.contains_key(&row.guid) {
            return;
        }
        let revision = self.next_revision();
        self.tasks.given.remove(&row.guid);
        match &row.given {
            None => drop(self.tasks.ended.insert(row.guid, (TaskState::Failed, Some(CANCELLED.to_owned())))),
            Some(given) => {
                self.changed = true;
                self.tasks.cancelled.insert(row.guid, Cancelled { worker: given.worker, pid: given.pid, revision });
            }
        }
    }

    /// Gives the task to the live worker with the fewest. The row is written first: should this process end before the
    /// snapshot goes out, the next one publishes the same.
    async fn give_task(&mut self, mut row: TaskRow) -> Result<()> {
        let now = self.clock.now();
        let Some((worker, pid)) = self.workers.identified(now).min_by_key(|(worker, _)| self.tasks.given_to(*worker)) else {
            self.tasks.waiting += 1;
            return Ok(());
        };
        let mut db = self.store.read().await?;
        let Some(spec) = scheduling::find_task_spec(&mut db, row.guid).await? else {
            self.tasks.ended.insert(row.guid, (TaskState::Failed, Some(NO_DROPLET.to_owned())));
            return Ok(());
        };
        let variables = scheduling::running_variables(&mut db).await?;
        let bound = match service_credential_bindings::bound(&self.store, &mut db, &[spec.app]).await {
            Ok(bound) => bound,
            Err(error @ (StoreError::Sealing(_) | StoreError::Corrupt { .. })) => {
                tracing::error!(task.guid = %row.guid, error = &error as &dyn std::error::Error, "the services of a task's app cannot be read");
                self.tasks.ended.insert(row.guid, (TaskState::Failed, Some(NO_SERVICES.to_owned())));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        drop(db);
        let services = vcap_services(bound.get(&spec.app).map_or(&[][..], Vec::as_slice));
        let task = match self.cell_task(&row, &spec, worker, pid, &variables, &services) {
            Ok(task) => task,
            Err(error) => {
                self.tasks.ended.insert(row.guid, (TaskState::Failed, Some(error.to_string())));
                return Ok(());
            }
        };
        let json = serde_json::to_string(&task).map_err(corrupt)?;
        let spec = self.store.seal(place_of_spec(task.task), &json)?.as_str().to_owned();
        row.state = TaskState::Running;
        row.given = Some(GivenTask { worker, pid, spec });
        let mut transaction = self.store.begin().await?;
        match tasks::update(&mut transaction, &mut row, now).await {
            Ok(()) => {
                app_usage_events::note(&mut transaction, row.app, now).await?;
                transaction.commit().await?;
            }
            // Cancelled or deleted meanwhile: the next look sees how it is now.
            Err(StoreError::Conflict) => {
                self.is_stale = true;
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.tasks.given.insert(task.task, Arc::new(task));
        self.changed = true;
        Ok(())
    }

    fn cell_task(
        &self,
        row: &TaskRow,
        spec: &TaskSpecRow,
        worker: WorkerIndex,
        pid: u32,
        variables: &BTreeMap<String, String>,
        services: &Value,
    ) -> std::result::Result<CellTask, ServiceFilesError> {
        let uris = self.uris(&[]).remove(&spec.app).unwrap_or_default();
        let app = AppDescription {
            api_url: &self.config.api_url,
            app: spec.app,
            name: &spec.app_name,
            uris: &uris,
            space: spec.space,
            space_name: &spec.space_name,
            organization: spec.organization,
            organization_name: &spec.organization_name,
        };
        let mut environment = environment::task(variables, &spec.app_environment, &app, row.memory_in_mb, row.disk_in_mb, services);
        let files = service_files::move_to_files(&mut environment, &spec.app_features, services)?;
        Ok(CellTask {
            task: row.guid,
            name: row.name.clone(),
            worker,
            pid,
            app: spec.app,
            app_name: spec.app_name.clone(),
            space: spec.space,
            organization: spec.organization,
            droplet: spec.droplet,
            command: row.command.clone(),
            memory_mb: row.memory_in_mb,
            disk_mb: row.disk_in_mb,
            log_rate_limit_bytes_per_second: row.log_rate_limit_in_bytes_per_second,
            environment,
            files,
            egress: self.rules.of(spec.space),
        })
    }

    /// What a worker says of its tasks.
    pub(super) fn report_tasks(&mut self, report: &CellReport) {
        for said in &report.tasks {
            let is_its = self.tasks.given.get(&said.task).is_some_and(|task| task.worker == report.worker && task.pid == report.pid);
            if is_its && matches!(said.state, TaskState::Succeeded | TaskState::Failed) {
                let reason = said.failure_reason.clone().filter(|_| said.state == TaskState::Failed);
                self.tasks.ended.entry(said.task).or_insert((said.state, reason));
                self.is_stale = true;
            }
        }
        self.is_stale |= self.tasks.waiting > 0;
        self.watch_tasks();
    }

    /// Notes the end of tasks whose worker process is gone, and of cancelled ones that their worker has let go of.
    pub(super) fn watch_tasks(&mut self) {
        let (now, known) = (self.clock.now(), self.tasks.ended.len());
        let Tasks { given, cancelled, ended, .. } = &mut self.tasks;
        for (guid, task) in given.iter().filter(|(_, task)| self.workers.is_gone(task.worker, task.pid, now)) {
            ended.entry(*guid).or_insert_with(|| (TaskState::Failed, Some(format!("{WORKER_GONE} (worker {})", task.worker))));
        }
        for (guid, task) in cancelled.iter() {
            if self.workers.is_gone(task.worker, task.pid, now) || self.workers.has_applied(task.worker, task.pid, task.revision) {
                ended.entry(*guid).or_insert_with(|| (TaskState::Failed, Some(CANCELLED.to_owned())));
            }
        }
        self.is_stale |= ended.len() != known;
    }

    async fn write_ended_tasks(&mut self) -> Result<()> {
        for (guid, (state, reason)) in self.tasks.ended.clone() {
            self.end_task(guid, state, reason).await?;
            self.changed |= self.tasks.given.remove(&guid).is_some();
            self.tasks.cancelled.remove(&guid);
            self.tasks.ended.remove(&guid);
        }
        Ok(())
    }

    async fn end_task(&self, guid: TaskGuid, state: TaskState, reason: Option<String>) -> Result<()> {
        let mut transaction = self.store.begin().await?;
        let Some(mut row) = tasks::find(&mut transaction, guid).await? else { return Ok(()) };
        if matches!(row.state, TaskState::Succeeded | TaskState::Failed) {
            return Ok(());
        }
        row.end(state, reason);
        let now = self.clock.now();
        tasks::update(&mut transaction, &mut row, now).await?;
        app_usage_events::note(&mut transaction, row.app, now).await?;
        transaction.commit().await
    }
}
