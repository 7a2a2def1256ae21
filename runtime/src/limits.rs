//! The limits on a guest, by name, and the CPU time of a request. Its memory is counted in [`crate::memory`].

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
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
