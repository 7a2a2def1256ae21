//! The scheduler as other rooms hold it.

use crate::{
    SchedulerConfig,
    brain::{Brain, Command, Gauges},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use virga_contract::{
    ApiError,
    cell::{CellReport, CellSnapshot, LinkError, WorkerIndex},
    logs::LogSink,
    scheduling::{InstanceStats, Scheduler},
};
use virga_model::{ProcessGuid, state::InstanceState};
use virga_serve::{Tasks, clock::Clock};
use virga_store::{Store, StoreError};

/// Reports and questions that wait for the brain; more are refused as busy.
const COMMANDS: usize = 1_024;

/// Starts the scheduler as a task of `tasks`.
///
/// # Errors
/// When the store cannot be read.
pub async fn start(
    store: Store,
    config: SchedulerConfig,
    clock: Arc<dyn Clock>,
    sink: Arc<dyn LogSink>,
    tasks: &Tasks,
) -> Result<SchedulerHandle, StoreError> {
    let (commands, received) = mpsc::channel(COMMANDS);
    let (publish, snapshots) = watch::channel(None);
    let nudge = Arc::new(Notify::new());
    let gauges = Arc::new(Mutex::new(Gauges::default()));
    let brain = Brain::load(store, config, clock.clone(), sink, publish, gauges.clone()).await?;
    tasks.spawn("scheduler", brain.run(received, nudge.clone(), tasks.draining()));
    Ok(SchedulerHandle { clock, commands, snapshots, nudge, gauges })
}

/// The running scheduler. Cheap to clone.
#[derive(Clone)]
pub struct SchedulerHandle {
    clock: Arc<dyn Clock>,
    commands: mpsc::Sender<Command>,
    snapshots: watch::Receiver<Option<Arc<CellSnapshot>>>,
    nudge: Arc<Notify>,
    gauges: Arc<Mutex<Gauges>>,
}

impl std::fmt::Debug for SchedulerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SchedulerHandle").finish_non_exhaustive()
    }
}

impl SchedulerHandle {
    /// The scheduling half of the control plane.
    #[must_use]
    pub fn plane(&self) -> SchedulerPlane {
        SchedulerPlane { commands: self.commands.clone(), snapshots: self.snapshots.clone() }
    }

    /// Name, help and value of what the scheduler counts, for the metrics page.
    #[must_use]
    pub fn gauges(&self) -> Vec<(&'static str, &'static str, f64)> {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner).list()
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        let gone = |_| ApiError::internal("the scheduler has ended");
        self.commands.send(question(reply)).await.map_err(|_| ApiError::internal("the scheduler has ended"))?;
        answer.await.map_err(gone)
    }
}

#[async_trait::async_trait]
impl Scheduler for SchedulerHandle {
    fn nudge(&self) {
        self.nudge.notify_one();
    }

    async fn stats_of(&self, processes: &[(ProcessGuid, u32)]) -> Result<Vec<Vec<InstanceStats>>, ApiError> {
        let guids = processes.iter().map(|(process, _)| *process).collect();
        let known = self.ask(|reply| Command::Stats(guids, reply)).await?;
        let now = self.clock.now();
        let down = |index| InstanceStats {
            index,
            instance: None,
            state: InstanceState::Down,
            routable: false,
            details: None,
            since: now,
            usage: None,
        };
        // Not wanted now: its app is stopped, or was started a moment ago.
        let known = known.into_iter().zip(processes);
        Ok(known.map(|(stats, (_, instances))| stats.unwrap_or_else(|| (0..*instances).map(down).collect())).collect())
    }

    async fn restart_instance(&self, process: ProcessGuid, index: u32) -> Result<bool, ApiError> {
        self.ask(|reply| Command::Restart(process, index, reply)).await
    }
}

/// `snapshot` and `report` of [`virga_contract::cell::ControlPlane`]; whoever has droplets, code and logs adds the rest.
#[derive(Debug, Clone)]
pub struct SchedulerPlane {
    commands: mpsc::Sender<Command>,
    snapshots: watch::Receiver<Option<Arc<CellSnapshot>>>,
}

impl SchedulerPlane {
    /// The newest snapshot if its revision differs from `have`; otherwise waits for one, up to `wait`, then `None`. Also a
    /// sign of life.
    ///
    /// # Errors
    /// [`LinkError::Away`] when the scheduler has ended.
    pub async fn snapshot(&self, worker: WorkerIndex, have: Option<u64>, wait: Duration) -> Result<Option<Arc<CellSnapshot>>, LinkError> {
        // A lost sign of life is made good by the next.
        self.commands.try_send(Command::Seen(worker)).ok();
        let mut snapshots = self.snapshots.clone();
        let newer = snapshots.wait_for(|newest| newest.as_ref().is_some_and(|newest| Some(newest.revision) != have));
        match tokio::time::timeout(wait, newer).await {
            Ok(Ok(newest)) => Ok(newest.clone()),
            Ok(Err(_)) => Err(LinkError::Away("the scheduler has ended".into())),
            Err(_) => Ok(None),
        }
    }

    /// Takes a report; late, repeated and foreign ones do no harm.
    ///
    /// # Errors
    /// [`LinkError::Away`] when the scheduler is busy or has ended; the next report says the same and more.
    pub fn report(&self, report: CellReport) -> Result<(), LinkError> {
        self.commands.try_send(Command::Report(report)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LinkError::Away("the scheduler is busy".into()),
            mpsc::error::TrySendError::Closed(_) => LinkError::Away("the scheduler has ended".into()),
        })
    }
}
