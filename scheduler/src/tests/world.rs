//! A scheduler over a database of its own, and workers that do what a test says.

use crate::{SchedulerConfig, SchedulerHandle, SchedulerPlane, start};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use virga_contract::{
    cell::{CellInstance, CellProcess, CellReport, CellSnapshot, InstanceReport, InstanceUsage, RouterCounters, TaskReport},
    logs::{Envelope, LogSink, Message},
    scheduling::{InstanceStats, Scheduler as _},
};
use virga_model::{
    AppGuid, DestinationGuid, DomainGuid, DropletGuid, InstanceGuid, ProcessGuid, RouteGuid, ServiceCredentialBindingGuid,
    ServiceInstanceGuid, Sha256Digest, SpaceGuid, Timestamp,
    process::{HealthCheck, HealthCheckType},
    route::RouteProtocol,
    service::{BindingKind, LastOperation, OperationKind, ServiceInstanceKind},
    state::{AppState, DropletState, InstanceState},
};
use virga_serve::{
    Tasks,
    clock::{Clock as _, ManualClock},
};
use virga_store::{
    Sealed, Store, Transaction,
    apps::{self, AppRow},
    domains::{self, DomainRow},
    droplets::{self, DropletRow},
    organization_quotas::{self, OrganizationQuotaRow},
    organizations::{self, OrganizationRow},
    processes::{self, ProcessRow},
    route_destinations::{self, DestinationRow},
    routes::{self, RouteRow},
    scheduling::{self, ActualInstanceRow},
    service_credential_bindings::{self, ServiceCredentialBindingRow, place_of_credentials},
    service_instances::{self, ServiceInstanceRow},
    spaces::{self, SpaceRow},
    testing::TestStore,
};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(super) struct Lines(Mutex<Vec<Envelope>>);

impl LogSink for Lines {
    fn emit(&self, envelope: Envelope) {
        self.0.lock().unwrap().push(envelope);
    }
}

pub(super) struct World {
    pub(super) test: TestStore,
    pub(super) clock: Arc<ManualClock>,
    pub(super) handle: SchedulerHandle,
    pub(super) config: SchedulerConfig,
    lines: Arc<Lines>,
    tasks: Tasks,
    pub space: SpaceGuid,
    domain: DomainGuid,
}

pub(super) fn epoch() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

impl World {
    /// A scheduler that expects this many workers.
    pub(super) async fn with_workers(workers: u32) -> Self {
        Self::over(TestStore::sqlite().await, workers).await
    }

    pub(super) async fn over(test: TestStore, workers: u32) -> Self {
        let mut db = test.store.begin().await.unwrap();
        let (space, domain) = seed(&mut db).await;
        db.commit().await.unwrap();
        // One look per nudge: the timer is out of the way.
        let config = SchedulerConfig { workers, reconcile_ms: 3_600_000, ..SchedulerConfig::default() };
        let (clock, lines, tasks) = (Arc::new(ManualClock::at(epoch())), Arc::new(Lines::default()), Tasks::new());
        let handle = start(test.store.clone(), config.clone(), clock.clone(), lines.clone(), &tasks).await.unwrap();
        Self { test, clock, handle, config, lines, tasks, space, domain }
    }

    /// The scheduler ends and starts anew over the same database.
    pub(super) async fn restart(&mut self) {
        self.end().await;
        self.tasks = Tasks::new();
        self.clock.advance(Duration::from_secs(1));
        let (store, config) = (self.test.store.clone(), self.config.clone());
        self.handle = start(store, config, self.clock.clone(), self.lines.clone(), &self.tasks).await.unwrap();
    }

    pub(super) async fn end(&self) {
        self.tasks.stop();
        self.tasks.run_until(futures::stream::pending(), PATIENCE).await;
    }

    pub(super) async fn begin(&self) -> Transaction {
        self.test.store.begin().await.unwrap()
    }

    /// A started app with a web process, a staged droplet and a route `<name>.apps.example.com`.
    pub(super) async fn app(&self, name: &str, instances: u32) -> (AppGuid, ProcessGuid) {
        let mut db = self.begin().await;
        let app = self.insert_app(&mut db, name, instances).await;
        db.commit().await.unwrap();
        self.handle.nudge();
        (app, app.into())
    }

    pub(super) async fn insert_app(&self, db: &mut Transaction, name: &str, instances: u32) -> AppGuid {
        let (guid, now) = (AppGuid::random(), self.clock.now());
        let droplet = droplet(guid);
        let app = AppRow {
            guid,
            created_at: now,
            updated_at: now,
            name: name.into(),
            space: self.space,
            state: AppState::Started,
            buildpacks: vec![],
            stack: "virga".into(),
            droplet: Some(droplet.guid),
            environment: BTreeMap::from([("COLOUR".into(), "blue".into())]),
            features: BTreeMap::new(),
            metadata: Default::default(),
        };
        apps::insert(db, &app).await.unwrap();
        droplets::insert(db, &droplet).await.unwrap();
        processes::insert(db, &web(guid.into(), guid, instances)).await.unwrap();
        let route = RouteRow {
            guid: RouteGuid::random(),
            created_at: now,
            updated_at: now,
            space: self.space,
            domain: self.domain,
            domain_name: String::new(),
            host: name.into(),
            path: String::new(),
            port: None,
            options: None,
            metadata: Default::default(),
        };
        routes::insert(db, &route).await.unwrap();
        let destination = DestinationRow {
            guid: DestinationGuid::random(),
            created_at: now,
            updated_at: now,
            route: route.guid,
            app: guid,
            process_type: "web".into(),
            port: None,
            weight: None,
            protocol: RouteProtocol::Http1,
        };
        route_destinations::save(db, &destination).await.unwrap();
        guid
    }

    /// Binds an app to a user-provided service with these credentials, as the controller does.
    pub(super) async fn bind(&self, app: AppGuid, name: &str, credentials: &str) {
        self.bind_as(app, name, |store, guid| store.seal(place_of_credentials(guid), credentials).unwrap()).await;
    }

    /// The same with whatever is to stand in the row.
    pub(super) async fn bind_as(&self, app: AppGuid, name: &str, seal: impl FnOnce(&Store, ServiceCredentialBindingGuid) -> Sealed) {
        let (now, store, mut db) = (self.clock.now(), &self.test.store, self.begin().await);
        let done = LastOperation::done(OperationKind::Create, now);
        let instance = ServiceInstanceRow {
            guid: ServiceInstanceGuid::random(),
            created_at: now,
            updated_at: now,
            name: name.into(),
            space: self.space,
            kind: ServiceInstanceKind::UserProvided,
            tags: vec![],
            credentials: None,
            syslog_drain_url: None,
            route_service_url: None,
            last_operation: done.clone(),
            metadata: Default::default(),
            plan: None,
            dashboard_url: None,
            maintenance_info: None,
        };
        service_instances::insert(&mut db, &instance).await.unwrap();
        let guid = ServiceCredentialBindingGuid::random();
        let binding = ServiceCredentialBindingRow {
            guid,
            created_at: now,
            updated_at: now,
            kind: BindingKind::App,
            name: None,
            instance: instance.guid,
            app: Some(app),
            credentials: Some(seal(store, guid)),
            is_host_held: false,
            syslog_drain_url: None,
            volume_mounts: vec![],
            last_operation: done,
            metadata: Default::default(),
        };
        service_credential_bindings::insert(&mut db, &binding).await.unwrap();
        db.commit().await.unwrap();
        self.handle.nudge();
    }

    pub(super) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn space(&self) -> SpaceGuid {
        self.space
    }

    pub(super) fn nudge(&self) {
        self.handle.nudge();
    }

    /// Changes an app's row.
    pub(super) async fn change_app(&self, app: AppGuid, change: impl FnOnce(&mut AppRow)) {
        let mut db = self.begin().await;
        let mut row = apps::find(&mut db, app).await.unwrap().unwrap();
        change(&mut row);
        apps::update(&mut db, &mut row, self.clock.now()).await.unwrap();
        db.commit().await.unwrap();
        self.handle.nudge();
    }

    /// Changes a process's row.
    pub(super) async fn change_process(&self, process: ProcessGuid, change: impl FnOnce(&mut ProcessRow)) {
        let mut db = self.begin().await;
        let mut row = processes::find(&mut db, process).await.unwrap().unwrap();
        change(&mut row);
        processes::update(&mut db, &mut row, self.clock.now()).await.unwrap();
        db.commit().await.unwrap();
        self.handle.nudge();
    }

    pub(super) fn worker(&self, index: u32) -> Worker {
        let (snapshot, sick) = (None, None);
        Worker { index, pid: 100 + index, plane: self.handle.plane(), snapshot, sick, tasks: vec![] }
    }

    /// The process's instances as the controller would see them.
    pub(super) async fn stats(&self, process: ProcessGuid) -> Vec<InstanceStats> {
        let row = processes::find(&mut self.test.store.read().await.unwrap(), process).await.unwrap();
        self.handle.stats(process, row.map_or(0, |row| row.instances)).await.unwrap()
    }

    /// The process's instances, once `is` holds of them.
    pub(super) async fn until(&self, process: ProcessGuid, is: impl Fn(&[InstanceStats]) -> bool) -> Vec<InstanceStats> {
        let wait = async {
            loop {
                let stats = self.stats(process).await;
                if is(&stats) {
                    return stats;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(stats) => stats,
            Err(_) => panic!("never so; last {:?}", self.stats(process).await),
        }
    }

    /// The rows of a process by index, once `is` holds of them.
    pub(super) async fn rows(&self, process: ProcessGuid, is: impl Fn(&[ActualInstanceRow]) -> bool) -> Vec<ActualInstanceRow> {
        let wait = async {
            loop {
                let mut rows = scheduling::list_actual(&mut self.test.store.read().await.unwrap()).await.unwrap();
                rows.retain(|row| row.process == process);
                rows.sort_by_key(|row| row.index);
                if is(&rows) {
                    return rows;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("rows never became so")
    }

    /// Lines of a source, in order.
    pub(super) fn said(&self, source: &str) -> Vec<String> {
        let text = |envelope: &Envelope| match &envelope.message {
            Message::Log { payload, .. } if envelope.source_type == source => Some(String::from_utf8_lossy(payload).into_owned()),
            _ => None,
        };
        self.lines.0.lock().unwrap().iter().filter_map(text).collect()
    }

    pub(super) fn gauges(&self) -> Vec<Envelope> {
        let lines = self.lines.0.lock().unwrap();
        lines.iter().filter(|envelope| matches!(envelope.message, Message::Gauge(_))).cloned().collect()
    }
}

/// A worker that runs whatever its snapshot says.
pub(super) struct Worker {
    pub(super) index: u32,
    pub(super) pid: u32,
    plane: SchedulerPlane,
    snapshot: Option<Arc<CellSnapshot>>,
    /// A process whose instances crash, and the words for it.
    pub(super) sick: Option<(ProcessGuid, String)>,
    /// What it says of tasks.
    pub(super) tasks: Vec<TaskReport>,
}

impl Worker {
    pub(super) fn reconnect(&mut self, world: &World) {
        self.plane = world.handle.plane();
    }

    /// As after a restart of the worker, or of what it reports to.
    pub(super) fn forget(&mut self) {
        self.snapshot = None;
    }

    pub(super) fn snapshot(&self) -> &CellSnapshot {
        self.snapshot.as_ref().expect("no snapshot yet")
    }

    pub(super) fn process(&self, process: ProcessGuid) -> Option<&Arc<CellProcess>> {
        self.snapshot().processes.iter().find(|known| known.process == process)
    }

    pub(super) fn instances(&self, process: ProcessGuid) -> Vec<CellInstance> {
        self.process(process).map(|process| process.instances.clone()).unwrap_or_default()
    }

    /// Applies a snapshot for which `is` holds.
    pub(super) async fn apply(&mut self, is: impl Fn(&CellSnapshot) -> bool) {
        let wait = async {
            loop {
                // The one it has may be the one: there need not come another.
                if self.snapshot.as_ref().is_some_and(|snapshot| is(snapshot)) {
                    return;
                }
                let have = self.snapshot.as_ref().map(|snapshot| snapshot.revision);
                if let Some(newer) = self.plane.snapshot(self.index, have, PATIENCE).await.unwrap() {
                    self.snapshot = Some(newer);
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("no such snapshot came");
    }

    /// The same, reporting each snapshot on the way: where a later one waits until an earlier one was applied everywhere.
    pub(super) async fn apply_and_report(&mut self, is: impl Fn(&CellSnapshot) -> bool) {
        while !is(self.snapshot()) {
            self.report();
            let have = self.snapshot().revision;
            self.apply(|snapshot| snapshot.revision > have).await;
        }
        self.report();
    }

    /// Applies the newest snapshot if it is not the one it has.
    pub(super) async fn catch_up(&mut self) {
        let have = self.snapshot.as_ref().map(|snapshot| snapshot.revision);
        if let Some(newer) = self.plane.snapshot(self.index, have, Duration::ZERO).await.unwrap() {
            self.snapshot = Some(newer);
        }
    }

    /// Reports everything it probes as RUNNING (or crashed), and what it has applied.
    pub(super) fn report(&self) {
        let Some(snapshot) = &self.snapshot else { return };
        let instances = snapshot.processes.iter().flat_map(|process| {
            process.instances.iter().map(|instance| {
                let crash = self.sick.as_ref().filter(|(sick, _)| *sick == process.process).map(|(_, words)| words.clone());
                let state = if crash.is_some() { InstanceState::Crashed } else { InstanceState::Running };
                self.about(process.process, instance.guid, (instance.probe_worker == self.index).then_some(state), crash)
            })
        });
        self.send(instances.collect());
    }

    pub(super) fn about(
        &self,
        process: ProcessGuid,
        instance: InstanceGuid,
        state: Option<InstanceState>,
        details: Option<String>,
    ) -> InstanceReport {
        InstanceReport { instance, process, state, details, ready: true, usage: InstanceUsage::default() }
    }

    pub(super) fn send(&self, instances: Vec<InstanceReport>) {
        let applied_revision = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.revision);
        let report = CellReport {
            worker: self.index,
            pid: self.pid,
            applied_revision,
            instances,
            tasks: self.tasks.clone(),
            router: RouterCounters::default(),
        };
        self.plane.report(report).unwrap();
    }
}

/// Lets workers apply and report until `is` holds of the process's instances.
pub(super) async fn work(
    world: &World,
    workers: &mut [Worker],
    process: ProcessGuid,
    is: impl Fn(&[InstanceStats]) -> bool,
) -> Vec<InstanceStats> {
    let wait = async {
        loop {
            for worker in &mut *workers {
                worker.catch_up().await;
                worker.report();
            }
            let stats = world.stats(process).await;
            if is(&stats) {
                return stats;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(stats) => stats,
        Err(_) => panic!("never so; last {:?}", world.stats(process).await),
    }
}

pub(super) fn all_running(count: usize) -> impl Fn(&[InstanceStats]) -> bool {
    move |stats| stats.len() == count && stats.iter().all(|instance| instance.state == InstanceState::Running && instance.routable)
}

pub(super) fn droplet(app: AppGuid) -> DropletRow {
    DropletRow {
        guid: DropletGuid::random(),
        created_at: epoch(),
        updated_at: epoch(),
        app,
        package: None,
        state: DropletState::Staged,
        error: None,
        digest: Some(Sha256Digest::of(app.to_string().as_bytes())),
        size_bytes: Some(1),
        guest: None,
        component: None,
        stack: "virga".into(),
        process_types: BTreeMap::from([("web".into(), "start".into())]),
        buildpacks: serde_json::json!([]),
        metadata: Default::default(),
    }
}

pub(super) fn web(guid: ProcessGuid, app: AppGuid, instances: u32) -> ProcessRow {
    ProcessRow {
        guid,
        created_at: epoch(),
        updated_at: epoch(),
        app,
        process_type: "web".into(),
        version: "v1".into(),
        command: None,
        instances,
        memory_in_mb: 64,
        disk_in_mb: 128,
        log_rate_limit_in_bytes_per_second: -1,
        health_check: HealthCheck::of(HealthCheckType::Port),
        readiness_health_check: HealthCheck::of(HealthCheckType::Process),
        droplet: None,
        revision: None,
        metadata: Default::default(),
    }
}

async fn seed(db: &mut Transaction) -> (SpaceGuid, DomainGuid) {
    let now = epoch();
    let quota = OrganizationQuotaRow::unlimited("default", now);
    organization_quotas::insert(db, &quota).await.unwrap();
    let metadata = virga_store::metadata::Metadata::default;
    let organization = OrganizationRow::new("org", quota.guid, now);
    organizations::insert(db, &organization).await.unwrap();
    let space = SpaceRow::new("space", organization.guid, now);
    spaces::insert(db, &space).await.unwrap();
    let domain = DomainRow {
        guid: DomainGuid::random(),
        created_at: now,
        updated_at: now,
        name: "apps.example.com".into(),
        internal: false,
        organization: None,
        router_group: None,
        metadata: metadata(),
    };
    domains::insert(db, &domain).await.unwrap();
    (space.guid, domain.guid)
}
