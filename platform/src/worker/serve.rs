//! The work of a worker: the newest snapshot into cell and router, reports and log lines out, requests in between. The same
//! code runs inside the control process when there are no worker processes.

use anyhow::Context as _;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use virga_contract::{
    cell::{CellReport, CellSnapshot, ControlPlane, LinkError, WorkerConfig, WorkerIndex},
    logs::LogSink,
};
use virga_router::{Router, RouterConfig};
use virga_runtime::CellHost;
use virga_serve::Tasks;
use virga_telemetry::{LogQueue, QueueLimits};

/// Time a worker gives itself at most; its control process usually gives it less.
pub const LONGEST_DRAIN: Duration = Duration::from_secs(600);
/// Period of reports when nothing changes.
const REPORT_PERIOD: Duration = Duration::from_secs(1);
/// How long one question for a newer snapshot waits for it.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(30);
/// First and longest pause before the control process is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// Routes from which on building the table would hold up requests.
const MANY_ROUTES: usize = 5_000;
/// Time for guests that still work after their answer was cut or sent.
const GUEST_DRAIN: Duration = Duration::from_secs(2);

/// One worker, in whichever process.
pub struct Worker {
    /// Its number on this box.
    pub index: WorkerIndex,
    /// Where it accepts.
    pub listen: SocketAddr,
    /// The control process.
    pub plane: Arc<dyn ControlPlane>,
    /// Owner of its tasks.
    pub tasks: Tasks,
}

/// What the loops of a worker share.
struct Inner {
    index: WorkerIndex,
    plane: Arc<dyn ControlPlane>,
    cell: Arc<CellHost>,
    router: Arc<Router>,
    logs: Arc<LogQueue>,
    /// A snapshot was applied and should be reported.
    applied: Notify,
}

impl Worker {
    /// Serves until the process is told to stop, then drains. The public port opens only once there are routes.
    pub async fn run(self) -> anyhow::Result<()> {
        let draining = self.tasks.draining();
        let Some(config) = draining.run_until_cancelled(self.config()).await else { return Ok(()) };
        let (logs, pump) = LogQueue::new(QueueLimits { app_envelopes: config.cell_limits.log_queue_envelopes, ..QueueLimits::default() });
        let sink: Arc<dyn LogSink> = logs.clone();
        let cell = CellHost::new(&config, self.index, Arc::clone(&self.plane), Arc::clone(&sink))?;
        let router = Router::new(RouterConfig::from_worker(self.index, &config), cell.clone(), sink);
        let inner = Arc::new(Inner { index: self.index, plane: self.plane, cell, router, logs, applied: Notify::new() });
        let Some(first) = draining.run_until_cancelled(inner.first_snapshot()).await else { return Ok(()) };
        inner.apply(first).await?;
        let listener = virga_router::bind(self.listen).with_context(|| format!("cannot listen on {}", self.listen))?;
        let (served, written) = (CancellationToken::new(), CancellationToken::new());
        let (cell, plane) = (inner.cell.clone(), inner.plane.clone());
        let stop = served.clone();
        self.tasks.spawn("cell", async move { cell.run(stop).await });
        let stop = written.clone();
        self.tasks.spawn("log pump", async move {
            let deliver = |batch| {
                let plane = Arc::clone(&plane);
                async move { plane.logs(batch).await }
            };
            pump.run(deliver, stop.cancelled_owned()).await;
        });
        let follow = inner.clone();
        let stop = draining.clone();
        self.tasks.spawn("snapshots", async move {
            stop.run_until_cancelled(follow.follow()).await;
        });
        let report = inner.clone();
        let stop = draining.clone();
        self.tasks.spawn("reports", async move {
            stop.run_until_cancelled(report.report()).await;
        });
        tracing::info!(worker.index = self.index, listen = %self.listen, "worker serves");
        inner.router.clone().serve(listener, draining).await;
        if tokio::time::timeout(GUEST_DRAIN, inner.cell.drain()).await.is_err() {
            tracing::warn!(worker.index = self.index, "guests that still work are left");
        }
        served.cancel();
        written.cancel();
        Ok(())
    }

    async fn config(&self) -> WorkerConfig {
        let mut pause = PAUSES.0;
        loop {
            match self.plane.config(self.index).await {
                Ok(config) => return config,
                Err(error) => wait(&error, &mut pause).await,
            }
        }
    }
}

impl Inner {
    async fn first_snapshot(&self) -> Arc<CellSnapshot> {
        let mut pause = PAUSES.0;
        loop {
            match self.plane.snapshot(self.index, None, SNAPSHOT_WAIT).await {
                Ok(Some(snapshot)) => return snapshot,
                Ok(None) => {}
                Err(error) => wait(&error, &mut pause).await,
            }
        }
    }

    /// Instances before routes: what a route leads to must be there.
    async fn apply(&self, snapshot: Arc<CellSnapshot>) -> anyhow::Result<()> {
        self.cell.apply(&snapshot)?;
        if snapshot.routes.len() > MANY_ROUTES {
            let router = self.router.clone();
            tokio::task::spawn_blocking(move || router.apply(&snapshot)).await.context("the route table could not be built")?;
        } else {
            self.router.apply(&snapshot);
        }
        self.applied.notify_one();
        Ok(())
    }

    /// Applies every newer snapshot. While the control process is away the last one stays in force.
    async fn follow(&self) {
        let mut pause = PAUSES.0;
        loop {
            match self.plane.snapshot(self.index, self.cell.applied_revision(), SNAPSHOT_WAIT).await {
                Ok(Some(snapshot)) => {
                    pause = PAUSES.0;
                    let revision = snapshot.revision;
                    if let Err(error) = self.apply(snapshot).await {
                        tracing::error!(revision, error = format!("{error:#}"), "a snapshot is refused; the last one stays in force");
                        tokio::time::sleep(REPORT_PERIOD).await;
                    }
                }
                Ok(None) => pause = PAUSES.0,
                Err(error) => wait(&error, &mut pause).await,
            }
        }
    }

    /// Reports each second and whenever something changed; one that is lost is made good by the next.
    async fn report(&self) {
        let mut failing = false;
        loop {
            match self.plane.report(self.current()).await {
                Ok(()) => failing = false,
                Err(error) if failing => tracing::debug!(%error, "still no report gets through"),
                Err(error) => {
                    failing = true;
                    tracing::warn!(%error, "a report does not get through");
                }
            }
            if failing {
                tokio::time::sleep(PAUSES.1).await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(REPORT_PERIOD) => {}
                () = self.cell.changed() => {}
                () = self.applied.notified() => {}
            }
        }
    }

    fn current(&self) -> CellReport {
        let mut router = self.router.counters();
        router.dropped_envelopes += self.logs.dropped();
        let revision = self.cell.applied_revision().unwrap_or(0).min(self.router.revision());
        let pid = std::process::id();
        CellReport {
            worker: self.index,
            pid,
            applied_revision: revision,
            instances: self.cell.reports(),
            tasks: self.cell.task_reports(),
            router,
        }
    }
}

async fn wait(error: &LinkError, pause: &mut Duration) {
    tracing::debug!(%error, pause_ms = pause.as_millis(), "the control process does not answer");
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(PAUSES.1);
}
