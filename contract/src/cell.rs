//! Between the control process and its cell workers, and between router and cell inside a worker.
//!
//! One way go whole snapshots with a revision, the other way reports and logs in batches. A snapshot is applied again
//! and again; nothing depends on having seen the one before.

use crate::{Body, ByteStream, logs::Envelope};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use virga_model::{
    AppGuid, InstanceGuid, OrgGuid, ProcessGuid, ServiceCredentialBindingGuid, ServiceInstanceGuid, Sha256Digest, SpaceGuid, TaskGuid,
    egress::EgressRule,
    process::{HealthCheck, ReusePolicy},
    route::{LoadBalancing, RouteProtocol},
    service::HostHeld,
    state::{InstanceState, TaskState},
};

/// Number of a worker process on its box, from 0.
pub type WorkerIndex = u32;

/// Everything a worker needs to serve, whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CellSnapshot {
    /// Identity of the database it came from. A worker that serves apps of one store refuses a snapshot of another:
    /// an empty or foreign database must never stop running apps.
    pub store_id: String,
    /// Grows with every change, also over restarts of the control process.
    pub revision: u64,
    /// Processes that should run here.
    pub processes: Vec<Arc<CellProcess>>,
    /// Routes to them.
    pub routes: Vec<CellRoute>,
    /// TCP routes to them.
    pub tcp_routes: Vec<CellTcpRoute>,
    /// Routes that apps alone reach, by outbound requests, where a policy allows it.
    #[serde(default)]
    pub internal_routes: Vec<CellRoute>,
    /// Which app may reach which over internal routes; what is not named is refused.
    #[serde(default)]
    pub policies: Vec<CellPolicy>,
    /// Under which names apps reach services that they are bound to, without a credential.
    #[serde(default)]
    pub services: Vec<CellService>,
    /// Tasks that should run here. One that is no longer named is cancelled where it still runs, and forgotten.
    pub tasks: Vec<Arc<CellTask>>,
}

/// A network policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CellPolicy {
    /// The app that asks.
    pub source: AppGuid,
    /// The app that answers.
    pub destination: AppGuid,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// First of the destination's ports.
    pub first_port: u16,
    /// Last of them.
    pub last_port: u16,
}

/// One name of a service, for one app: `<label>.services.internal`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellService {
    /// The app that is bound.
    pub app: AppGuid,
    /// Lower case.
    pub label: String,
    /// Where the name leads.
    pub instance: ServiceInstanceGuid,
    /// On whose behalf.
    pub binding: ServiceCredentialBindingGuid,
    /// Where it leads outside, and with what; none for an instance of the platform's own services.
    pub held: Option<Arc<HostHeld>>,
}

/// A port of the router that leads to processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellTcpRoute {
    /// The port that clients connect to.
    pub port: u16,
    /// Where connections go; endpoints are the routable instances of these processes.
    pub destinations: Vec<CellDestination>,
}

/// One run of a command of an app to its end (`cf run-task`). It runs at most once: only the very worker process it was
/// given to may start it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellTask {
    /// The task.
    pub task: TaskGuid,
    /// Its name, for logs.
    pub name: String,
    /// The worker that runs it.
    pub worker: WorkerIndex,
    /// Process id of that worker, as in its reports. A worker of the same number with another one leaves the task alone; the
    /// scheduler then fails it.
    pub pid: u32,
    /// The app it belongs to.
    pub app: AppGuid,
    /// App name, for `VCAP_APPLICATION` and logs.
    pub app_name: String,
    /// Space of the app.
    pub space: SpaceGuid,
    /// Organization of the app.
    pub organization: OrgGuid,
    /// The droplet's archive.
    pub droplet: Sha256Digest,
    /// What to run: a process type of the droplet, or a command line for its program.
    pub command: String,
    /// Memory limit.
    pub memory_mb: u64,
    /// Disk limit.
    pub disk_mb: u64,
    /// Bytes of log per second; -1 is unlimited.
    pub log_rate_limit_bytes_per_second: i64,
    /// The app's environment, as in [`CellProcess::environment`].
    pub environment: BTreeMap<String, String>,
    /// As [`CellProcess::files`].
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Allowed destinations; none is deny all.
    pub egress: Vec<EgressRule>,
}

/// A task in a report: from its start on, and after its end until the snapshot no longer names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Which.
    pub task: TaskGuid,
    /// RUNNING, SUCCEEDED or FAILED.
    pub state: TaskState,
    /// Why it failed.
    pub failure_reason: Option<String>,
}

/// One process and the instances of it that should run on this cell. Every worker of a cell serves every HTTP
/// instance with wasm instances of its own; `probe_worker` alone probes and reports its health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellProcess {
    /// The process.
    pub process: ProcessGuid,
    /// `web`, …
    pub process_type: String,
    /// The app it belongs to.
    pub app: AppGuid,
    /// App name, for `VCAP_APPLICATION` and logs.
    pub app_name: String,
    /// Space of the app.
    pub space: SpaceGuid,
    /// Organization of the app.
    pub organization: OrgGuid,
    /// Changes whenever instances must be replaced (restart, new droplet, new environment).
    pub version: String,
    /// The droplet's archive.
    pub droplet: Sha256Digest,
    /// Command of this process, where one is set.
    pub command: Option<String>,
    /// Memory limit of one app instance, all its wasm instances on this cell together.
    pub memory_mb: u64,
    /// Disk limit of one app instance.
    pub disk_mb: u64,
    /// Bytes of log per second; -1 is unlimited.
    pub log_rate_limit_bytes_per_second: i64,
    /// The app's environment with groups, `VCAP_SERVICES` and `VCAP_APPLICATION` merged in. The cell adds what differs per
    /// instance: `PORT`, `CF_INSTANCE_*`, `INSTANCE_*`, and instance fields in `VCAP_APPLICATION`.
    pub environment: BTreeMap<String, String>,
    /// Texts that its guests find in their file system beside the droplet's files, by absolute path: credentials of bound services.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Liveness.
    pub health_check: HealthCheck,
    /// Readiness; `process` is off.
    pub readiness_check: HealthCheck,
    /// The app's own choice, over the droplet's default.
    pub reuse: Option<ReusePolicy>,
    /// Allowed destinations; none is deny all.
    pub egress: Vec<EgressRule>,
    /// The instances.
    pub instances: Vec<CellInstance>,
}

/// One app instance on this cell. A guest that lives on its own between requests (a server, a worker) lives in the worker
/// that probes it, and in no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellInstance {
    /// New for every start.
    pub guid: InstanceGuid,
    /// 0-based.
    pub index: u32,
    /// The worker that probes its health and reports its state.
    pub probe_worker: WorkerIndex,
    /// Whether the router may send requests to it (its probe has passed).
    pub routable: bool,
}

/// One route; the router looks it up by host, then longest path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellRoute {
    /// Lower case, no port; `*.domain` for a wildcard.
    pub host: String,
    /// Empty or `/…`; a prefix on segment borders.
    pub path: String,
    /// Where requests go; endpoints are the routable instances of these processes.
    pub destinations: Vec<CellDestination>,
    /// The route's own choice of how requests are spread; the router's otherwise. Weights of destinations go before it.
    #[serde(default)]
    pub balancing: Option<LoadBalancing>,
    /// URL of the route service that requests go through first.
    #[serde(default)]
    pub route_service: Option<String>,
}

/// A destination of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellDestination {
    /// The process.
    pub process: ProcessGuid,
    /// 1 to 100; none on every destination means equal shares.
    pub weight: Option<u8>,
    /// Protocol towards the instance.
    pub protocol: RouteProtocol,
}

/// What a worker is told once at its start, and after each reconnect.
#[derive(Clone, Serialize, Deserialize)]
pub struct WorkerConfig {
    /// Key with which precompiled code is authenticated before it is mapped. A secret.
    pub code_key: [u8; 32],
    /// Folder shared by the workers of this box for droplets and code.
    pub cache_dir: std::path::PathBuf,
    /// Host names of the system's own API (`api.`, `uaa.`, … under the domain); requests for them go to `api_socket`.
    pub system_hosts: Vec<String>,
    /// Addresses at which the system API answers without DNS (`127.0.0.1:8080`, `localhost:8080`).
    pub bare_hosts: Vec<String>,
    /// Unix socket of the control process's API server.
    pub api_socket: std::path::PathBuf,
    /// Addresses (IP or CIDR) of the platform itself that no guest may reach, besides loopback and link-local.
    pub denied_addresses: Vec<String>,
    /// Number of workers on this box.
    pub workers: u32,
    /// Folder in which each worker has a socket over which the others reach the guests that live in it. Private.
    #[serde(default)]
    pub guest_sockets: std::path::PathBuf,
    /// Where the platform's own services answer; none where there are none.
    #[serde(default)]
    pub services_socket: Option<std::path::PathBuf>,
    /// Addresses that route services may be at although they are reserved, private or the platform's own.
    #[serde(default)]
    pub route_service_addresses: Vec<String>,
    /// Address at which TCP routes listen; none opens no port.
    #[serde(default)]
    pub tcp_listen: Option<std::net::IpAddr>,
    /// Load balancers in front (IP or CIDR), whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed.
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    /// Limits on guests.
    pub cell_limits: crate::limits::CellLimits,
    /// Limits on clients.
    pub router_limits: crate::limits::RouterLimits,
}

impl std::fmt::Debug for WorkerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerConfig").field("cache_dir", &self.cache_dir).field("system_hosts", &self.system_hosts).finish_non_exhaustive()
    }
}

/// What a worker reports, every second and whenever something changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellReport {
    /// Who reports.
    pub worker: WorkerIndex,
    /// Its process id.
    pub pid: u32,
    /// The revision that router and cell of this worker have applied.
    pub applied_revision: u64,
    /// State of every instance this worker probes, and use of every instance it served.
    pub instances: Vec<InstanceReport>,
    /// Tasks given to this worker.
    pub tasks: Vec<TaskReport>,
    /// Counters of the worker's router since its start.
    pub router: RouterCounters,
}

/// One instance in a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// Which.
    pub instance: InstanceGuid,
    /// Its process.
    pub process: ProcessGuid,
    /// Set only by the instance's `probe_worker`: STARTING, RUNNING or CRASHED.
    pub state: Option<InstanceState>,
    /// Why it crashed, or what the probe waits for.
    pub details: Option<String>,
    /// Readiness, as far as this worker probes it.
    pub ready: bool,
    /// Use by this worker alone; the control process adds the workers up.
    pub usage: InstanceUsage,
}

/// Measured use of one instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceUsage {
    /// CPU time since the start of the instance, nanoseconds.
    pub cpu_ns: u64,
    /// The most linear memory that its wasm instances held at one time in the last second or two, bytes.
    pub memory_bytes: u64,
    /// Disk used, bytes.
    pub disk_bytes: u64,
    /// Bytes of log in the last second.
    pub log_bytes_per_second: u64,
    /// Requests served since the start.
    pub requests: u64,
    /// Requests that had to wait for code to be mapped or for a new wasm instance of a pool.
    pub cold_starts: u64,
    /// Wasm instances alive.
    pub wasm_instances: u64,
}

/// Counters of one worker's router since its start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RouterCounters {
    /// Answers by status class: index 0 is 1xx … 4 is 5xx.
    pub responses_by_class: [u64; 5],
    /// Answers the router made itself, by `X-Cf-RouterError`.
    pub router_errors: BTreeMap<String, u64>,
    /// Requests in flight.
    pub in_flight: u64,
    /// Cumulative latency histogram: upper bounds in [`LATENCY_BOUNDS_SECONDS`], then +Inf.
    pub latency_buckets: Vec<u64>,
    /// Sum of latencies, seconds.
    pub latency_sum_seconds: f64,
    /// Envelopes dropped because the control process was away or a queue was full.
    pub dropped_envelopes: u64,
    /// Ports of TCP routes that this worker listens on.
    #[serde(default)]
    pub tcp_ports: u64,
    /// Ports of TCP routes that it should listen on and cannot.
    #[serde(default)]
    pub tcp_ports_failed: u64,
    /// Connections over TCP routes and upgraded connections that are open.
    #[serde(default)]
    pub tunnels: u64,
}

/// Upper bounds of [`RouterCounters::latency_buckets`].
pub const LATENCY_BOUNDS_SECONDS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// A failure of the link between worker and control process; the next try is the retry.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other side cannot be reached now.
    #[error("the control process is away: {0}")]
    Away(String),
    /// The thing asked for does not exist.
    #[error("{0} is not there")]
    Missing(String),
    /// The other side failed or answered nonsense.
    #[error("the control process failed: {0}")]
    Failed(String),
}

/// The control process as a cell worker sees it. Served over a Unix socket on one box.
#[async_trait::async_trait]
pub trait ControlPlane: Send + Sync + 'static {
    /// What this worker must know before anything else.
    async fn config(&self, worker: WorkerIndex) -> Result<WorkerConfig, LinkError>;

    /// The newest snapshot if its revision differs from `have`; otherwise waits for one, up to `wait`, then `None`.
    async fn snapshot(&self, worker: WorkerIndex, have: Option<u64>, wait: Duration) -> Result<Option<Arc<CellSnapshot>>, LinkError>;

    /// Takes a report.
    async fn report(&self, report: CellReport) -> Result<(), LinkError>;

    /// Takes a batch of envelopes.
    async fn logs(&self, batch: Vec<Envelope>) -> Result<(), LinkError>;

    /// A droplet's archive.
    async fn droplet(&self, droplet: Sha256Digest) -> Result<ByteStream, LinkError>;

    /// Precompiled, authenticated code of a component (its digest within `droplet`) for an engine key; compiled now, in a
    /// limited process, if there is none yet.
    async fn code(&self, droplet: Sha256Digest, component: Sha256Digest, engine_key: &str) -> Result<ByteStream, LinkError>;
}

/// An instance that the router has picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The process.
    pub process: ProcessGuid,
    /// The instance.
    pub instance: InstanceGuid,
    /// Its index.
    pub index: u32,
}

/// Put by the cell into the extensions of an answer, for the access log.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServedBy {
    /// Whether code had to be mapped or a pooled wasm instance made first.
    pub cold: bool,
    /// Time the request waited for a wasm instance, nanoseconds.
    pub queue_ns: u64,
}

/// Why the cell has no answer. Each was also written to the app's own log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CellError {
    /// The instance is not (or no longer) on this cell; another may be tried.
    #[error("the instance is not on this cell")]
    Gone,
    /// All wasm instances are busy and the wait is over; 503 with `Retry-After`.
    #[error("the app instance is at its limit of {limit}")]
    Overloaded {
        /// Which limit, by the name it has in `docs/limits.md`.
        limit: &'static str,
        /// When to come again.
        retry_after_seconds: u32,
    },
    /// The guest trapped, exited or broke off before it answered; 502.
    #[error("the app failed: {0}")]
    Guest(String),
    /// A limit ended the guest (CPU, wall time, memory); 502, or 504 for time.
    #[error("the app exceeded its limit: {limit}")]
    Limit {
        /// Which limit, by the name it has in `docs/limits.md`.
        limit: &'static str,
        /// Whether it was a limit on time.
        is_time: bool,
    },
    /// Code or droplet could not be loaded; 502.
    #[error("the app could not be loaded: {0}")]
    Load(String),
    /// This kind of guest has no connections, only requests: nothing can be upgraded to.
    #[error("this kind of app cannot take over a connection")]
    NoConnections,
}

/// A connection to a guest that listens by itself.
pub trait Duplex: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Duplex for T {}

/// See [`Duplex`].
pub type Connection = Box<dyn Duplex>;

/// Put by the cell into the extensions of an answer that upgrades its connection: the instance counts it as in flight as
/// long as it lives.
#[derive(Clone)]
pub struct InFlight(pub Arc<dyn std::any::Any + Send + Sync>);

/// The cell as the router of the same worker calls it: directly, no socket, no copy of the body.
#[async_trait::async_trait]
pub trait Cell: Send + Sync + 'static {
    /// Serves one request. The request has already been given its forwarding headers. Where its extensions hold
    /// [`RouteProtocol::Http2`], a server is spoken to in HTTP/2. A request with an `Upgrade` header asks to take its
    /// connection over; the answer 101 then carries [`InFlight`] and the upgraded connection in its extensions.
    async fn serve(&self, endpoint: Endpoint, request: http::Request<Body>) -> Result<http::Response<Body>, CellError>;

    /// A connection to an instance, for TCP routes. A guest that only answers requests is spoken to in HTTP.
    async fn connect(&self, endpoint: Endpoint) -> Result<Connection, CellError>;

    /// Requests now in flight on an instance, for least-connection balancing.
    fn in_flight(&self, instance: InstanceGuid) -> u32;
}
