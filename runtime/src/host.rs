//! The cell of one worker: which app instances it has, and the way in for the router.

use crate::{
    instance::AppInstance, internal::Internal, leftovers, loader::Loader, neighbours, outbound::tls_connector, tasks::Tasks,
    ticker::Ticker, turns::Turns,
};
use arc_swap::ArcSwap;
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, Semaphore};
use tokio_rustls::TlsConnector;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use virga_contract::{
    Body,
    cell::{Cell, CellError, CellSnapshot, Connection, ControlPlane, Endpoint, InstanceReport, TaskReport, WorkerConfig, WorkerIndex},
    limits::CellLimits,
    logs::LogSink,
};
use virga_engine::{RunLimits, code::CodeSeal, engine_key, for_running};
use virga_model::InstanceGuid;

/// How often idle wasm instances and idle code are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// Connections kept for one server, at most.
const MOST_KEPT: u32 = 64;

/// How often the first worker of a box clears the cache folder.
const CLEAR: Duration = Duration::from_secs(600);

/// The cell could not be set up; the worker cannot do its work.
#[derive(Debug, thiserror::Error)]
#[error("the cell cannot be set up: {0}")]
pub struct StartError(String);

/// A snapshot that was not applied.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It comes from another database: an empty or foreign one must never stop running apps.
    #[error("the snapshot is of store {theirs}, this worker serves apps of store {ours}")]
    Foreign {
        /// The store this worker serves.
        ours: String,
        /// The snapshot's.
        theirs: String,
    },
}

/// Limits of this worker's guests, with durations as durations.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) cell: CellLimits,
}

impl Limits {
    pub(crate) fn request_cpu(&self) -> Duration {
        Duration::from_millis(self.cell.request_cpu_ms)
    }

    pub(crate) fn request_wall(&self) -> Duration {
        Duration::from_millis(self.cell.request_wall_ms)
    }

    pub(crate) fn queue_wait(&self) -> Duration {
        Duration::from_millis(self.cell.queue_wait_ms)
    }

    pub(crate) fn beat(&self) -> Duration {
        Duration::from_millis(self.cell.epoch_beat_ms.max(1))
    }

    pub(crate) fn pooled_idle(&self) -> Duration {
        Duration::from_millis(self.cell.pooled_idle_ms)
    }
}

/// What every app instance of the worker shares.
pub struct CellCore {
    pub(crate) worker: WorkerIndex,
    pub(crate) limits: Limits,
    pub(crate) denied_addresses: Vec<String>,
    pub(crate) loader: Loader,
    pub(crate) logs: Arc<dyn LogSink>,
    pub(crate) ticker: Ticker,
    pub(crate) tls: TlsConnector,
    /// Guests that go on after their answer's head.
    pub(crate) tails: TaskTracker,
    /// Guests that live between requests, and the connections to them.
    pub(crate) lives: TaskTracker,
    /// Ends them.
    pub(crate) stopping: CancellationToken,
    /// The queue in which busy ones of them take turns.
    pub(crate) turns: Arc<Semaphore>,
    /// Connections to one server that this worker keeps for the next request: those of all workers together leave half of what
    /// the server may have.
    pub(crate) kept_connections: usize,
    /// Folder of the sockets over which the workers of the box reach one another's guests.
    pub(crate) guest_sockets: PathBuf,
    /// Which apps the guests reach without a router.
    pub(crate) internal: Arc<ArcSwap<Internal>>,
    /// Where the platform's own services answer.
    pub(crate) services_socket: Option<Arc<Path>>,
    /// A state changed and should be reported now.
    pub(crate) changed: Notify,
    /// An instance came and should be probed now.
    pub(crate) arrived: Notify,
}

pub(crate) type Instances = HashMap<InstanceGuid, Arc<AppInstance>>;

/// The cell of one worker.
pub struct CellHost {
    pub(crate) core: Arc<CellCore>,
    pub(crate) instances: Arc<ArcSwap<Instances>>,
    tasks: Tasks,
    /// Store and revision of the snapshot applied last; held while one is applied.
    applied: Mutex<Option<(String, u64)>>,
}

impl CellHost {
    /// Sets the cell up: reserves the engine's address space and starts the epoch thread. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`StartError`] when the system gives no address space or thread.
    pub fn new(
        config: &WorkerConfig,
        worker: WorkerIndex,
        control: Arc<dyn ControlPlane>,
        logs: Arc<dyn LogSink>,
    ) -> Result<Arc<Self>, StartError> {
        let failed = |error: &dyn std::fmt::Display| StartError(error.to_string());
        let limits = Limits { cell: config.cell_limits.clone() };
        let engines = for_running(RunLimits { wasm_instances: limits.cell.total_wasm_instances }).map_err(|error| failed(&error))?;
        let seal = CodeSeal::new(config.code_key, engine_key(&engines));
        let tails = TaskTracker::new();
        let core = CellCore {
            worker,
            denied_addresses: config.denied_addresses.clone(),
            loader: Loader::new(control, config.cache_dir.clone(), engines.clone(), seal, tails.clone()).map_err(|error| failed(&error))?,
            logs,
            ticker: Ticker::start(engines, limits.beat()).map_err(|error| failed(&error))?,
            tls: tls_connector().map_err(|error| failed(&error))?,
            tails,
            lives: TaskTracker::new(),
            stopping: CancellationToken::new(),
            turns: Turns::queue(),
            kept_connections: (limits.cell.server_connections / config.workers.max(1) / 2).clamp(1, MOST_KEPT) as usize,
            guest_sockets: config.guest_sockets.clone(),
            internal: Arc::default(),
            services_socket: config.services_socket.as_deref().map(Arc::from),
            changed: Notify::new(),
            arrived: Notify::new(),
            limits,
        };
        Ok(Arc::new(Self { core: Arc::new(core), instances: Arc::default(), tasks: Tasks::default(), applied: Mutex::default() }))
    }

    /// Makes this worker's instances those of the snapshot. Cheap when nothing changed; instances that stay are untouched.
    ///
    /// # Errors
    /// [`Refused`] for a snapshot of another store.
    pub fn apply(&self, snapshot: &CellSnapshot) -> Result<(), Refused> {
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((ours, _)) = &*applied
            && *ours != snapshot.store_id
        {
            return Err(Refused::Foreign { ours: ours.clone(), theirs: snapshot.store_id.clone() });
        }
        let before = self.instances.load_full();
        let mut after = Instances::new();
        for process in &snapshot.processes {
            for instance in &process.instances {
                let known = before.get(&instance.guid).filter(|known| known.instance.probe_worker == instance.probe_worker);
                let entry = match known {
                    Some(known) => known.clone(),
                    None => AppInstance::new(self.core.clone(), process.clone(), instance.clone()),
                };
                after.insert(instance.guid, entry);
            }
        }
        let after = Arc::new(after);
        self.instances.store(after.clone());
        self.core.internal.store(Arc::new(Internal::new(snapshot, &after)));
        for (guid, instance) in &*before {
            if !after.get(guid).is_some_and(|kept| Arc::ptr_eq(kept, instance)) {
                instance.leave();
            }
        }
        self.tasks.apply(&self.core, &snapshot.tasks);
        *applied = Some((snapshot.store_id.clone(), snapshot.revision));
        drop(applied);
        self.core.arrived.notify_one();
        Ok(())
    }

    /// The revision applied last.
    #[must_use]
    pub fn applied_revision(&self) -> Option<u64> {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, revision)| *revision)
    }

    /// State of every instance this worker probes, and use of every instance it has.
    #[must_use]
    pub fn reports(&self) -> Vec<InstanceReport> {
        self.instances.load().values().map(|instance| instance.report(self.core.worker)).collect()
    }

    /// The tasks given to this worker, and where they are.
    #[must_use]
    pub fn task_reports(&self) -> Vec<TaskReport> {
        self.tasks.reports()
    }

    /// Waits until a state changed that should be reported at once.
    pub async fn changed(&self) {
        self.core.changed.notified().await;
    }

    /// Names the engine that code for this worker must be compiled for.
    #[must_use]
    pub fn engine_key(&self) -> &str {
        self.core.loader.engine_key()
    }

    /// Probes instances and retires what is idle, until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let probing = self.probe_all(&stop);
        let sweeping = async {
            let mut beat = tokio::time::interval(SWEEP);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = beat.tick() => self.sweep(),
                }
            }
        };
        let clearing = async {
            let mut beat = tokio::time::interval(CLEAR);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = beat.tick() => {}
                }
                if self.core.worker == 0 {
                    self.clear_leftovers().await;
                }
            }
        };
        tokio::join!(probing, sweeping, clearing, self.receive_neighbours(&stop));
    }

    /// Lets the other workers of the box reach the guests that live here, until `stop`.
    async fn receive_neighbours(&self, stop: &CancellationToken) {
        let listener = match neighbours::bind(&self.core.guest_sockets, self.core.worker) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, folder = %self.core.guest_sockets.display(), "no other worker will reach the servers in this one");
                return;
            }
        };
        let (tasks, stopping) = (self.core.lives.clone(), self.core.stopping.clone());
        stop.run_until_cancelled(neighbours::serve(listener, self.instances.clone(), tasks, stopping)).await;
    }

    async fn clear_leftovers(&self) {
        // Nothing is known yet to be unneeded.
        if self.applied_revision().is_none() {
            return;
        }
        let mut needed: HashSet<_> = self.instances.load().values().map(|instance| instance.process.droplet).collect();
        needed.extend(self.tasks.droplets());
        let cache = self.core.loader.cache().to_owned();
        let key = self.engine_key().to_owned();
        let clearing = tokio::task::spawn_blocking(move || leftovers::clear(&cache, &key, &needed, std::time::SystemTime::now()));
        match clearing.await {
            Ok(Ok(0)) => {}
            Ok(Ok(gone)) => tracing::info!(entries = gone, "cleared the cache folder of what no instance needs"),
            Ok(Err(error)) => tracing::warn!(%error, "the cache folder could not be cleared"),
            Err(error) => tracing::warn!(%error, "clearing the cache folder broke off"),
        }
    }

    fn sweep(&self) {
        let idle = self.core.limits.pooled_idle();
        for instance in self.instances.load().values() {
            instance.retire_idle(idle);
        }
        self.core.loader.unmap_idle(idle);
    }

    /// Waits until every guest that still writes its answer is done, and ends those that live. The router has stopped to call
    /// by then.
    pub async fn drain(&self) {
        self.core.stopping.cancel();
        self.core.lives.close();
        self.core.lives.wait().await;
        self.core.tails.close();
        self.core.tails.wait().await;
    }
}

#[async_trait::async_trait]
impl Cell for CellHost {
    async fn serve(&self, endpoint: Endpoint, request: http::Request<Body>) -> Result<http::Response<Body>, CellError> {
        let instance = self.instances.load().get(&endpoint.instance).cloned().ok_or(CellError::Gone)?;
        instance.serve(request).await
    }

    async fn connect(&self, endpoint: Endpoint) -> Result<Connection, CellError> {
        let instance = self.instances.load().get(&endpoint.instance).cloned().ok_or(CellError::Gone)?;
        instance.connect().await
    }

    fn in_flight(&self, instance: InstanceGuid) -> u32 {
        self.instances.load().get(&instance).map_or(0, |instance| instance.in_flight())
    }
}
