//! The memory of an app instance: all its wasm instances draw on it, and where there is not enough they wait for one another.

use crate::pool::Pool;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::Notify, time::timeout};

/// Memory of one app instance: all linear memories and tables of all its wasm instances count.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: usize,
    ledger: Mutex<Ledger>,
    /// Rings for who waits to start, and is kept for who comes next.
    pub(crate) room: Notify,
    /// Rings for all at work that wait to grow. Not the same bell: who is woken and cannot use the room would keep it from the others.
    growth: Notify,
}

/// Time that a report of memory looks back, at the least. A wasm instance that is there for one request only, or that has just been
/// replaced, is hardly ever there at the very moment of a report.
const LATELY: Duration = Duration::from_secs(1);

/// Who holds how much, in bytes.
#[derive(Debug)]
struct Ledger {
    used: usize,
    /// The most that was used at one time since then, and in the stretch of time before.
    since: Instant,
    most: usize,
    most_before: usize,
    holders: Vec<(u64, usize)>,
    last_holder: u64,
    /// How many of them wait for memory.
    waiting: usize,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { used: 0, since: Instant::now(), most: 0, most_before: 0, holders: Vec::new(), last_holder: 0, waiting: 0 }
    }
}

impl Ledger {
    /// Bytes that the holders and so many more would need, each as large as the largest.
    fn needed(&self, more: usize) -> usize {
        let largest = self.holders.iter().map(|&(_, held)| held).max().unwrap_or(0);
        (self.holders.len() + more).saturating_mul(largest)
    }
}

impl MemoryBudget {
    /// A budget of this many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, ledger: Mutex::default(), room: Notify::new(), growth: Notify::new() }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes held now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.ledger().used
    }

    /// The most bytes that were held at one time lately: in [`LATELY`] or a little more, as far as reports come as often as that.
    #[must_use]
    pub fn most_lately(&self, now: Instant) -> usize {
        let mut ledger = self.ledger();
        if now.saturating_duration_since(ledger.since) >= LATELY {
            ledger.since = now;
            ledger.most_before = ledger.most;
            ledger.most = ledger.used;
        }
        ledger.most.max(ledger.most_before)
    }

    /// The limit in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether one more wasm instance fits, where each of them may yet become as large as the largest is, and a quarter larger: it is to
    /// serve for a while before they are too many. The first always does: that it does not is for its own start to find out.
    #[must_use]
    pub fn has_room_for_another(&self) -> bool {
        let needed = self.ledger().needed(1);
        needed.saturating_add(needed / 4) <= self.limit
    }

    /// Whether those there are have grown so that they would not all fit, if each became as large as the largest is. Alone, one may
    /// have it all.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        let ledger = self.ledger();
        ledger.holders.len() > 1 && ledger.needed(0) > self.limit
    }

    /// A wasm instance is free again, or gone with its memory.
    pub(crate) fn tell_of_room(&self) {
        self.growth.notify_waiters();
        self.room.notify_one();
    }

    fn enter(&self) -> u64 {
        let mut ledger = self.ledger();
        ledger.last_holder += 1;
        let holder = ledger.last_holder;
        ledger.holders.push((holder, 0));
        holder
    }

    fn leave(&self, holder: u64) {
        let mut ledger = self.ledger();
        if let Some(at) = ledger.holders.iter().position(|&(known, _)| known == holder) {
            let (_, held) = ledger.holders.swap_remove(at);
            ledger.used -= held;
        }
    }

    fn take(&self, holder: u64, bytes: usize) -> bool {
        let mut ledger = self.ledger();
        let Some(used) = ledger.used.checked_add(bytes).filter(|&sum| sum <= self.limit) else {
            return false;
        };
        ledger.used = used;
        ledger.most = ledger.most.max(used);
        if let Some((_, held)) = ledger.holders.iter_mut().find(|(known, _)| *known == holder) {
            *held += bytes;
        }
        true
    }

    fn give_back(&self, holder: u64, bytes: usize) {
        let mut ledger = self.ledger();
        if let Some((_, held)) = ledger.holders.iter_mut().find(|(known, _)| *known == holder) {
            *held -= bytes;
            ledger.used -= bytes;
        }
    }

    /// A wait for memory; none where every other holder waits too, since nobody would end it.
    fn wait(&self) -> Option<Waiting<'_>> {
        let mut ledger = self.ledger();
        (ledger.waiting + 1 < ledger.holders.len()).then(|| {
            ledger.waiting += 1;
            Waiting(self)
        })
    }
}

struct Waiting<'a>(&'a MemoryBudget);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.ledger().waiting -= 1;
    }
}

/// The engine's resource limiter of one wasm instance.
pub struct Limiter {
    budget: Arc<MemoryBudget>,
    idle: Arc<Pool>,
    wait: Duration,
    holder: u64,
    held: usize,
    last_growth: usize,
    was_made: bool,
    refused: bool,
}

/// Core instances, memories and tables of one component instance: enough for a componentized interpreter.
const CORE_INSTANCES: usize = 512;
const TABLE_ELEMENTS: usize = 1_000_000;

impl Limiter {
    /// A limiter that draws on the app instance's budget. Where that is used up, the idle wasm instances of `idle` are given up,
    /// and then it waits this long for those at work.
    #[must_use]
    pub fn new(budget: Arc<MemoryBudget>, idle: Arc<Pool>, wait: Duration) -> Self {
        let holder = budget.enter();
        Self { budget, idle, wait, holder, held: 0, last_growth: 0, was_made: false, refused: false }
    }

    /// It serves from now on. Before, whoever starts it waits for room: a warm one is never given up for a new one.
    pub fn was_made(&mut self) {
        self.was_made = true;
    }

    /// Bytes this wasm instance holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether growth was refused since the last call.
    pub fn take_refused(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }

    async fn grow(&mut self, bytes: usize) -> bool {
        let granted = self.budget.take(self.holder, bytes) || self.was_made && !self.refused && self.grow_in_time(bytes).await;
        self.last_growth = if granted { bytes } else { 0 };
        if granted {
            self.held += bytes;
        } else {
            self.refused = true;
        }
        granted
    }

    /// Takes the memory as soon as others leave enough of it.
    async fn grow_in_time(&self, bytes: usize) -> bool {
        let started = Instant::now();
        if self.held.saturating_add(bytes) > self.budget.limit {
            return false;
        }
        loop {
            // Before it looks: what is left meanwhile is heard of.
            let more = self.budget.growth.notified();
            if self.budget.take(self.holder, bytes) {
                return true;
            }
            if let Some(idle) = self.idle.give_up() {
                drop(idle);
                continue;
            }
            let left = self.wait.saturating_sub(started.elapsed());
            let Some(_waiting) = self.budget.wait() else { return false };
            if left.is_zero() || timeout(left, more).await.is_err() {
                return false;
            }
        }
    }

    fn undo(&mut self) {
        let bytes = std::mem::take(&mut self.last_growth);
        self.held = self.held.saturating_sub(bytes);
        self.budget.give_back(self.holder, bytes);
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.budget.leave(self.holder);
        // One that served tells of its room when all of it is gone. One that could not be made left no more room than it had found
        // for the next start, but those that grow had to do without what it held.
        if !self.was_made {
            self.budget.growth.notify_waiters();
        }
    }
}

#[async_trait::async_trait]
impl wasmtime::ResourceLimiterAsync for Limiter {
    async fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.last_growth = 0;
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current)).await)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo();
        Ok(())
    }

    async fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS || maximum.is_some_and(|maximum| desired > maximum) {
            self.last_growth = 0;
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(size_of::<usize>())).await)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo();
        Ok(())
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        CORE_INSTANCES
    }

    fn memories(&self) -> usize {
        CORE_INSTANCES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::poll;
    use std::task::Poll;
    use wasmtime::ResourceLimiterAsync as _;

    fn limiter(budget: &Arc<MemoryBudget>) -> Limiter {
        Limiter::new(budget.clone(), Arc::default(), Duration::from_secs(60))
    }

    #[tokio::test]
    async fn two_wasm_instances_share_one_budget_and_give_it_back() {
        let budget = Arc::new(MemoryBudget::new(3 << 16));
        let (mut first, mut second) = (limiter(&budget), limiter(&budget));
        assert!(first.memory_growing(0, 2 << 16, None).await.unwrap());
        assert!(!budget.has_room_for_another());
        assert!(!second.memory_growing(0, 2 << 16, None).await.unwrap());
        assert!(second.take_refused() && !second.take_refused());
        assert!(second.memory_growing(0, 1 << 16, None).await.unwrap());
        assert!(budget.is_crowded(), "the second cannot become as large as the first");
        second.memory_grow_failed(wasmtime::Error::msg("the kernel had none")).unwrap();
        assert_eq!(budget.used(), 2 << 16);
        drop(second);
        assert!(!budget.is_crowded(), "one alone is");
        drop(first);
        assert_eq!(budget.used(), 0);
        assert!(budget.has_room_for_another());
    }

    #[tokio::test]
    async fn one_that_grows_is_told_of_the_room_that_a_failed_start_leaves() {
        let budget = Arc::new(MemoryBudget::new(3 << 16));
        let (mut grows, mut starts) = (limiter(&budget), limiter(&budget));
        grows.was_made();
        assert!(grows.memory_growing(0, 1 << 16, None).await.unwrap());
        assert!(starts.memory_growing(0, 1 << 16, None).await.unwrap());
        let (grown, ()) = tokio::join!(grows.memory_growing(1 << 16, 3 << 16, None), async { drop(starts) });
        assert!(grown.unwrap());
        drop(grows);
        let mut alone = limiter(&budget);
        alone.refused = true;
        drop(alone);
        let told = timeout(Duration::ZERO, budget.room.notified()).await;
        assert!(told.is_err(), "a start that failed while nobody grows would wake itself");
    }

    #[tokio::test]
    async fn what_was_held_between_two_reports_is_told_until_it_is_long_ago() {
        let budget = Arc::new(MemoryBudget::new(3 << 16));
        let start = Instant::now() + Duration::from_secs(3600);
        assert_eq!(budget.most_lately(start), 0);
        let mut holder = limiter(&budget);
        assert!(holder.memory_growing(0, 2 << 16, None).await.unwrap());
        drop(holder);
        assert_eq!(budget.used(), 0);
        // However many reports follow one another closely.
        for _ in 0..3 {
            assert_eq!(budget.most_lately(start), 2 << 16);
        }
        assert_eq!(budget.most_lately(start + 2 * LATELY), 2 << 16);
        let mut smaller = limiter(&budget);
        assert!(smaller.memory_growing(0, 1 << 16, None).await.unwrap());
        assert_eq!(budget.most_lately(start + 2 * LATELY), 2 << 16);
        assert_eq!(budget.most_lately(start + 3 * LATELY), 1 << 16);
        drop(smaller);
        assert_eq!(budget.most_lately(start + 4 * LATELY), 1 << 16);
        assert_eq!(budget.most_lately(start + 5 * LATELY), 0);
    }

    #[tokio::test]
    async fn room_that_one_cannot_use_is_not_lost_for_another() {
        let budget = Arc::new(MemoryBudget::new(6 << 16));
        let [mut large, mut small, mut ends] = [limiter(&budget), limiter(&budget), limiter(&budget)];
        for limiter in [&mut large, &mut small, &mut ends] {
            limiter.was_made();
            assert!(limiter.memory_growing(0, 2 << 16, None).await.unwrap());
        }
        let mut too_much = std::pin::pin!(large.memory_growing(2 << 16, 5 << 16, None));
        let mut little = std::pin::pin!(small.memory_growing(2 << 16, 3 << 16, None));
        assert!(poll!(&mut too_much).is_pending() && poll!(&mut little).is_pending());
        drop(ends);
        budget.tell_of_room();
        assert!(matches!(poll!(&mut little), Poll::Ready(Ok(true))));
        assert!(poll!(&mut too_much).is_pending(), "it waits on for what that one holds");
    }

    #[tokio::test]
    async fn one_at_work_waits_for_another_but_not_for_one_that_waits_for_it() {
        let budget = Arc::new(MemoryBudget::new(3 << 16));
        let (mut first, mut second) = (limiter(&budget), limiter(&budget));
        first.was_made();
        second.was_made();
        assert!(first.memory_growing(0, 1 << 16, None).await.unwrap());
        assert!(second.memory_growing(0, 1 << 16, None).await.unwrap());
        let growing = first.memory_growing(1 << 16, 3 << 16, None);
        let ending = async {
            assert!(!second.memory_growing(1 << 16, 3 << 16, None).await.unwrap(), "both wait for ever");
            drop(second);
            budget.tell_of_room();
        };
        let (grown, ()) = tokio::join!(growing, ending);
        assert!(grown.unwrap());
        assert_eq!(budget.used(), 3 << 16);
    }
}
