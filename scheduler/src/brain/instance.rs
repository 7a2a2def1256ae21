//! One actual instance in memory.

use super::measure::Meter;
use virga_contract::cell::{CellInstance, InstanceUsage, WorkerIndex};
use virga_model::{InstanceGuid, ProcessGuid, Timestamp, state::InstanceState};
use virga_store::scheduling::ActualInstanceRow;

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) guid: InstanceGuid,
    pub(super) index: u32,
    pub(super) version: String,
    /// STARTING, RUNNING or CRASHED, as in its row.
    pub(super) state: InstanceState,
    pub(super) since: Timestamp,
    pub(super) started_at: Timestamp,
    pub(super) details: Option<String>,
    pub(super) crash_count: u32,
    pub(super) restart_at: Option<Timestamp>,
    /// Its probe has passed.
    pub(super) is_healthy: bool,
    /// Its readiness probe passes.
    pub(super) is_ready: bool,
    pub(super) probe_worker: WorkerIndex,
    /// First revision in which it is routable, as long as it is.
    pub(super) routable_from: Option<u64>,
    /// Whether every live worker has applied that revision.
    pub(super) is_confirmed: bool,
    /// Whether it ran when an earlier scheduler ended, as long as nothing newer is known of it.
    pub(super) is_taken_over: bool,
    /// Set when it is to stop: the first revision without a route to it, and when waiting for the routers is over.
    pub(super) leaving: Option<Leaving>,
    pub(super) usage: Vec<(WorkerIndex, InstanceUsage)>,
    pub(super) meter: Meter,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    pub(super) revision: u64,
    pub(super) until: Timestamp,
}

impl Instance {
    pub(super) fn new(index: u32, version: String, crash_count: u32, now: Timestamp) -> Self {
        Self {
            guid: InstanceGuid::random(),
            index,
            version,
            state: InstanceState::Starting,
            since: now,
            started_at: now,
            details: None,
            crash_count,
            restart_at: None,
            is_healthy: false,
            is_ready: true,
            probe_worker: 0,
            routable_from: None,
            is_confirmed: false,
            is_taken_over: false,
            leaving: None,
            usage: Vec::new(),
            meter: Meter::default(),
        }
    }

    /// From the row that the last run left: what was RUNNING is taken to run still, for the workers outlive the scheduler.
    pub(super) fn adopt(row: ActualInstanceRow) -> Self {
        let mut instance = Self::new(row.index, row.version, row.crash_count, row.since);
        instance.guid = row.guid;
        instance.state = if row.state == InstanceState::Stopping { InstanceState::Starting } else { row.state };
        instance.details = row.details;
        instance.restart_at = row.restart_at;
        instance.is_healthy = row.state == InstanceState::Running;
        instance.is_taken_over = instance.is_healthy;
        instance
    }

    pub(super) fn row(&self, process: ProcessGuid, cell: &str) -> ActualInstanceRow {
        ActualInstanceRow {
            guid: self.guid,
            process,
            index: self.index,
            version: self.version.clone(),
            cell: cell.to_owned(),
            state: if self.leaving.is_some() { InstanceState::Stopping } else { self.state },
            since: self.since,
            details: self.details.clone(),
            crash_count: self.crash_count,
            restart_at: self.restart_at,
        }
    }

    pub(super) fn is_crashed(&self) -> bool {
        self.state == InstanceState::Crashed
    }

    pub(super) fn is_routable(&self) -> bool {
        self.is_healthy && self.is_ready && self.leaving.is_none() && !self.is_crashed()
    }

    /// RUNNING as users see it: every router sends requests to it.
    pub(super) fn is_serving(&self) -> bool {
        self.state == InstanceState::Running && self.is_routable() && self.is_confirmed
    }

    /// Whether a deployment may count on it: it serves, or did when an earlier scheduler ended, and the workers have not said
    /// anything else yet.
    pub(super) fn is_counted_on(&self) -> bool {
        self.is_serving() || (self.is_taken_over && self.state == InstanceState::Running && self.is_routable())
    }

    pub(super) fn enter(&mut self, state: InstanceState, now: Timestamp) {
        self.state = state;
        self.since = now;
    }

    pub(super) fn for_cell(&self) -> Option<CellInstance> {
        let shown = CellInstance { guid: self.guid, index: self.index, probe_worker: self.probe_worker, routable: self.is_routable() };
        (!self.is_crashed()).then_some(shown)
    }

    /// Use by all workers together.
    pub(super) fn usage(&self) -> Option<InstanceUsage> {
        let mut parts = self.usage.iter().map(|(_, usage)| *usage);
        let first = parts.next()?;
        Some(parts.fold(first, |sum, part| InstanceUsage {
            cpu_ns: sum.cpu_ns.saturating_add(part.cpu_ns),
            memory_bytes: sum.memory_bytes.saturating_add(part.memory_bytes),
            // Every worker sees the same files.
            disk_bytes: sum.disk_bytes.max(part.disk_bytes),
            log_bytes_per_second: sum.log_bytes_per_second.saturating_add(part.log_bytes_per_second),
            requests: sum.requests.saturating_add(part.requests),
            cold_starts: sum.cold_starts.saturating_add(part.cold_starts),
            wasm_instances: sum.wasm_instances.saturating_add(part.wasm_instances),
        }))
    }
}
