//! The log cache: the last envelopes of every app, in memory.
//!
//! An app that writes much pushes out its own envelopes; where the whole cache is full, the app that holds most gives
//! way. Access lines and measurements have lanes of their own, so that neither crowds out what the app itself wrote.

mod app;
mod lane;
mod query;
#[cfg(test)]
mod tests;

use app::AppCache;
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};
use virga_contract::logs::{Envelope, LogCache, LogSink, ReadQuery, SourceMeta};
use virga_model::AppGuid;

/// Bounds of the log cache.
#[derive(Debug, Clone)]
pub struct CacheLimits {
    /// Envelopes of one lane of one app (default 1,000, the most one read returns).
    pub lane_envelopes: usize,
    /// Bytes of one lane of one app (default 1 MiB).
    pub lane_bytes: usize,
    /// Bytes of all apps together (default 256 MiB).
    pub total_bytes: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { lane_envelopes: 1_000, lane_bytes: 1 << 20, total_bytes: 256 << 20 }
    }
}

/// Apps are spread over this many locks.
const SHARDS: usize = 16;

/// The log cache. Ingest through [`LogCacheStore::ingest`] or as a [`LogSink`].
#[derive(Debug)]
pub struct LogCacheStore {
    limits: CacheLimits,
    shards: [Mutex<Shard>; SHARDS],
    ingested: AtomicU64,
    expired: AtomicU64,
    began: Instant,
}

#[derive(Debug, Default)]
struct Shard {
    apps: HashMap<AppGuid, AppCache>,
    bytes: usize,
}

/// Sums over the whole cache, for the metrics page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounters {
    /// Envelopes taken in since the start.
    pub ingested: u64,
    /// Envelopes that had to go since the start.
    pub expired: u64,
    /// Apps with at least one envelope.
    pub apps: u64,
    /// Bytes held, near enough.
    pub bytes: u64,
}

impl LogCacheStore {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { limits, shards, ingested: AtomicU64::new(0), expired: AtomicU64::new(0), began: Instant::now() }
    }

    /// Takes a batch in; consecutive envelopes of one app share a lock.
    pub fn ingest(&self, batch: Vec<Envelope>) {
        self.ingested.fetch_add(u64::try_from(batch.len()).unwrap_or(u64::MAX), Relaxed);
        let mut expired = 0;
        let mut batch = batch.into_iter().peekable();
        while let Some(envelope) = batch.next() {
            let index = shard_of(envelope.app);
            let mut shard = self.shard(index);
            expired += shard.insert(envelope, &self.limits);
            while let Some(next) = batch.next_if(|next| shard_of(next.app) == index) {
                expired += shard.insert(next, &self.limits);
            }
        }
        self.expired.fetch_add(expired, Relaxed);
    }

    /// Forgets an app; for apps that were deleted.
    pub fn forget(&self, app: AppGuid) {
        let mut shard = self.shard(shard_of(app));
        if let Some(cache) = shard.apps.remove(&app) {
            shard.bytes -= cache.bytes();
        }
    }

    /// Sums for the metrics page.
    #[must_use]
    pub fn counters(&self) -> CacheCounters {
        let mut counters =
            CacheCounters { ingested: self.ingested.load(Relaxed), expired: self.expired.load(Relaxed), ..CacheCounters::default() };
        for index in 0..SHARDS {
            let shard = self.shard(index);
            counters.apps += u64::try_from(shard.apps.len()).unwrap_or(u64::MAX);
            counters.bytes += u64::try_from(shard.bytes).unwrap_or(u64::MAX);
        }
        counters
    }

    fn shard(&self, index: usize) -> MutexGuard<'_, Shard> {
        // `index` is always a remainder by SHARDS; `% SHARDS` there keeps this total.
        let [first, ..] = &self.shards;
        self.shards.get(index).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shard_of(app: AppGuid) -> usize {
    // The low bits of a random guid are random; the remainder fits any usize.
    usize::try_from(app.as_u128() % SHARDS as u128).unwrap_or(0)
}

impl Shard {
    /// Puts one envelope in; the number that had to go for it.
    fn insert(&mut self, envelope: Envelope, limits: &CacheLimits) -> u64 {
        let app = self.apps.entry(envelope.app).or_default();
        let before = app.bytes();
        let mut expired = app.insert(envelope, limits);
        self.bytes = self.bytes + app.bytes() - before;
        let budget = limits.total_bytes / SHARDS;
        while self.bytes > budget {
            let gone = self.evict(budget);
            if gone == 0 {
                break;
            }
            expired += gone;
        }
        expired
    }

    /// Takes from the app that holds most, until the shard has room again or that app holds half of what it did.
    fn evict(&mut self, budget: usize) -> u64 {
        let Some((&guid, largest)) = self.apps.iter_mut().max_by_key(|(_, app)| app.bytes()) else { return 0 };
        let before = largest.bytes();
        // A little below the budget, so that the search for the largest is not made for every envelope.
        let surplus = self.bytes.saturating_sub(budget - budget / 16);
        let expired = largest.shrink(before.saturating_sub(surplus).max(before / 2));
        let after = largest.bytes();
        if largest.is_empty() {
            self.apps.remove(&guid);
            self.bytes -= before;
        } else {
            self.bytes = self.bytes + after - before;
        }
        expired
    }
}

impl LogSink for LogCacheStore {
    fn emit(&self, envelope: Envelope) {
        self.ingest(vec![envelope]);
    }
}

impl LogCache for LogCacheStore {
    fn read(&self, app: AppGuid, query: &ReadQuery) -> Result<Vec<Envelope>, String> {
        let query = query::Query::parse(query)?;
        let shard = self.shard(shard_of(app));
        Ok(shard.apps.get(&app).map(|cache| cache.read(app, &query)).unwrap_or_default())
    }

    fn meta(&self) -> Vec<SourceMeta> {
        let mut all = Vec::new();
        for index in 0..SHARDS {
            all.extend(self.shard(index).apps.iter().filter_map(|(guid, app)| app.meta(*guid)));
        }
        all
    }

    fn forget(&self, app: AppGuid) {
        Self::forget(self, app);
    }

    fn uptime_seconds(&self) -> u64 {
        self.began.elapsed().as_secs()
    }
}
