//! The limits on a guest: memory shared by all wasm instances of an app instance, CPU time and wall time of a request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// A limit that ended a guest; travels out of the guest as its trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitHit {
    /// `request_cpu_ms`.
    #[error("request_cpu_ms")]
    Cpu,
    /// `request_wall_ms`.
    #[error("request_wall_ms")]
    Wall,
    /// `memory`.
    #[error("memory")]
    Memory,
}

impl LimitHit {
    /// The name the limit has in the documentation.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "request_cpu_ms",
            Self::Wall => "request_wall_ms",
            Self::Memory => "memory",
        }
    }

    /// Whether it is a limit on time (504 rather than 502).
    #[must_use]
    pub fn is_time(self) -> bool {
        !matches!(self, Self::Memory)
    }
}

/// Memory of one app instance: all linear memories and tables of all its wasm instances count.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: usize,
    used: AtomicUsize,
}

impl MemoryBudget {
    /// A budget of this many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    /// Bytes held now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// The limit in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= self.limit);
        self.used.fetch_update(Relaxed, Relaxed, taken).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
    }
}

/// The engine's resource limiter of one wasm instance.
#[derive(Debug)]
pub struct Limiter {
    budget: Arc<MemoryBudget>,
    held: usize,
    last_growth: usize,
    refused: bool,
}

/// Core instances, memories and tables of one component instance: enough for a componentized interpreter.
const CORE_INSTANCES: usize = 512;
const TABLE_ELEMENTS: usize = 1_000_000;

impl Limiter {
    /// A limiter that draws on the app instance's budget.
    #[must_use]
    pub fn new(budget: Arc<MemoryBudget>) -> Self {
        Self { budget, held: 0, last_growth: 0, refused: false }
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

    fn grow(&mut self, bytes: usize) -> bool {
        let granted = self.budget.take(bytes);
        if granted {
            self.held += bytes;
            self.last_growth = bytes;
        } else {
            self.refused = true;
        }
        granted
    }

    fn undo(&mut self) {
        let bytes = std::mem::take(&mut self.last_growth);
        self.held = self.held.saturating_sub(bytes);
        self.budget.give_back(bytes);
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.budget.give_back(self.held);
    }
}

impl wasmtime::ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.last_growth = 0;
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS || maximum.is_some_and(|maximum| desired > maximum) {
            self.last_growth = 0;
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(size_of::<usize>())))
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

/// CPU time of the guest call in progress.
///
/// A short poll is measured by the monotonic clock, which costs next to nothing. A guest that ran over a tick of the
/// epoch is measured by the thread's CPU clock from then on, so that a busy box does not count other processes' time.
#[derive(Debug)]
pub struct CpuMeter {
    limit_ns: u64,
    sample_ns: u64,
    used_ns: AtomicU64,
    is_long: AtomicBool,
    /// Thread CPU time, and monotonic time since `origin`, at the start of the poll in progress; 0 for unknown.
    poll_cpu_ns: AtomicU64,
    poll_wall_ns: AtomicU64,
    origin: Instant,
}

/// The most a poll can have used whose CPU time was not read: it ended before the epoch stopped it a second time.
const UNREAD_POLL: Duration = Duration::from_millis(20);

fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

impl CpuMeter {
    /// A meter for one request, whose polls will be counted.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self {
            limit_ns: nanos(limit),
            sample_ns: 0,
            used_ns: AtomicU64::new(0),
            is_long: AtomicBool::new(false),
            poll_cpu_ns: AtomicU64::new(0),
            poll_wall_ns: AtomicU64::new(0),
            origin: Instant::now(),
        }
    }

    /// A meter that counts a whole beat of the epoch for each tick that finds the guest running: right on average, for
    /// guests that are not polled by the cell itself.
    #[must_use]
    pub fn sampled(limit: Duration, beat: Duration) -> Self {
        Self { sample_ns: nanos(beat).max(1), ..Self::new(limit) }
    }

    /// Starts counting anew: another request has begun on a wasm instance that serves many at a time.
    pub fn reset(&self) {
        self.used_ns.store(0, Relaxed);
    }

    /// Called before the guest's future is polled.
    pub fn begin_poll(&self) {
        self.poll_wall_ns.store(nanos(self.origin.elapsed()), Relaxed);
        self.poll_cpu_ns.store(if self.is_long.load(Relaxed) { thread_cpu_ns() } else { 0 }, Relaxed);
    }

    /// Called after it; gives the nanoseconds that were used.
    pub fn end_poll(&self) -> u64 {
        let used = self.in_poll();
        self.used_ns.fetch_add(used, Relaxed);
        used
    }

    fn in_poll(&self) -> u64 {
        match self.poll_cpu_ns.load(Relaxed) {
            0 => nanos(self.origin.elapsed()).saturating_sub(self.poll_wall_ns.load(Relaxed)).min(nanos(UNREAD_POLL)),
            start => thread_cpu_ns().saturating_sub(start),
        }
    }

    /// Called at each tick of the epoch that finds the guest running; gives the nanoseconds that polls will not count.
    ///
    /// # Errors
    /// [`LimitHit::Cpu`] when the request has used its CPU time.
    pub fn tick(&self) -> Result<u64, LimitHit> {
        let used = if self.sample_ns > 0 {
            self.used_ns.fetch_add(self.sample_ns, Relaxed)
        } else {
            self.is_long.store(true, Relaxed);
            self.used_ns.load(Relaxed).saturating_add(self.in_poll())
        };
        if used > self.limit_ns { Err(LimitHit::Cpu) } else { Ok(self.sample_ns) }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::ResourceLimiter as _;

    #[test]
    fn two_wasm_instances_share_one_budget_and_give_it_back() {
        let budget = Arc::new(MemoryBudget::new(3 << 16));
        let (mut first, mut second) = (Limiter::new(budget.clone()), Limiter::new(budget.clone()));
        assert!(first.memory_growing(0, 2 << 16, None).unwrap());
        assert!(!second.memory_growing(0, 2 << 16, None).unwrap());
        assert!(second.take_refused() && !second.take_refused());
        assert!(second.memory_growing(0, 1 << 16, None).unwrap());
        second.memory_grow_failed(wasmtime::Error::msg("the kernel had none")).unwrap();
        assert_eq!(budget.used(), 2 << 16);
        drop((first, second));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_request_that_spins_runs_out_of_cpu_time() {
        let meter = CpuMeter::new(Duration::from_millis(5));
        let start = Instant::now();
        let hit = loop {
            meter.begin_poll();
            while meter.in_poll() < 1_000_000 {}
            if let Err(hit) = meter.tick() {
                break hit;
            }
            assert!(meter.end_poll() >= 1_000_000);
        };
        assert_eq!(hit, LimitHit::Cpu);
        assert!(start.elapsed() >= Duration::from_millis(5));
    }
}
