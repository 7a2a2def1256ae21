//! Keeps one worker process per index alive: starts it, adopts one that outlived an earlier control process, replaces one
//! that died (at once) or that runs another build or configuration (new one first, then the old one drains).

use super::{process::WorkerProcess, restart::Restarts};
use crate::worker::presence::{self, Identity, Living};
use anyhow::{Context as _, bail};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use virga_serve::Tasks;

/// How long a worker may take from its start to its first report.
const START_TIME: Duration = Duration::from_secs(60);
/// Deaths in a row after which the first start of the platform is given up.
const HOPELESS: u32 = 5;

/// What every worker of this box is started with.
#[derive(Debug, Clone)]
pub struct WorkerSpec {
    /// Number of workers.
    pub count: u32,
    /// The public address, port known.
    pub listen: SocketAddr,
    /// The data folder, for people who look at the process list.
    pub data_dir: PathBuf,
    /// Where the control socket is.
    pub run_dir: PathBuf,
    /// Changes whenever workers need to be replaced for a new configuration.
    pub config: String,
    /// This build.
    pub build: String,
    /// `tracing` filter of workers.
    pub log: String,
    /// Whether workers log as JSON.
    pub log_json: bool,
    /// Time a worker may take to end once it is told to.
    pub drain: Duration,
}

/// Process ids of workers that have reported, that is, accept connections.
#[derive(Debug, Clone)]
pub struct Reported(Arc<watch::Sender<BTreeSet<u32>>>);

impl Reported {
    /// Nobody yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeSet::new())))
    }

    /// Notes a report.
    pub fn note(&self, pid: u32) {
        self.0.send_if_modified(|pids| pids.insert(pid));
    }

    fn forget(&self, pid: u32) {
        self.0.send_if_modified(|pids| pids.remove(&pid));
    }

    /// Waits for the first report of a process.
    pub async fn of(&self, pid: u32) {
        // The sender lives as long as this does, so the wait cannot fail.
        let _held = self.0.subscribe().wait_for(|pids| pids.contains(&pid)).await.map(|_| ());
    }
}

/// See the module.
#[derive(Debug)]
pub struct Supervisor {
    spec: WorkerSpec,
    reported: Reported,
    tasks: Tasks,
    keepers: TaskTracker,
}

impl Supervisor {
    /// A supervisor that has started nothing yet.
    pub fn new(spec: WorkerSpec, reported: Reported, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self { spec, reported, tasks, keepers: TaskTracker::new() })
    }

    /// Brings all workers up and keeps them so; returns when every one accepts connections.
    pub async fn start(self: &Arc<Self>, living: Vec<Living>) -> anyhow::Result<()> {
        let (mut ours, mut others): (Vec<_>, Vec<_>) = living.into_iter().partition(|worker| self.is_ours(&worker.identity));
        let mut starts = Vec::new();
        for index in 0..self.spec.count {
            let adopted = ours.iter().position(|worker| worker.identity.index == index).map(|at| ours.swap_remove(at));
            let outdated = others.iter().position(|worker| worker.identity.index == index).map(|at| others.swap_remove(at));
            match (adopted, outdated) {
                (Some(worker), outdated) => {
                    tracing::info!(worker.index = index, worker.pid = worker.identity.pid, "a living worker is adopted");
                    others.extend(outdated);
                    starts.push(self.keep(index, WorkerProcess::adopted(worker)?));
                }
                // One at a time: the others answer meanwhile.
                (None, Some(old)) => {
                    tracing::info!(
                        worker.index = index,
                        worker.pid = old.identity.pid,
                        "a worker of another build or configuration is replaced"
                    );
                    let ready = self.keep(index, WorkerProcess::start(&self.spec, index)?);
                    ready.await_ready().await?;
                    WorkerProcess::adopted(old)?.stop(self.spec.drain).await;
                }
                (None, None) => starts.push(self.keep(index, WorkerProcess::start(&self.spec, index)?)),
            }
        }
        for start in starts {
            start.await_ready().await?;
        }
        for surplus in ours.into_iter().chain(others) {
            tracing::info!(worker.index = surplus.identity.index, worker.pid = surplus.identity.pid, "a surplus worker is stopped");
            WorkerProcess::adopted(surplus)?.stop(self.spec.drain).await;
        }
        Ok(())
    }

    fn is_ours(&self, identity: &Identity) -> bool {
        identity.build == self.spec.build && identity.config == self.spec.config && identity.listen == self.spec.listen
    }

    /// Starts the task that keeps worker `index` alive.
    fn keep(self: &Arc<Self>, index: u32, worker: WorkerProcess) -> Start {
        let (ready, start) = watch::channel(Progress::Starting);
        let keeper = Arc::clone(self);
        self.tasks.spawn(format!("worker {index}"), self.keepers.track_future(async move { keeper.run(index, worker, ready).await }));
        Start { index, progress: start }
    }

    async fn run(&self, index: u32, mut worker: WorkerProcess, ready: watch::Sender<Progress>) {
        let (mut restarts, draining) = (Restarts::default(), self.tasks.draining());
        loop {
            let (pid, began) = (worker.pid(), Instant::now());
            let died = tokio::select! {
                how = self.watch(&mut worker, &ready) => how,
                () = draining.cancelled() => return worker.stop(self.spec.drain).await,
            };
            self.reported.forget(pid);
            let pause = restarts.died(began.elapsed());
            let deaths = restarts.early_deaths();
            tracing::error!(
                worker.index = index,
                worker.pid = pid,
                pause_ms = pause.as_millis(),
                deaths,
                "worker died ({died}) and is started again"
            );
            ready.send_if_modified(|progress| match progress {
                Progress::Starting if deaths >= HOPELESS => {
                    *progress = Progress::Hopeless(died.clone());
                    true
                }
                _ => false,
            });
            worker = match self.start_again(index, pause, &draining).await {
                Some(worker) => worker,
                None => return,
            };
        }
    }

    /// Waits for the death of a worker, telling meanwhile when it begins to serve.
    async fn watch(&self, worker: &mut WorkerProcess, ready: &watch::Sender<Progress>) -> String {
        let pid = worker.pid();
        tokio::select! {
            how = worker.wait() => return how,
            () = self.reported.of(pid) => {}
            () = tokio::time::sleep(START_TIME) => {
                tracing::error!(worker.pid = pid, "worker says nothing since its start and is ended");
                worker.kill();
            }
        }
        ready.send_replace(Progress::Ready);
        worker.wait().await
    }

    /// `None` when the process stops meanwhile.
    async fn start_again(&self, index: u32, mut pause: Duration, draining: &CancellationToken) -> Option<WorkerProcess> {
        loop {
            draining.run_until_cancelled(tokio::time::sleep(pause)).await?;
            match WorkerProcess::start(&self.spec, index) {
                Ok(worker) => return Some(worker),
                Err(error) => {
                    tracing::error!(worker.index = index, error = format!("{error:#}"), "a worker cannot be started");
                    pause = Duration::from_secs(1);
                }
            }
        }
    }

    /// Waits until no worker is kept any more; rings only after the process was told to stop.
    pub async fn ended(&self) {
        self.keepers.close();
        self.keepers.wait().await;
    }

    /// Ends every worker of this box at once; for an end that waits no longer.
    pub fn kill_all(&self) {
        match presence::living(&super::presence_folder(&self.spec.run_dir)) {
            Ok(living) => {
                for worker in living {
                    if let Err(error) = rustix::process::pidfd_send_signal(&worker.handle, rustix::process::Signal::KILL) {
                        tracing::debug!(worker.pid = worker.identity.pid, %error, "a worker has ended by itself");
                    }
                }
            }
            Err(error) => tracing::error!(error = format!("{error:#}"), "workers that are left cannot be found"),
        }
    }
}

/// How far a worker's first start has come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    Starting,
    Ready,
    Hopeless(String),
}

/// A worker on its way up.
struct Start {
    index: u32,
    progress: watch::Receiver<Progress>,
}

impl Start {
    async fn await_ready(mut self) -> anyhow::Result<()> {
        let end = self.progress.wait_for(|progress| *progress != Progress::Starting).await.context("the platform was stopped")?;
        match &*end {
            Progress::Hopeless(how) => bail!("worker {} dies at its start again and again ({how}); its own log says why", self.index),
            Progress::Starting | Progress::Ready => Ok(()),
        }
    }
}
