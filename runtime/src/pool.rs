//! Warm wasm instances of one app instance, for the reuse policy `pool`: last in, first out, so that what is not needed
//! grows cold and is retired.

use crate::guest::http_p2::Warm;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Idle warm instances; those that serve a request are with the request.
#[derive(Default)]
pub struct Pool(Mutex<Vec<(Instant, Warm)>>);

impl Pool {
    /// The one used last.
    pub(crate) fn take(&self) -> Option<Warm> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().map(|(_, warm)| warm)
    }

    /// Keeps one for the next request.
    pub(crate) fn put(&self, warm: Warm) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), warm));
    }

    /// Gives up the one that has been idle longest.
    pub(crate) fn give_up(&self) -> Option<Warm> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Sorted by time: the oldest stand first.
        (!pool.is_empty()).then(|| pool.remove(0).1)
    }

    /// Retires what has been idle for too long.
    pub(crate) fn retire_idle(&self, idle: Duration) {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Sorted by time: the oldest stand first.
        let retired = pool.iter().take_while(|(since, _)| since.elapsed() >= idle).count();
        let retired: Vec<_> = pool.drain(..retired).collect();
        drop(pool);
        drop(retired);
    }

    /// Retires all.
    pub(crate) fn clear(&self) {
        let retired = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(retired);
    }
}
