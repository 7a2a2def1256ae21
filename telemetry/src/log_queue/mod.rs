//! Envelopes on their way out of a process: one bounded queue per app, delivered in batches.
//!
//! [`LogQueue`] is what guests, router and platform write into; it never blocks. [`LogPump`] takes turns among the apps
//! and delivers. While the other side is away the queues fill up to their bounds; what comes then is dropped, counted,
//! and the count goes out as a line of source `LGR` in the app's own stream once there is room again.

mod pump;
mod share;
#[cfg(test)]
mod tests;

pub use pump::LogPump;

use crate::weight;
use share::{AppQueue, Entry};
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::Notify;
use virga_contract::logs::{Envelope, LogSink};
use virga_model::AppGuid;

/// Bounds of a log queue.
#[derive(Debug, Clone)]
pub struct QueueLimits {
    /// Envelopes of one app that wait (default 10,000).
    pub app_envelopes: usize,
    /// Bytes of one app that wait (default 4 MiB).
    pub app_bytes: usize,
    /// Of these, the share of access lines and request timers is one part in this many (default 4).
    pub access_part: usize,
    /// Bytes of all apps that wait (default 64 MiB).
    pub total_bytes: usize,
    /// What an app may always have waiting, however full the whole is (default 16 KiB).
    pub reserved_bytes: usize,
    /// Envelopes of one batch (default 2,000).
    pub batch_envelopes: usize,
    /// Bytes of one batch (default 1 MiB); one envelope may be larger and then goes alone.
    pub batch_bytes: usize,
    /// How long a batch waits for more (default 100 ms).
    pub linger: Duration,
    /// Longest pause between two tries while the other side is away (default 2 s).
    pub longest_pause: Duration,
    /// Time for what is left when the process stops (default 2 s).
    pub flush: Duration,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            app_envelopes: 10_000,
            app_bytes: 4 << 20,
            access_part: 4,
            total_bytes: 64 << 20,
            reserved_bytes: 16 << 10,
            batch_envelopes: 2_000,
            batch_bytes: 1 << 20,
            linger: Duration::from_millis(100),
            longest_pause: Duration::from_secs(2),
            flush: Duration::from_secs(2),
        }
    }
}

const SHARDS: usize = 16;

/// Takes envelopes in. Shared by everything in the process that has something to say about an app.
#[derive(Debug)]
pub struct LogQueue {
    limits: QueueLimits,
    shards: [Mutex<Shard>; SHARDS],
    waiting_bytes: AtomicUsize,
    waiting_envelopes: AtomicUsize,
    dropped: AtomicU64,
    /// Whether the pump was told that something waits.
    told: AtomicBool,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Shard {
    apps: HashMap<AppGuid, AppQueue>,
    /// Apps with something to deliver, in the order of their turns.
    turns: VecDeque<AppGuid>,
}

impl LogQueue {
    /// A queue and the pump that empties it; the pump's owner runs it as a task.
    #[must_use]
    pub fn new(limits: QueueLimits) -> (Arc<Self>, LogPump) {
        let queue = Arc::new(Self {
            limits,
            shards: std::array::from_fn(|_| Mutex::default()),
            waiting_bytes: AtomicUsize::new(0),
            waiting_envelopes: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            told: AtomicBool::new(false),
            wake: Notify::new(),
        });
        (queue.clone(), LogPump::new(queue))
    }

    /// Envelopes dropped since the start; goes into a worker's report.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Envelopes that wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting_envelopes.load(Relaxed)
    }

    fn shard(&self, index: usize) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.shards;
        self.shards.get(index).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        if !self.told.swap(true, Relaxed) {
            self.wake.notify_one();
        }
    }

    /// Up to `most` envelopes, an equal number of each app whose turn it is; also lines about what was dropped.
    fn take(&self, start: usize, now_ns: i64) -> Vec<Entry> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut idle = 0;
        for index in (0..SHARDS).cycle().skip(start % SHARDS) {
            let room = self.limits.batch_envelopes.saturating_sub(batch.len());
            if room == 0 || bytes >= self.limits.batch_bytes || idle == SHARDS {
                break;
            }
            let taken = self.shard(index).take_turn(room.min(TURN), self.limits.batch_bytes - bytes, now_ns, &mut batch);
            idle = if taken == 0 { idle + 1 } else { 0 };
            bytes += taken;
        }
        self.waiting_envelopes.fetch_sub(batch.iter().filter(|entry| entry.counted).count(), Relaxed);
        batch
    }

    /// Gives back the room of what was delivered or given up.
    fn release(&self, batch: &[Entry]) {
        self.waiting_bytes.fetch_sub(batch.iter().map(|entry| entry.bytes).sum(), Relaxed);
    }

    /// Counts a batch that could not be delivered.
    fn give_up(&self, batch: &[Entry], now_ns: i64) {
        self.release(batch);
        for entry in batch.iter().filter(|entry| entry.counted) {
            self.drop_one(entry.envelope.app, share::is_access(&entry.envelope), now_ns);
        }
    }

    fn drop_one(&self, app: AppGuid, is_access: bool, now_ns: i64) {
        self.dropped.fetch_add(1, Relaxed);
        let mut shard = self.shard(shard_of(app));
        let queue = shard.apps.entry(app).or_default();
        queue.count_drop(is_access, now_ns);
        if queue.wants_turn() {
            shard.turns.push_back(app);
        }
    }
}

/// Envelopes an app gives in one turn.
const TURN: usize = 128;

fn shard_of(app: AppGuid) -> usize {
    usize::try_from(app.as_u128() % SHARDS as u128).unwrap_or(0)
}

impl LogSink for LogQueue {
    fn emit(&self, envelope: Envelope) {
        let app = envelope.app;
        let bytes = weight::of(&envelope);
        let is_full = self.waiting_bytes.load(Relaxed).saturating_add(bytes) > self.limits.total_bytes;
        {
            let mut shard = self.shard(shard_of(app));
            let queue = shard.apps.entry(app).or_default();
            let taken = queue.push(envelope, bytes, is_full, &self.limits);
            let wants_turn = queue.wants_turn();
            if wants_turn {
                shard.turns.push_back(app);
            }
            if taken {
                self.waiting_bytes.fetch_add(bytes, Relaxed);
                self.waiting_envelopes.fetch_add(1, Relaxed);
            } else {
                self.dropped.fetch_add(1, Relaxed);
            }
        }
        self.tell();
    }
}

impl Shard {
    /// One app's turn; bytes taken, at least 1 where anything was.
    fn take_turn(&mut self, most: usize, most_bytes: usize, now_ns: i64, batch: &mut Vec<Entry>) -> usize {
        let Some(app) = self.turns.pop_front() else { return 0 };
        let Some(queue) = self.apps.get_mut(&app) else { return 0 };
        let bytes = queue.take(app, most, most_bytes, now_ns, batch);
        if queue.wants_turn() {
            self.turns.push_back(app);
        } else if queue.is_forgettable() {
            self.apps.remove(&app);
        }
        bytes.max(1)
    }
}
