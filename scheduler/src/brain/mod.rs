//! The one task that owns what the scheduler knows.
//!
//! Each round: take what came in, look at the desired state if it may have changed, bring the instances of touched
//! processes nearer to it, publish a snapshot if anything in it differs, and write the rows that changed. A round that
//! fails half-way loses nothing: what could not be written stays marked, what could not be read is read in the next.

mod backoff;
mod converge;
mod deployments;
mod desired;
mod gauges;
mod instance;
mod measure;
mod persist;
mod publish;
mod report;
mod routing;
mod tasks;
mod tell;
mod workers;

pub(crate) use gauges::Gauges;

use crate::{SchedulerConfig, spec::ProcessSpec};
use instance::Instance;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use virga_contract::{
    cell::{CellProcess, CellReport, CellSnapshot, WorkerIndex},
    logs::LogSink,
    scheduling::InstanceStats,
};
use virga_model::{DestinationGuid, InstanceGuid, ProcessGuid, RouteGuid, Timestamp};
use virga_serve::clock::Clock;
use virga_store::{
    Store, StoreError,
    audit_events::EventRow,
    scheduling::{self, DesiredRouteRow, DesiredRow, RunningRules},
};
use workers::Workers;

/// Takes the instances of processes.
type StatsReply = oneshot::Sender<Vec<Option<Vec<InstanceStats>>>>;

/// What the brain is told and asked.
#[derive(Debug)]
pub(crate) enum Command {
    /// A worker asked for a snapshot.
    Seen(WorkerIndex),
    /// A worker's report.
    Report(CellReport),
    /// The instances of each of these processes; `None` for one that is not wanted now.
    Stats(Vec<ProcessGuid>, StatsReply),
    /// Stop one instance and start it anew.
    Restart(ProcessGuid, u32, oneshot::Sender<bool>),
}

/// A process that should run, or that still has instances.
#[derive(Debug)]
struct Process {
    /// `None` when it should not run (any more).
    desired: Option<DesiredRow>,
    spec: ProcessSpec,
    instances: BTreeMap<u32, Instance>,
    /// As it stands in the snapshot; `None` when it must be built anew.
    cell: Option<Arc<CellProcess>>,
}

pub(crate) struct Brain {
    store: Store,
    config: SchedulerConfig,
    clock: Arc<dyn Clock>,
    sink: Arc<dyn LogSink>,
    publish: watch::Sender<Option<Arc<CellSnapshot>>>,
    gauges: Arc<Mutex<Gauges>>,
    workers: Workers,

    processes: BTreeMap<ProcessGuid, Process>,
    /// Where each instance stands.
    places: HashMap<InstanceGuid, (ProcessGuid, u32)>,
    /// Pinned specs without a process in memory yet (from the last run).
    pinned: HashMap<ProcessGuid, ProcessSpec>,
    /// Processes of started apps, also those with nothing to run.
    started: HashSet<ProcessGuid>,
    route_rows: BTreeMap<(RouteGuid, DestinationGuid), DesiredRouteRow>,
    routing: routing::Routing,
    rules: RunningRules,
    /// Web processes of deployments on their way: their changes call for a look at the deployment.
    deploying: HashSet<ProcessGuid>,
    tasks: tasks::Tasks,

    /// The newest revision that was published.
    revision: u64,
    /// Whether the snapshot must be built anew.
    changed: bool,
    /// Whether the desired state was read since the start; before that nothing is published or stopped.
    is_loaded: bool,
    /// Whether the desired state may have changed since it was read.
    is_stale: bool,
    /// Processes to bring nearer to what is desired.
    touched: BTreeSet<ProcessGuid>,
    /// Processes with an instance that waits for routers to acknowledge a snapshot.
    awaiting: BTreeSet<ProcessGuid>,
    /// When something falls due by itself.
    due: Option<Timestamp>,
    /// Instances whose measurements are worth a look.
    measured: HashSet<InstanceGuid>,
    unwritten: persist::Unwritten,
    events: Vec<EventRow>,
    /// Answered at the end of the round, so that nobody sees a state half-way between two.
    questions: Vec<(Vec<ProcessGuid>, StatsReply)>,
    /// Not before this is the desired state read again.
    next_look: Instant,
    /// When everything was read last, and not only what changed.
    looked_at: Instant,
    /// Whether the next look is to read everything.
    is_whole_look_due: bool,
    /// The moment of the last look.
    seen_until: Option<Timestamp>,
}

/// Reports taken in one round.
const ROUND: usize = 256;
/// Period of what is done by time alone.
const TICK: Duration = Duration::from_secs(1);

impl Brain {
    pub(crate) async fn load(
        store: Store,
        config: SchedulerConfig,
        clock: Arc<dyn Clock>,
        sink: Arc<dyn LogSink>,
        publish: watch::Sender<Option<Arc<CellSnapshot>>>,
        gauges: Arc<Mutex<Gauges>>,
    ) -> Result<Self, StoreError> {
        let now = clock.now();
        let mut transaction = store.begin().await?;
        let revision = scheduling::next_first_revision(&mut transaction, now).await?;
        let actual = scheduling::list_actual(&mut transaction).await?;
        let pinned = scheduling::list_pinned(&mut transaction).await?;
        transaction.commit().await?;
        let mut brain = Self {
            workers: Workers::new(&config, now),
            store,
            config,
            clock,
            sink,
            publish,
            gauges,
            processes: BTreeMap::new(),
            places: HashMap::new(),
            pinned: HashMap::new(),
            started: HashSet::new(),
            route_rows: BTreeMap::new(),
            routing: routing::Routing::default(),
            rules: RunningRules::default(),
            deploying: HashSet::new(),
            tasks: tasks::Tasks::default(),
            revision,
            changed: true,
            is_loaded: false,
            is_stale: true,
            touched: BTreeSet::new(),
            awaiting: BTreeSet::new(),
            due: None,
            measured: HashSet::new(),
            unwritten: persist::Unwritten::default(),
            events: Vec::new(),
            questions: Vec::new(),
            next_look: Instant::now(),
            looked_at: Instant::now(),
            is_whole_look_due: true,
            seen_until: None,
        };
        brain.adopt(actual, pinned);
        Ok(brain)
    }

    /// Works until `draining`. What is running keeps running then: stopping the scheduler stops no app.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>, nudge: Arc<Notify>, draining: CancellationToken) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = draining.cancelled() => break,
                command = commands.recv() => match command {
                    Some(command) => {
                        self.take(command);
                        for _ in 1..ROUND {
                            let Ok(command) = commands.try_recv() else { break };
                            self.take(command);
                        }
                    }
                    None => break,
                },
                () = nudge.notified() => self.is_stale = true,
                () = tokio::time::sleep_until(self.next_look), if self.is_stale => {}
                _ = tick.tick() => self.tick(),
            }
            self.round().await;
        }
    }

    fn take(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Seen(worker) => self.workers.seen(worker, now),
            Command::Report(report) => self.report(report, now),
            Command::Stats(processes, reply) => self.questions.push((processes, reply)),
            // A caller that has gone away needs no answer.
            Command::Restart(process, index, reply) => drop(reply.send(self.restart(process, index, now))),
        }
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        if self.looked_at.elapsed() >= Duration::from_millis(self.config.reconcile_ms) {
            self.is_stale = true;
            self.is_whole_look_due = true;
        }
        if self.workers.changed(now) {
            self.assign_probes();
        }
        self.watch_tasks();
        self.measure(now);
        self.update_gauges();
    }

    async fn round(&mut self) {
        if self.is_stale && Instant::now() >= self.next_look {
            self.look().await;
        }
        if self.is_loaded {
            let now = self.clock.now();
            if self.due.is_some_and(|due| due <= now) {
                self.touched.extend(self.processes.keys());
            }
            self.acknowledge(now);
            self.converge(now);
            self.publish();
        }
        for (processes, reply) in std::mem::take(&mut self.questions) {
            // A caller that has gone away needs no answer.
            drop(reply.send(processes.into_iter().map(|process| self.stats(process)).collect()));
        }
        if self.is_loaded {
            self.persist().await;
        }
    }

    /// The revision that the next snapshot will have.
    fn next_revision(&self) -> u64 {
        self.revision + 1
    }
}
