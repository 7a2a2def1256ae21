//! A cell with a control process made of maps: it serves the droplets and compiled code it was given, as the real one does.

#![allow(dead_code, reason = "each test file uses its part")]

use bytes::Bytes;
use http_body_util::BodyExt as _;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use virga_contract::{
    Body, ByteStream, body,
    cell::{
        Cell as _, CellError, CellInstance, CellProcess, CellReport, CellSnapshot, CellTask, ControlPlane, Endpoint, LinkError,
        WorkerConfig, WorkerIndex,
    },
    limits::{CellLimits, RouterLimits},
    logs::{Envelope, LogSink, Message},
};
use virga_engine::{archive, code::CodeSeal};
use virga_model::{
    AppGuid, InstanceGuid, OrgGuid, ProcessGuid, Sha256Digest, SpaceGuid, TaskGuid,
    droplet::{BuildpackRef, DropletManifest, GuestKind, StaticSite},
    process::{HealthCheck, HealthCheckType, ReusePolicy},
    state::InstanceState,
};
use virga_runtime::CellHost;

const KEY: [u8; 32] = [42; 32];

/// The sample app, with the function that decides on the answer replaced: it may `call $say` and gives a status.
pub fn guest(answer: &str) -> Vec<u8> {
    let hello = include_str!("../../../tests/apps/wat-hello/app.wat");
    let start = hello.find("(func $answer").unwrap();
    let end = hello.find("(func (export \"handle\")").unwrap();
    let source = format!("{}(func $answer (param $at i32) (param $size i32) (result i32) {answer})\n{}", &hello[..start], &hello[end..]);
    wat::parse_str(source).unwrap()
}

/// The sample app itself.
pub fn hello() -> Vec<u8> {
    wat::parse_str(include_str!("../../../tests/apps/wat-hello/app.wat")).unwrap()
}

/// The sample app, with a piece of its text replaced.
pub fn hello_with(old: &str, new: &str) -> Vec<u8> {
    let hello = include_str!("../../../tests/apps/wat-hello/app.wat");
    assert!(hello.contains(old));
    wat::parse_str(hello.replacen(old, new, 1)).unwrap()
}

/// The sample server, worker and command, compiled with the compiler at hand for `wasm32-wasip2`, which `tests/run` installs.
pub fn server() -> Vec<u8> {
    static BUILT: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/apps/rust-server/src/main.rs");
        let folder = tempfile::tempdir().unwrap();
        let built = folder.path().join("server.wasm");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let options = ["--edition", "2024", "--target", "wasm32-wasip2", "-C", "opt-level=s", "-C", "strip=debuginfo", "-C", "panic=abort"];
        let output = std::process::Command::new(rustc).args(options).arg("-o").arg(&built).arg(source).output().unwrap();
        assert!(output.status.success(), "rustup target add wasm32-wasip2?\n{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(built).unwrap()
    });
    BUILT.clone()
}

#[derive(Default)]
pub struct Control {
    droplets: Mutex<HashMap<Sha256Digest, Bytes>>,
    components: Mutex<HashMap<Sha256Digest, Vec<u8>>>,
    pub compiled: AtomicUsize,
}

fn stream(bytes: Bytes) -> ByteStream {
    Box::pin(futures::stream::iter([Ok(bytes)]))
}

#[async_trait::async_trait]
impl ControlPlane for Control {
    async fn config(&self, _worker: WorkerIndex) -> Result<WorkerConfig, LinkError> {
        Err(LinkError::Away("not asked for here".into()))
    }

    async fn snapshot(&self, _worker: WorkerIndex, _have: Option<u64>, _wait: Duration) -> Result<Option<Arc<CellSnapshot>>, LinkError> {
        Ok(None)
    }

    async fn report(&self, _report: CellReport) -> Result<(), LinkError> {
        Ok(())
    }

    async fn logs(&self, _batch: Vec<Envelope>) -> Result<(), LinkError> {
        Ok(())
    }

    async fn droplet(&self, droplet: Sha256Digest) -> Result<ByteStream, LinkError> {
        let bytes = self.droplets.lock().unwrap().get(&droplet).cloned();
        bytes.map(stream).ok_or_else(|| LinkError::Missing(droplet.to_string()))
    }

    async fn code(&self, _droplet: Sha256Digest, component: Sha256Digest, engine_key: &str) -> Result<ByteStream, LinkError> {
        let wasm = self.components.lock().unwrap().get(&component).cloned().ok_or_else(|| LinkError::Missing(component.to_string()))?;
        self.compiled.fetch_add(1, Ordering::Relaxed);
        let engine = virga_engine::for_compiling(None).unwrap();
        let code = virga_engine::compile(&engine, &wasm, |_| false).map_err(|error| LinkError::Failed(error.to_string()))?.code;
        Ok(stream(CodeSeal::new(KEY, engine_key).seal(&component, code).into()))
    }
}

/// Every line, with its source in front.
#[derive(Default)]
pub struct Lines(Mutex<Vec<String>>, tokio::sync::Notify);

impl LogSink for Lines {
    fn emit(&self, envelope: Envelope) {
        if let Message::Log { payload, .. } = envelope.message {
            self.0.lock().unwrap().push(format!("[{}] {}", envelope.source_type, String::from_utf8_lossy(&payload)));
            self.1.notify_waiters();
        }
    }
}

impl Lines {
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until the lines are as `judge` wants them.
    pub async fn until(&self, judge: impl Fn(&[String]) -> bool) {
        loop {
            let changed = self.1.notified();
            if judge(&self.all()) {
                return;
            }
            changed.await;
        }
    }

    pub fn contain(&self, text: &str) -> bool {
        self.all().iter().any(|line| line.contains(text))
    }
}

pub struct World {
    pub host: Arc<CellHost>,
    pub control: Arc<Control>,
    pub lines: Arc<Lines>,
    pub cache: tempfile::TempDir,
    snapshot: Mutex<CellSnapshot>,
}

/// An app of the world.
pub struct App {
    pub endpoint: Endpoint,
}

pub fn limits() -> CellLimits {
    CellLimits { total_wasm_instances: 64, ..CellLimits::default() }
}

/// What a component or a core module imports, as its droplet lists it.
fn imports(wasm: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = 0;
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            wasmparser::Payload::ModuleSection { .. } | wasmparser::Payload::ComponentSection { .. } => inside += 1,
            wasmparser::Payload::End(_) if inside > 0 => inside -= 1,
            wasmparser::Payload::ComponentImportSection(section) if inside == 0 => {
                found.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
            }
            wasmparser::Payload::ImportSection(section) if inside == 0 => {
                found.extend(section.into_imports().map(|import| import.unwrap().module.to_owned()));
            }
            _ => {}
        }
    }
    found
}

pub fn manifest(guest: GuestKind, component: Option<&[u8]>) -> DropletManifest {
    DropletManifest {
        format: 1,
        guest,
        component: component.map(Sha256Digest::of),
        reuse: ReusePolicy::Request,
        process_types: BTreeMap::from([("web".into(), String::new())]),
        buildpack: BuildpackRef { name: "wasm".into(), version: "1".into() },
        environment: BTreeMap::from([("FROM_BUILDPACK".into(), "yes".into()), ("BOTH".into(), "buildpack".into())]),
        imports: component.map(imports).unwrap_or_default(),
        software: vec![],
        site: None,
    }
}

impl World {
    pub fn new(limits: CellLimits) -> Self {
        Self::worker(limits, 0, None)
    }

    /// A worker of this number; `neighbour` is one of the same box.
    pub fn worker(limits: CellLimits, worker: WorkerIndex, neighbour: Option<&Self>) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let control = neighbour.map_or_else(Arc::default, |neighbour| neighbour.control.clone());
        let guest_sockets = neighbour.map_or(cache.path(), |neighbour| neighbour.cache.path()).join("guests");
        let lines = Arc::new(Lines::default());
        let config = WorkerConfig {
            code_key: KEY,
            cache_dir: cache.path().to_owned(),
            system_hosts: vec![],
            bare_hosts: vec![],
            api_socket: "none".into(),
            denied_addresses: vec![],
            workers: 1,
            guest_sockets,
            services_socket: None,
            route_service_addresses: Vec::new(),
            tcp_listen: None,
            trusted_proxies: vec![],
            cell_limits: limits,
            router_limits: RouterLimits::default(),
        };
        let host = CellHost::new(&config, worker, control.clone(), lines.clone()).unwrap();
        let snapshot = CellSnapshot { store_id: "store".into(), ..CellSnapshot::default() };
        Self { host, control, lines, cache, snapshot: Mutex::new(snapshot) }
    }

    /// Puts a component into a droplet and an instance of it onto the cell.
    pub fn push(&self, component: &[u8], adjust: impl FnOnce(&mut CellProcess)) -> App {
        self.push_kind(GuestKind::HttpP2, component, adjust)
    }

    pub fn push_kind(&self, kind: GuestKind, component: &[u8], adjust: impl FnOnce(&mut CellProcess)) -> App {
        self.control.components.lock().unwrap().insert(Sha256Digest::of(component), component.to_vec());
        self.push_droplet(&manifest(kind, Some(component)), Some(component), None, adjust)
    }

    /// Puts a component into a droplet that does not list what it imports.
    pub fn push_unlisted(&self, component: &[u8]) -> App {
        self.control.components.lock().unwrap().insert(Sha256Digest::of(component), component.to_vec());
        let manifest = DropletManifest { imports: vec![], ..manifest(GuestKind::HttpP2, Some(component)) };
        self.push_droplet(&manifest, Some(component), None, |_| {})
    }

    pub fn push_site(&self, files: &std::path::Path, site: StaticSite) -> App {
        let manifest = DropletManifest { site: Some(site), ..manifest(GuestKind::Static, None) };
        self.push_droplet(&manifest, None, Some(files), |_| {})
    }

    fn push_droplet(
        &self,
        manifest: &DropletManifest,
        component: Option<&[u8]>,
        files: Option<&std::path::Path>,
        adjust: impl FnOnce(&mut CellProcess),
    ) -> App {
        let mut bytes = Vec::new();
        let droplet = archive::write(&mut bytes, manifest, component, files).unwrap().digest;
        self.control.droplets.lock().unwrap().insert(droplet, bytes.into());
        let app = AppGuid::random();
        let instance = InstanceGuid::random();
        let mut process = CellProcess {
            process: ProcessGuid::from(app),
            process_type: "web".into(),
            app,
            app_name: "app".into(),
            space: SpaceGuid::random(),
            organization: OrgGuid::random(),
            version: "1".into(),
            droplet,
            command: None,
            memory_mb: 64,
            disk_mb: 64,
            log_rate_limit_bytes_per_second: -1,
            environment: BTreeMap::from([("BOTH".into(), "app".into()), ("VCAP_APPLICATION".into(), "{\"name\":\"app\"}".into())]),
            files: BTreeMap::new(),
            health_check: HealthCheck::of(HealthCheckType::Port),
            readiness_check: HealthCheck::of(HealthCheckType::Process),
            reuse: None,
            egress: vec![],
            instances: vec![CellInstance { guid: instance, index: 0, probe_worker: 0, routable: false }],
        };
        adjust(&mut process);
        let endpoint = Endpoint { process: process.process, instance, index: 0 };
        self.change(|snapshot| snapshot.processes.push(Arc::new(process)));
        App { endpoint }
    }

    /// Puts a component into a droplet that no instance runs.
    pub fn stage(&self, kind: GuestKind, component: &[u8], process_types: &[(&str, &str)]) -> Sha256Digest {
        self.control.components.lock().unwrap().insert(Sha256Digest::of(component), component.to_vec());
        let types = process_types.iter().map(|(name, command)| ((*name).to_owned(), (*command).to_owned())).collect();
        let manifest = DropletManifest { process_types: types, ..manifest(kind, Some(component)) };
        let mut bytes = Vec::new();
        let droplet = archive::write(&mut bytes, &manifest, Some(component), None).unwrap().digest;
        self.control.droplets.lock().unwrap().insert(droplet, bytes.into());
        droplet
    }

    /// A task for this very worker process.
    pub fn task(&self, droplet: Sha256Digest, command: &str) -> CellTask {
        CellTask {
            task: TaskGuid::random(),
            name: "job".into(),
            worker: 0,
            pid: std::process::id(),
            app: AppGuid::random(),
            app_name: "app".into(),
            space: SpaceGuid::random(),
            organization: OrgGuid::random(),
            droplet,
            command: command.into(),
            memory_mb: 64,
            disk_mb: 64,
            log_rate_limit_bytes_per_second: -1,
            environment: BTreeMap::from([("GREETING".into(), "hello".into())]),
            files: BTreeMap::new(),
            egress: vec![],
        }
    }

    /// Waits until the cell says something new and `found` finds what it looks for.
    pub async fn until<T>(&self, mut found: impl FnMut(&Self) -> Option<T>) -> T {
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            self.host.changed().await;
        }
    }

    /// Gives another worker the same snapshot.
    pub fn copy_to(&self, other: &Self) {
        let snapshot = self.snapshot.lock().unwrap().clone();
        other.change(|own| *own = snapshot);
    }

    /// Changes the snapshot and applies it.
    pub fn change(&self, change: impl FnOnce(&mut CellSnapshot)) {
        let mut snapshot = self.snapshot.lock().unwrap();
        change(&mut snapshot);
        snapshot.revision += 1;
        self.host.apply(&snapshot).unwrap();
    }

    pub async fn send(&self, app: &App, request: http::Request<Body>) -> Result<http::Response<Body>, CellError> {
        self.host.serve(app.endpoint, request).await
    }

    pub async fn get(&self, app: &App, path: &str) -> Result<(u16, String), CellError> {
        let request = http::Request::get(path).header("host", "app.example").body(body::empty()).unwrap();
        let answer = self.send(app, request).await?;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.map_err(|error| CellError::Guest(format!("body: {error}")))?.to_bytes();
        Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Probes until the instance is no longer starting.
    pub async fn settled(&self, app: &App) -> (InstanceState, String) {
        let stop = CancellationToken::new();
        let waiting = async {
            loop {
                let reports = self.host.reports();
                let report = reports.iter().find(|report| report.instance == app.endpoint.instance).unwrap();
                if let Some(state @ (InstanceState::Running | InstanceState::Crashed)) = report.state {
                    stop.cancel();
                    return (state, report.details.clone().unwrap_or_default());
                }
                self.host.changed().await;
            }
        };
        let (settled, ()) = tokio::join!(waiting, self.host.run(stop.clone()));
        settled
    }
}
