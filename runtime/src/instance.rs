//! One app instance on this worker: an admission slot with a few wasm instances behind it, its limits and its counters.

use crate::{
    egress::EgressPolicy,
    environment,
    guest::{self, life::Life, server::Clients},
    host::CellCore,
    limits::LimitHit,
    loader::{Droplet, LoadError},
    memory::MemoryBudget,
    outbound::Outbound,
    output::InstanceLog,
    pool::Pool,
    probe::Health,
    program::{Kind, Program},
    service_files::ServiceFiles,
    sockets::{HostEnd, NoConnection},
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use virga_contract::{
    Body,
    cell::{CellError, CellInstance, CellProcess, CellTask, Connection, InstanceReport, InstanceUsage, ServedBy},
};
use virga_model::{
    InstanceGuid, ProcessGuid,
    droplet::GuestKind,
    process::{HealthCheck, HealthCheckType, ReusePolicy},
};

/// What a router may be told to wait when an instance is full.
const RETRY_AFTER_SECONDS: u32 = 1;

/// An app instance, from its appearance in a snapshot to its disappearance.
pub struct AppInstance {
    pub(crate) cell: Arc<CellCore>,
    pub(crate) process: Arc<CellProcess>,
    pub(crate) instance: CellInstance,
    pub(crate) droplet: Arc<Droplet>,
    pub(crate) log: Arc<InstanceLog>,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) pool: Arc<Pool>,
    /// Where requests stand that wait for a wasm instance: only the first looks for one.
    pub(crate) line: Semaphore,
    pub(crate) concurrent: guest::http_p3::Workers,
    pub(crate) health: Health,
    /// The run of its program, where that lives between requests.
    pub(crate) life: Life,
    mode: OnceLock<Mode>,
    clients: Mutex<Option<Arc<Clients>>>,
    pub(crate) is_task: bool,
    /// Ends what outlives requests (warm instances) when the instance is taken away.
    pub(crate) gone: CancellationToken,
    pub(crate) wasm_instances: AtomicU64,
    pub(crate) cpu_ns: AtomicU64,
    environment: OnceLock<Vec<(String, String)>>,
    /// Where its file system is not the droplet's alone.
    files: OnceCell<ServiceFiles>,
    admission: Arc<Semaphore>,
    in_flight: AtomicU32,
    requests: AtomicU64,
    cold_starts: AtomicU64,
}

/// What an instance does between requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: it is there for requests alone.
    Requests,
    /// Its program runs as long as the instance lives, in the worker that probes it.
    Lives,
}

impl Mode {
    /// Servers and commands live. So does any other program whose process has the health check `process`, as workers have: a
    /// process of which Cloud Foundry says that it is healthy as long as it runs has to run. An HTTP component's or a site's `web`
    /// process has nothing that could.
    fn of(guest: GuestKind, process: &CellProcess) -> Self {
        let is_worker = process.health_check.kind == HealthCheckType::Process;
        match guest {
            GuestKind::Server | GuestKind::Command => Self::Lives,
            GuestKind::Cgi if is_worker => Self::Lives,
            GuestKind::HttpP2 | GuestKind::HttpP3 | GuestKind::Static if is_worker && process.process_type != "web" => Self::Lives,
            _ => Self::Requests,
        }
    }
}

/// A request's place in an app instance: its admission, its count in flight, the beating epoch.
pub struct Slot {
    pub(crate) instance: Arc<AppInstance>,
    _permit: Option<OwnedSemaphorePermit>,
    _running: Option<crate::ticker::Running>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.instance.in_flight.fetch_sub(1, Relaxed);
    }
}

impl AppInstance {
    /// Registers an instance; nothing is fetched, mapped or started yet.
    pub(crate) fn new(cell: Arc<CellCore>, process: Arc<CellProcess>, instance: CellInstance) -> Arc<Self> {
        let tags = BTreeMap::from([
            ("process_id".to_owned(), process.process.to_string()),
            ("process_type".to_owned(), process.process_type.clone()),
            ("process_instance_id".to_owned(), instance.guid.to_string()),
        ]);
        let source_type = format!("APP/PROC/{}", process.process_type.to_uppercase());
        Self::with_log(cell, process, instance, source_type, tags, false)
    }

    /// A task is an instance that nobody calls and that ends.
    pub(crate) fn of_task(cell: Arc<CellCore>, task: &CellTask) -> Arc<Self> {
        let process = CellProcess {
            process: ProcessGuid::from(task.app),
            process_type: "task".to_owned(),
            app: task.app,
            app_name: task.app_name.clone(),
            space: task.space,
            organization: task.organization,
            version: String::new(),
            droplet: task.droplet,
            command: Some(task.command.clone()),
            memory_mb: task.memory_mb,
            disk_mb: task.disk_mb,
            log_rate_limit_bytes_per_second: task.log_rate_limit_bytes_per_second,
            environment: task.environment.clone(),
            files: task.files.clone(),
            health_check: HealthCheck::of(HealthCheckType::Process),
            readiness_check: HealthCheck::of(HealthCheckType::Process),
            reuse: None,
            egress: task.egress.clone(),
            instances: Vec::new(),
        };
        let guid = InstanceGuid::from_u128(task.task.as_u128());
        // Lines of a task say `[APP/TASK/<name>/0]`, as Cloud Foundry's do.
        let instance = CellInstance { guid, index: 0, probe_worker: task.worker, routable: false };
        let tags = BTreeMap::from([("task_id".to_owned(), task.task.to_string())]);
        Self::with_log(cell, Arc::new(process), instance, format!("APP/TASK/{}", task.name), tags, true)
    }

    fn with_log(
        cell: Arc<CellCore>,
        process: Arc<CellProcess>,
        instance: CellInstance,
        source_type: String,
        tags: BTreeMap<String, String>,
        is_task: bool,
    ) -> Arc<Self> {
        let limits = &cell.limits.cell;
        let rate = process.log_rate_limit_bytes_per_second;
        let log = InstanceLog::new(cell.logs.clone(), process.app, instance.index, source_type, tags, limits.log_line_bytes, rate);
        let log = Arc::new(log);
        let (policy, unreadable) = EgressPolicy::new(&process.egress, &cell.denied_addresses);
        for problem in unreadable {
            log.cell(problem);
        }
        let outbound = Outbound {
            policy,
            connections: Arc::new(Semaphore::new(limits.outbound_connections as usize)),
            log: log.clone(),
            tls: cell.tls.clone(),
            app: process.app,
            internal: cell.internal.clone(),
            services_socket: cell.services_socket.clone(),
        };
        let memory = usize::try_from(process.memory_mb.saturating_mul(1 << 20)).unwrap_or(usize::MAX);
        let health = Health::default();
        if instance.routable {
            health.assume_running();
        }
        Arc::new(Self {
            droplet: cell.loader.droplet(process.droplet),
            log,
            memory: Arc::new(MemoryBudget::new(memory)),
            outbound: Arc::new(outbound),
            pool: Arc::default(),
            line: Semaphore::new(1),
            concurrent: guest::http_p3::Workers::default(),
            health,
            life: Life::default(),
            mode: OnceLock::new(),
            clients: Mutex::default(),
            is_task,
            gone: CancellationToken::new(),
            wasm_instances: AtomicU64::new(0),
            cpu_ns: AtomicU64::new(0),
            environment: OnceLock::new(),
            files: OnceCell::new(),
            admission: Arc::new(Semaphore::new(limits.wasm_instances_per_app_instance.max(1) as usize)),
            in_flight: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            cold_starts: AtomicU64::new(0),
            cell,
            process,
            instance,
        })
    }

    /// Whether any wasm instance of it is alive in this worker.
    pub(crate) fn has_wasm_instances(&self) -> bool {
        self.wasm_instances.load(Relaxed) > 0
    }

    /// Keeps a wasm instance warm for the next request.
    pub(crate) fn keep(&self, warm: guest::http_p2::Warm) {
        self.pool.put(warm);
        self.memory.tell_of_room();
    }

    /// Requests in flight.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// The environment of its wasm instances; empty until the droplet is loaded.
    pub(crate) fn environment(&self) -> &[(String, String)] {
        self.environment.get().map_or(&[], Vec::as_slice)
    }

    /// What its wasm instances see as their file system.
    pub(crate) fn files<'a>(&'a self, program: &'a Program) -> Option<&'a Path> {
        self.files.get().map(ServiceFiles::folder).or(program.files.as_deref())
    }

    /// The reuse policy that applies: the app's own choice, or the droplet's.
    pub(crate) fn reuse(&self, program: &Program) -> ReusePolicy {
        self.process.reuse.unwrap_or(program.reuse)
    }

    /// The droplet ready to run. A failure is written to the app's log.
    pub(crate) async fn program(&self) -> Result<(Arc<Program>, bool), CellError> {
        self.try_program().await.map_err(|error| self.load_failed(&error))
    }

    /// The same without a word to the app's log.
    pub(crate) async fn try_program(&self) -> Result<(Arc<Program>, bool), LoadError> {
        let loaded = self.cell.loader.program(&self.droplet).await?;
        let make = if self.is_task { environment::of_task } else { environment::environment };
        self.environment.get_or_init(|| make(&self.process, &self.instance, &loaded.0.environment));
        self.mode.get_or_init(|| Mode::of(loaded.0.guest, &self.process));
        if !self.process.files.is_empty() && loaded.0.needs.files {
            let make = || ServiceFiles::make(self.cell.loader.cache(), loaded.0.files.clone(), self.process.files.clone());
            self.files.get_or_try_init(make).await?;
        }
        Ok(loaded)
    }

    /// What it does between requests. Reads the droplet's description, but maps no code.
    pub(crate) async fn mode(&self) -> Result<Mode, LoadError> {
        if let Some(mode) = self.mode.get() {
            return Ok(*mode);
        }
        let guest = self.cell.loader.guest(&self.droplet).await?;
        Ok(*self.mode.get_or_init(|| Mode::of(guest, &self.process)))
    }

    /// The ways to it from this worker, where it is a server.
    pub(crate) fn clients(self: &Arc<Self>) -> Arc<Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| Arc::new(Clients::new(self))).clone()
    }

    /// A connection to it, where it lives in this worker.
    pub(crate) async fn local_link(&self) -> Result<HostEnd, NoConnection> {
        let wait = self.cell.limits.queue_wait();
        self.life.listener(self).connect(wait).await
    }

    /// A connection for a TCP route.
    pub(crate) async fn connect(self: &Arc<Self>) -> Result<Connection, CellError> {
        if self.mode().await.map_err(|error| self.load_failed(&error))? == Mode::Requests {
            return Ok(Box::new(guest::wire::connect(self)));
        }
        Ok(Box::new(self.link().await?))
    }

    /// Says why there is no connection to it.
    pub(crate) fn no_connection(&self, problem: NoConnection) -> CellError {
        match problem {
            NoConnection::Over => CellError::Gone,
            NoConnection::Full => self.overloaded("server_connections"),
            NoConnection::NotListening => {
                let reason = format!("nothing listens on port {}", environment::PORT);
                self.log.cell(format!("a request failed: {reason}"));
                CellError::Guest(reason)
            }
        }
    }

    /// Writes it to the app's log.
    pub(crate) fn load_failed(&self, error: &LoadError) -> CellError {
        self.log.cell(format!("the app could not be loaded: {error}"));
        CellError::Load(error.to_string())
    }

    /// Serves one request.
    pub(crate) async fn serve(self: &Arc<Self>, request: http::Request<Body>) -> Result<http::Response<Body>, CellError> {
        let started = Instant::now();
        self.in_flight.fetch_add(1, Relaxed);
        let mut slot = Slot { instance: self.clone(), _permit: None, _running: None };
        self.requests.fetch_add(1, Relaxed);
        if self.mode.get() == Some(&Mode::Lives) {
            return guest::server::serve(slot, request).await;
        }
        slot._running = Some(self.cell.ticker.running());
        let (program, was_unmapped) = self.program().await?;
        if self.mode.get() == Some(&Mode::Lives) {
            slot._running = None;
            return guest::server::serve(slot, request).await;
        }
        if request.headers().contains_key(http::header::UPGRADE) {
            return Err(CellError::NoConnections);
        }
        if matches!(program.kind, Kind::HttpP2(_) | Kind::Command) {
            slot._permit = Some(self.admit().await?);
        }
        let queue_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let (mut answer, was_made) = match &program.kind {
            Kind::HttpP2(_) => guest::http_p2::serve(slot, program, request).await?,
            Kind::HttpP3(_) => guest::http_p3::serve(slot, program, request).await?,
            Kind::Command => guest::cgi::serve(slot, program, request).await?,
            Kind::Static(site) => (site.serve(request, slot).await, false),
        };
        let cold = was_unmapped || was_made;
        if cold {
            self.cold_starts.fetch_add(1, Relaxed);
        }
        answer.extensions_mut().insert(ServedBy { cold, queue_ns });
        Ok(answer)
    }

    /// Waits for a free wasm instance, not for long.
    pub(crate) async fn admit(&self) -> Result<OwnedSemaphorePermit, CellError> {
        if let Ok(permit) = self.admission.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let wait = self.cell.limits.queue_wait();
        match tokio::time::timeout(wait, self.admission.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(self.overloaded("wasm_instances_per_app_instance")),
        }
    }

    /// Says in the app's log that a limit kept a request out.
    pub(crate) fn overloaded(&self, limit: &'static str) -> CellError {
        self.log.cell(format!("request refused: the app instance is at its limit of {limit}"));
        CellError::Overloaded { limit, retry_after_seconds: RETRY_AFTER_SECONDS }
    }

    /// Turns the end of a guest into an error for the router, and writes it to the app's log.
    pub(crate) fn guest_failed(&self, error: &wasmtime::Error, memory_was_refused: bool) -> CellError {
        let hit = error.downcast_ref::<LimitHit>().copied().or(memory_was_refused.then_some(LimitHit::Memory));
        match hit {
            Some(hit) => self.limit_hit(hit),
            None => {
                let reason = reason(error);
                self.log.cell(format!("the app failed: {reason}"));
                CellError::Guest(reason)
            }
        }
    }

    /// A limit that ended a request.
    pub(crate) fn limit_hit(&self, hit: LimitHit) -> CellError {
        let limits = &self.cell.limits.cell;
        let allowed = match hit {
            LimitHit::Cpu => format!("{} ms of CPU time", limits.request_cpu_ms),
            LimitHit::Wall => format!("{} ms from start to end", limits.request_wall_ms),
            LimitHit::Memory => format!("{} MB of memory", self.process.memory_mb),
        };
        self.log.cell(format!("request ended: the app exceeded its limit {hit} ({allowed})"));
        CellError::Limit { limit: hit.name(), is_time: hit.is_time() }
    }

    /// Measured use so far.
    pub(crate) fn usage(&self) -> InstanceUsage {
        InstanceUsage {
            cpu_ns: self.cpu_ns.load(Relaxed),
            memory_bytes: self.memory.most_lately(Instant::now()) as u64,
            disk_bytes: self.droplet.disk_bytes(),
            log_bytes_per_second: self.log.bytes_per_second(),
            requests: self.requests.load(Relaxed),
            cold_starts: self.cold_starts.load(Relaxed),
            wasm_instances: self.wasm_instances.load(Relaxed),
        }
    }

    /// Its part of the worker's report.
    pub(crate) fn report(&self, worker: u32) -> InstanceReport {
        let (state, details, ready) = self.health.now(self.instance.probe_worker == worker);
        InstanceReport { instance: self.instance.guid, process: self.process.process, state, details, ready, usage: self.usage() }
    }

    /// Retires wasm instances that served nothing for a while.
    pub(crate) fn retire_idle(&self, idle: Duration) {
        self.pool.retire_idle(idle);
        if self.in_flight() == 0 && !self.has_wasm_instances() {
            self.concurrent.clear();
        }
    }

    /// Ends what outlives requests; requests in flight end on their own.
    pub(crate) fn leave(&self) {
        self.gone.cancel();
        self.pool.clear();
        self.concurrent.clear();
        // Its idle connections close; those with a request end with it.
        drop(self.clients.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// The innermost reason and where it happened, without the address columns of a backtrace.
pub(crate) fn reason(error: &wasmtime::Error) -> String {
    let root = error.root_cause().to_string();
    let at = error.downcast_ref::<wasmtime::WasmBacktrace>().and_then(|trace| trace.frames().first()?.func_name().map(str::to_owned));
    match at {
        Some(function) => format!("{root} in {function}"),
        None => root,
    }
}
