//! A router on a free port with a cell made of a closure, and clients that speak bytes.
#![allow(dead_code, reason = "each test binary uses its own part of the rig")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

use http::{Request, Response};
use http_body_util::BodyExt as _;
use std::{
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use virga_contract::{
    Body, body,
    cell::{Cell, CellDestination, CellError, CellInstance, CellProcess, CellRoute, CellSnapshot, Connection, Endpoint},
    limits::RouterLimits,
    logs::{Envelope, LogSink, Message},
};
use virga_model::{
    AppGuid, InstanceGuid, OrgGuid, ProcessGuid, Sha256Digest, SpaceGuid,
    process::{HealthCheck, HealthCheckType},
    route::RouteProtocol,
};
use virga_router::{Router, RouterConfig};

pub type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, CellError>> + Send>>;

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(10);

pub const APP: &str = "00000000-0000-0000-0000-000000000001";
pub const HOST: &str = "app.example.com";

struct FakeCell<F>(F, TaskTracker);

#[async_trait::async_trait]
impl<F: Fn(Endpoint, Request<Body>) -> Answer + Send + Sync + 'static> Cell for FakeCell<F> {
    async fn serve(&self, endpoint: Endpoint, request: Request<Body>) -> Result<Response<Body>, CellError> {
        (self.0)(endpoint, request).await
    }

    /// A server that says its index, then everything it hears.
    async fn connect(&self, endpoint: Endpoint) -> Result<Connection, CellError> {
        let (ours, theirs) = tokio::io::duplex(1024);
        self.1.spawn(async move {
            let (mut from, mut to) = tokio::io::split(theirs);
            to.write_all(format!("instance {}\n", endpoint.index).as_bytes()).await.unwrap();
            tokio::io::copy(&mut from, &mut to).await.ok();
            to.shutdown().await.ok();
        });
        Ok(Box::new(ours))
    }

    fn in_flight(&self, _: InstanceGuid) -> u32 {
        0
    }
}

/// The app's log, as lines.
#[derive(Default)]
pub struct Lines {
    lines: Mutex<Vec<String>>,
    changed: Notify,
}

impl Lines {
    /// All of them so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl LogSink for Lines {
    fn emit(&self, envelope: Envelope) {
        assert_eq!((envelope.app, &*envelope.source_type, envelope.instance_index), (app(), "RTR", 3));
        let Message::Log { payload, .. } = envelope.message else { panic!("not a line") };
        self.lines.lock().unwrap().push(String::from_utf8(payload.to_vec()).unwrap());
        self.changed.notify_waiters();
    }
}

/// Where route services of tests may be.
pub const ALLOWED: &str = "127.0.0.2";

pub struct Rig {
    pub router: Arc<Router>,
    pub address: SocketAddr,
    pub log: Arc<Lines>,
    pub stop: CancellationToken,
    tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

/// Small limits, so that tests need not wait.
pub fn limits() -> RouterLimits {
    RouterLimits { body_bytes: 1_000_000, drain_ms: 5_000, ..RouterLimits::default() }
}

impl Rig {
    pub async fn start<F>(cell: F) -> Self
    where
        F: Fn(Endpoint, Request<Body>) -> Answer + Send + Sync + 'static,
    {
        Self::with(limits(), cell).await
    }

    pub async fn with<F>(limits: RouterLimits, cell: F) -> Self
    where
        F: Fn(Endpoint, Request<Body>) -> Answer + Send + Sync + 'static,
    {
        let folder = tempfile::tempdir().unwrap();
        let config = RouterConfig {
            worker: 3,
            limits,
            system_hosts: vec!["api.example.com".into()],
            bare_hosts: vec!["box:8080".into()],
            api_socket: folder.path().join("api.sock"),
            balancing: virga_router::Balancing::RoundRobin,
            sticky_cookies: vec!["JSESSIONID".into()],
            trusted_proxies: Vec::new(),
            tcp_listen: Some(std::net::Ipv4Addr::LOCALHOST.into()),
            route_service_key: [7; 32],
            route_service_addresses: vec![ALLOWED.parse().unwrap()],
            platform: Vec::new(),
        };
        let log = Arc::new(Lines::default());
        let router = Router::new(config, Arc::new(FakeCell(cell, TaskTracker::new())), log.clone());
        router.apply(&snapshot(&[true, true]));
        let listener = virga_router::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(router.clone().serve(listener, stop.clone()));
        Self { router, address, log, stop, tasks, _folder: folder }
    }

    pub fn api_socket(&self) -> PathBuf {
        self._folder.path().join("api.sock")
    }

    pub async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// One request on a connection of its own, everything that comes back until the router closes.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> String {
        let mut client = self.connect().await;
        client.send(request).await;
        client.rest().await
    }

    pub async fn get(&self, extra: &str) -> String {
        self.raw(format!("GET /p HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{extra}\r\n")).await
    }

    /// The first line of the app's log that fits.
    pub async fn line(&self, fits: impl Fn(&str) -> bool) -> String {
        patient(async {
            loop {
                let changed = self.log.changed.notified();
                if let Some(line) = self.log.lines.lock().unwrap().iter().find(|line| fits(line)) {
                    return line.clone();
                }
                changed.await;
            }
        })
        .await
    }

    /// Waits for the router to have stopped.
    pub async fn stopped(mut self) {
        patient(self.tasks.join_next()).await.unwrap().unwrap();
    }
}

/// A client that speaks bytes.
pub struct Client(pub TcpStream);

impl Client {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads until what was read ends with `end`.
    pub async fn until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        patient(async {
            while !read.ends_with(end.as_bytes()) {
                let byte = self.0.read_u8().await;
                let byte = byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&read)));
                read.push(byte);
            }
        })
        .await;
        String::from_utf8(read).unwrap()
    }

    /// Everything until the router closes; a reset counts as such.
    pub async fn rest(&mut self) -> String {
        let mut read = Vec::new();
        let _ = patient(self.0.read_to_end(&mut read)).await;
        String::from_utf8_lossy(&read).into_owned()
    }
}

pub async fn patient<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("took too long")
}

pub fn answer(result: Result<Response<Body>, CellError>) -> Answer {
    Box::pin(std::future::ready(result))
}

pub fn hello() -> Answer {
    answer(Ok(Response::new(body::full("hello"))))
}

/// Answers with the head and body of the request, as text.
pub fn mirror(endpoint: Endpoint, request: Request<Body>) -> Answer {
    Box::pin(async move {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|error| CellError::Guest(error.to_string()))?.to_bytes();
        let mut text = format!("{} {} index={}\n", parts.method, parts.uri, endpoint.index);
        for (name, value) in &parts.headers {
            text += &format!("{name}={}\n", value.to_str().unwrap());
        }
        text += &String::from_utf8_lossy(&body);
        Ok(Response::new(body::full(text)))
    })
}

/// `HOST` and `HOST/starting`, the one with these instances, the other with none that is ready.
pub fn snapshot(routable: &[bool]) -> CellSnapshot {
    let starting = ProcessGuid::from_u128(2);
    let route = |path: &str, process| CellRoute {
        host: HOST.into(),
        path: path.into(),
        destinations: vec![CellDestination { process, weight: None, protocol: RouteProtocol::Http1 }],
        balancing: None,
        route_service: None,
    };
    CellSnapshot {
        store_id: "store".into(),
        revision: 7,
        processes: vec![process(app().into(), routable), process(starting, &[false])],
        routes: vec![route("", app().into()), route("/starting", starting)],
        ..CellSnapshot::default()
    }
}

fn app() -> AppGuid {
    AppGuid::from_u128(1)
}

pub fn instance(index: u32) -> InstanceGuid {
    InstanceGuid::from_u128(100 + u128::from(index))
}

fn process(guid: ProcessGuid, routable: &[bool]) -> Arc<CellProcess> {
    let instances = routable.iter().zip(0..);
    Arc::new(CellProcess {
        process: guid,
        process_type: "web".into(),
        app: app(),
        app_name: "app".into(),
        space: SpaceGuid::from_u128(1),
        organization: OrgGuid::from_u128(1),
        version: "1".into(),
        droplet: Sha256Digest::of(b""),
        command: None,
        memory_mb: 64,
        disk_mb: 64,
        log_rate_limit_bytes_per_second: -1,
        environment: Default::default(),
        files: [].into(),
        health_check: HealthCheck::of(HealthCheckType::Port),
        readiness_check: HealthCheck::of(HealthCheckType::Process),
        reuse: None,
        egress: Vec::new(),
        instances: instances
            .map(|(routable, index)| CellInstance { guid: instance(index), index, probe_worker: 0, routable: *routable })
            .collect(),
    })
}
