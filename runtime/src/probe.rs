//! Health of app instances. Exactly one worker of a cell probes an instance; what it finds out decides whether routers
//! send requests and whether the scheduler replaces it.
//!
//! `process`: the droplet loads. `port`: a wasm instance starts, too. `http`: the guest also answers 200 to a GET. An
//! HTTP component has no process that could die while nobody calls it, so only `http` is repeated once it is up:
//! an idle app is not woken to find out that it sleeps. Guests that live are started by their first probe; their end is noticed
//! when it comes. For them `port` means that they listen.

use crate::{
    guest::{self, life::End},
    host::CellHost,
    instance::{AppInstance, Mode},
    limits::CpuMeter,
    loader::LoadError,
    output::now_ns,
    program::Kind,
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use http_body_util::BodyExt as _;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use virga_contract::{
    body,
    cell::{CellError, LinkError},
    logs::{Envelope, LogStream},
};
use virga_model::{
    process::{HealthCheck, HealthCheckType, ReusePolicy},
    state::InstanceState,
};

/// Probes at a time in one worker; the others wait for their turn.
const PROBES_AT_A_TIME: usize = 16;
/// Between two probes of an instance that is not up yet.
const START_INTERVAL: Duration = Duration::from_millis(500);
/// How often the list of instances is looked through.
const ROUND: Duration = Duration::from_millis(500);
/// Cloud Foundry's defaults, seconds.
const START_TIMEOUT: u32 = 60;
const INVOCATION_TIMEOUT: u32 = 1;
const INTERVAL: u32 = 30;

/// What is known of an instance's health.
pub struct Health(Mutex<Known>);

struct Known {
    state: InstanceState,
    details: Option<String>,
    is_ready: bool,
    since: Instant,
    next: Instant,
    is_probed_now: bool,
}

impl Default for Health {
    fn default() -> Self {
        let now = Instant::now();
        let known = Known { state: InstanceState::Starting, details: None, is_ready: false, since: now, next: now, is_probed_now: false };
        Self(Mutex::new(known))
    }
}

impl Health {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the report; state and details only from the worker that probes.
    pub(crate) fn now(&self, is_prober: bool) -> (Option<InstanceState>, Option<String>, bool) {
        let known = self.known();
        if is_prober { (Some(known.state), known.details.clone(), known.is_ready) } else { (None, None, known.is_ready) }
    }

    /// Believed to be up already: its probe passed before this worker process was started.
    pub(crate) fn assume_running(&self) {
        let mut known = self.known();
        known.state = InstanceState::Running;
        known.is_ready = true;
    }

    /// The guest ended by itself, which is a crash whatever its status.
    fn ended(&self, instance: &AppInstance, end: &End) {
        let mut known = self.known();
        known.state = InstanceState::Crashed;
        known.is_ready = false;
        known.details = Some(how(instance, end));
        drop(known);
        instance.cell.changed.notify_one();
    }

    /// Takes the instance up for a probe if one is due.
    fn begin(&self, now: Instant) -> bool {
        let mut known = self.known();
        let is_due = !known.is_probed_now && known.state != InstanceState::Crashed && known.next <= now;
        known.is_probed_now |= is_due;
        is_due
    }
}

/// What a probe found.
enum Found {
    Healthy,
    /// May get better.
    NotYet(String),
    /// Will not get better by itself.
    Broken(String),
}

impl CellHost {
    /// Probes what is due, a few at a time, until `stop`.
    pub(crate) async fn probe_all(&self, stop: &CancellationToken) {
        let mut probes = FuturesUnordered::new();
        let mut round = tokio::time::interval(ROUND);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = round.tick() => {}
                () = self.core.arrived.notified() => {}
                Some(()) = probes.next() => {}
            }
            let now = Instant::now();
            let instances = self.instances.load_full();
            for instance in instances.values().filter(|instance| instance.instance.probe_worker == self.core.worker) {
                if probes.len() >= PROBES_AT_A_TIME {
                    break;
                }
                if instance.health.begin(now) {
                    probes.push(probe(instance.clone()));
                }
            }
        }
    }
}

fn seconds(value: Option<u32>, default: u32) -> Duration {
    Duration::from_secs(u64::from(value.unwrap_or(default).max(1)))
}

/// One probe of one instance, and what follows from it.
async fn probe(instance: Arc<AppInstance>) {
    let check = &instance.process.health_check;
    let is_up = instance.health.known().state == InstanceState::Running;
    let mode = instance.mode().await;
    let is_unknown = mode.is_err();
    let found = match mode {
        Ok(Mode::Lives) => ask_living(&instance, check).await,
        // What does not live cannot die, and where it is not known yet which it is, the next round asks again.
        _ if is_up && check.kind != HealthCheckType::Http => Found::Healthy,
        Ok(Mode::Requests) => ask(&instance, check, is_up).await,
        Err(error) => unloaded(&instance, &error),
    };
    let readiness = &instance.process.readiness_check;
    let is_ready = matches!(found, Found::Healthy)
        && (readiness.kind != HealthCheckType::Http || matches!(get(&instance, readiness).await, Found::Healthy));
    conclude(&instance, found, is_ready, is_up);
    if is_unknown {
        // It may be one that has to live.
        instance.health.known().next = Instant::now() + START_INTERVAL;
    }
}

fn conclude(instance: &AppInstance, found: Found, is_ready: bool, is_up: bool) {
    let check = &instance.process.health_check;
    let mut known = instance.health.known();
    let before = (known.state, known.is_ready);
    known.is_probed_now = false;
    if known.state == InstanceState::Crashed {
        // It ended by itself while it was asked.
        return;
    }
    let interval = if is_ready { seconds(check.interval_seconds, INTERVAL) } else { START_INTERVAL };
    known.next = Instant::now() + if is_up { interval } else { START_INTERVAL };
    known.is_ready = is_ready;
    match found {
        Found::Healthy => {
            known.state = InstanceState::Running;
            known.details = None;
        }
        Found::NotYet(reason) if !is_up => {
            let timeout = seconds(check.timeout_seconds, START_TIMEOUT);
            if known.since.elapsed() >= timeout {
                known.state = InstanceState::Crashed;
                known.details = Some(format!("Instance never healthy after {}s: {reason}", timeout.as_secs()));
            } else {
                known.details = Some(reason);
            }
        }
        Found::NotYet(reason) => {
            known.state = InstanceState::Crashed;
            known.details = Some(format!("Instance became unhealthy: {reason}"));
        }
        Found::Broken(reason) => {
            known.state = InstanceState::Crashed;
            known.details = Some(reason);
        }
    }
    let after = (known.state, known.is_ready);
    let details = known.details.clone();
    drop(known);
    if before == after {
        return;
    }
    if after.0 == InstanceState::Crashed {
        say(instance, details.unwrap_or_default());
        // What is not healthy may still run.
        instance.leave();
    }
    instance.cell.changed.notify_one();
}

/// A line of the health checker (source `HEALTH`) in the app's log.
fn say(instance: &AppInstance, line: String) {
    let app = instance.process.app;
    instance.cell.logs.emit(Envelope::line(now_ns(), app, "HEALTH", instance.instance.index, LogStream::Err, line));
}

/// The control process may be away, or the disk full for a moment; the app itself may be unfit for good.
fn unloaded(instance: &AppInstance, error: &LoadError) -> Found {
    let text = instance.load_failed(error).to_string();
    if matches!(error, LoadError::Link(LinkError::Away(_)) | LoadError::Io(_)) { Found::NotYet(text) } else { Found::Broken(text) }
}

/// A guest that lives: started by its first probe, healthy as its check has it, broken when it ends by itself.
async fn ask_living(instance: &Arc<AppInstance>, check: &HealthCheck) -> Found {
    if !instance.life.has_begun() {
        // Fetching and mapping come first: the time to get healthy is the program's own.
        if let Err(error) = instance.try_program().await {
            return unloaded(instance, &error);
        }
        instance.health.known().since = Instant::now();
        instance.begin_life(|instance, end| instance.health.ended(instance, end));
    }
    if let Some(end) = instance.life.end() {
        return Found::Broken(how(instance, &end));
    }
    let listener = instance.life.listener(instance);
    let is_listening = || listener.listens_within(seconds(check.invocation_timeout_seconds, INVOCATION_TIMEOUT));
    match check.kind {
        HealthCheckType::Process => Found::Healthy,
        HealthCheckType::Port if is_listening().await => Found::Healthy,
        HealthCheckType::Port => Found::NotYet(format!("nothing listens on port {}", listener.port())),
        HealthCheckType::Http => get(instance, check).await,
    }
}

/// As Cloud Foundry describes the exit of an instance.
fn how(instance: &AppInstance, end: &End) -> String {
    format!("{}: {end}", instance.log.source_type())
}

async fn ask(instance: &Arc<AppInstance>, check: &HealthCheck, is_up: bool) -> Found {
    let program = match instance.try_program().await {
        Ok((program, _)) => program,
        Err(error) => return unloaded(instance, &error),
    };
    match check.kind {
        HealthCheckType::Process => Found::Healthy,
        HealthCheckType::Http => get(instance, check).await,
        HealthCheckType::Port if is_up => Found::Healthy,
        HealthCheckType::Port => match &program.kind {
            Kind::HttpP2(_) => start(instance, program).await,
            Kind::HttpP3(_) | Kind::Command | Kind::Static(_) => Found::Healthy,
        },
    }
}

/// Starts one wasm instance; a pooled one stays for the first request.
async fn start(instance: &Arc<AppInstance>, program: Arc<crate::program::Program>) -> Found {
    let _running = instance.cell.ticker.running();
    let limits = &instance.cell.limits;
    let meter = Arc::new(CpuMeter::new(limits.request_cpu()));
    let is_pooled = instance.reuse(&program) == ReusePolicy::Pool;
    let starting = async {
        let started = guest::http_p2::start(instance, program, meter.clone()).await;
        let warm = started.map_err(|failed| instance.guest_failed(&failed.error, failed.memory_was_refused))?;
        if is_pooled {
            instance.keep(warm);
        }
        Ok(())
    };
    match guest::meter::Metered::new(starting, meter.clone(), instance.clone(), limits.request_wall()).await {
        Ok(()) => Found::Healthy,
        Err(error) => Found::Broken(error.to_string()),
    }
}

/// GETs the check's path; only 200 in time is healthy.
async fn get(instance: &Arc<AppInstance>, check: &HealthCheck) -> Found {
    let path = check.endpoint.as_deref().filter(|path| path.starts_with('/')).unwrap_or("/");
    let request = http::Request::get(path)
        .header(http::header::HOST, "localhost")
        .header(http::header::USER_AGENT, "virga-healthcheck")
        .body(body::empty());
    let Ok(request) = request else {
        return Found::Broken(format!("the health check's path '{path}' is not a path"));
    };
    let wait = seconds(check.invocation_timeout_seconds, INVOCATION_TIMEOUT);
    let asking = async {
        let answer = instance.serve(request).await?;
        let status = answer.status();
        // To its end, so that the guest is done; at the wall-time limit at the latest.
        let mut body = answer.into_body();
        while let Some(Ok(_)) = body.frame().await {}
        Ok::<_, CellError>(status)
    };
    match tokio::time::timeout(wait, asking).await {
        Ok(Ok(http::StatusCode::OK)) => Found::Healthy,
        Ok(Ok(status)) => Found::NotYet(format!("GET {path} answered {} instead of 200", status.as_u16())),
        Ok(Err(error)) => Found::NotYet(format!("GET {path} failed: {error}")),
        Err(_) => Found::NotYet(format!("GET {path} took more than {} s", wait.as_secs())),
    }
}
