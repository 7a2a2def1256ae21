//! The guest's time while it is started: it begins at a fixed moment, moves a little by being looked at, and as far as is waited.
//! Nothing that waits takes any time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// 1 January 2026, in seconds since 1970: old enough to be over in every running instance.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);
/// Nanoseconds that pass by one look at a clock. Some, so that loops which wait for a moment end.
const LOOK: u64 = 1_000;

/// Nanoseconds since the beginning, shared by all clocks of a guest.
#[derive(Debug, Clone, Default)]
pub(super) struct Time(Arc<AtomicU64>);

impl Time {
    fn look(&self) -> u64 {
        self.0.fetch_add(LOOK, Ordering::Relaxed)
    }

    /// A wait until a moment of the monotonic clock; one that is over takes no time.
    pub(super) fn wait_until(&self, moment: u64) {
        self.0.fetch_max(moment, Ordering::Relaxed);
    }

    /// A wait of so many nanoseconds.
    pub(super) fn wait(&self, nanoseconds: u64) {
        self.wait_until(self.0.load(Ordering::Relaxed).saturating_add(nanoseconds));
    }

    /// A wait until a moment since 1970.
    pub(super) fn wait_until_date(&self, nanoseconds: u64) {
        self.wait_until(nanoseconds.saturating_sub(u64::try_from(BEGINNING.as_nanos()).unwrap_or(u64::MAX)));
    }
}

impl HostMonotonicClock for Time {
    fn resolution(&self) -> u64 {
        LOOK
    }

    fn now(&self) -> u64 {
        self.look()
    }
}

impl HostWallClock for Time {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(LOOK)
    }

    fn now(&self) -> Duration {
        BEGINNING.saturating_add(Duration::from_nanos(self.look()))
    }
}
