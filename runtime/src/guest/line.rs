//! The line of an app instance: where there is no memory for one more wasm instance, requests wait for those there are. Who came
//! first is served first, and the wait is bounded by `queue_wait_ms`.

use crate::instance::AppInstance;
use std::time::{Duration, Instant};
use tokio::{sync::SemaphorePermit, time::timeout};
use virga_contract::cell::CellError;
use wasmtime::PoolConcurrencyLimitError;

/// The first place in the line: only who has it looks for a wasm instance.
pub struct First<'a> {
    instance: &'a AppInstance,
    since: Instant,
    _place: SemaphorePermit<'a>,
}

impl<'a> First<'a> {
    /// Waits for it.
    ///
    /// # Errors
    /// [`CellError::Overloaded`] when those before it take too long.
    pub async fn of(instance: &'a AppInstance) -> Result<Self, CellError> {
        let since = Instant::now();
        let place = match instance.line.try_acquire() {
            Ok(place) => place,
            Err(_) => match timeout(instance.cell.limits.queue_wait(), instance.line.acquire()).await {
                Ok(Ok(place)) => place,
                _ => return Err(instance.overloaded("memory")),
            },
        };
        Ok(Self { instance, since, _place: place })
    }

    /// How long it has been waiting, the time before it was first included.
    pub fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    /// Waits until there may be room for one more wasm instance.
    ///
    /// # Errors
    /// [`CellError::Overloaded`] when it has waited too long.
    pub async fn until_room(&self) -> Result<(), CellError> {
        let left = self.instance.cell.limits.queue_wait().saturating_sub(self.waited());
        // Room may come again and again and each time be too small; the wait ends all the same.
        if left.is_zero() || timeout(left, self.instance.memory.room.notified()).await.is_err() {
            return Err(self.instance.overloaded("memory"));
        }
        Ok(())
    }

    /// What follows from a wasm instance that could not be made. `Ok` where those that were there before it will leave room for it, or
    /// have left it meanwhile.
    ///
    /// # Errors
    /// The request's end, where waiting does not help.
    pub fn after(&self, failed: &StartFailed, there_were_others: bool) -> Result<(), CellError> {
        if failed.memory_was_refused && there_were_others {
            return Ok(());
        }
        if failed.error.is::<PoolConcurrencyLimitError>() {
            return Err(self.instance.overloaded("total_wasm_instances"));
        }
        Err(self.instance.guest_failed(&failed.error, failed.memory_was_refused))
    }
}

/// A wasm instance that could not be made.
pub struct StartFailed {
    /// Why.
    pub error: wasmtime::Error,
    /// Whether its app instance had too little memory left for it.
    pub memory_was_refused: bool,
}

impl From<wasmtime::Error> for StartFailed {
    fn from(error: wasmtime::Error) -> Self {
        Self { error, memory_was_refused: false }
    }
}
