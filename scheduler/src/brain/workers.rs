//! The workers of this cell: who is alive, what they have applied, who probes what.

use crate::SchedulerConfig;
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};
use virga_contract::cell::WorkerIndex;
use virga_model::{ProcessGuid, Timestamp};

/// A worker that is silent this many times as long as one that no longer counts is taken to be gone for good.
const SILENCE: u32 = 12;

#[derive(Debug)]
pub(super) struct Workers {
    known: BTreeMap<WorkerIndex, Worker>,
    started: Timestamp,
    away: Duration,
    /// Who probes, in order; changes only in [`Workers::changed`].
    probing: Vec<WorkerIndex>,
}

#[derive(Debug)]
struct Worker {
    seen: Timestamp,
    applied: u64,
    /// Its process id, from its first report on.
    pid: Option<u32>,
}

impl Workers {
    /// Until `worker_away_ms` have passed, all expected workers are taken to be alive: a scheduler that starts anew must
    /// not move their probes about.
    pub(super) fn new(config: &SchedulerConfig, now: Timestamp) -> Self {
        let probing = (0..config.workers.max(1)).collect();
        Self { known: BTreeMap::new(), started: now, away: Duration::from_millis(config.worker_away_ms), probing }
    }

    pub(super) fn seen(&mut self, worker: WorkerIndex, now: Timestamp) {
        self.known.entry(worker).or_insert(Worker { seen: now, applied: 0, pid: None }).seen = now;
    }

    pub(super) fn applied(&mut self, worker: WorkerIndex, pid: u32, revision: u64, now: Timestamp) {
        self.known.insert(worker, Worker { seen: now, applied: revision, pid: Some(pid) });
    }

    /// Live workers that have said which process they are.
    pub(super) fn identified(&self, now: Timestamp) -> impl Iterator<Item = (WorkerIndex, u32)> {
        let live = self.known.iter().filter(move |(_, worker)| self.is_recent(worker.seen, now));
        live.filter_map(|(index, worker)| Some((*index, worker.pid?)))
    }

    /// Whether this very process of a worker is known to be no more. Another process in its place is certain; silence alone
    /// must be long, for a worker that only stalls goes on with what it runs.
    pub(super) fn is_gone(&self, worker: WorkerIndex, pid: u32, now: Timestamp) -> bool {
        let known = self.known.get(&worker);
        let is_other = known.and_then(|known| known.pid).is_some_and(|known| known != pid);
        let last_sign = known.map_or(self.started, |known| known.seen.max(self.started));
        is_other || now.duration_since(last_sign).unsigned_abs() > self.away * SILENCE
    }

    /// Whether this very process of a worker has applied the revision.
    pub(super) fn has_applied(&self, worker: WorkerIndex, pid: u32, revision: u64) -> bool {
        self.known.get(&worker).is_some_and(|known| known.pid == Some(pid) && known.applied >= revision)
    }

    /// The lowest revision that every live worker has applied; `None` when none is alive.
    pub(super) fn applied_by_all(&self, now: Timestamp) -> Option<u64> {
        self.known.values().filter(|worker| self.is_recent(worker.seen, now)).map(|worker| worker.applied).min()
    }

    /// Whether others than before are to probe.
    pub(super) fn changed(&mut self, now: Timestamp) -> bool {
        let live: Vec<_> = self.known.iter().filter(|(_, worker)| self.is_recent(worker.seen, now)).map(|(index, _)| *index).collect();
        let missing = self.probing.iter().any(|worker| !live.contains(worker));
        let is_new = live.iter().any(|worker| !self.probing.contains(worker));
        let in_grace = missing && self.is_recent(self.started, now);
        if live.is_empty() || in_grace || !(missing || is_new) {
            return false;
        }
        self.probing = live;
        true
    }

    /// Who probes this instance, and where it lives if it is a guest that does: the same for as long as the same workers are alive.
    /// Instances of one process are spread over all of them, so that the end of a worker does not take them all.
    pub(super) fn prober(&self, process: ProcessGuid, index: u32) -> WorkerIndex {
        let count = u32::try_from(self.probing.len()).unwrap_or(u32::MAX).max(1);
        let mut ranked = self.probing.clone();
        // Each process has an order of its own, which the coming or going of one worker hardly changes.
        ranked.sort_by_cached_key(|worker| {
            let mut hasher = DefaultHasher::new();
            (process, worker).hash(&mut hasher);
            hasher.finish()
        });
        usize::try_from(index % count).ok().and_then(|rank| ranked.get(rank)).copied().unwrap_or(0)
    }

    pub(super) fn live(&self, now: Timestamp) -> usize {
        self.known.values().filter(|worker| self.is_recent(worker.seen, now)).count()
    }

    fn is_recent(&self, seen: Timestamp, now: Timestamp) -> bool {
        now.duration_since(seen).unsigned_abs() <= self.away
    }
}
