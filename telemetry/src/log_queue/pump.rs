//! The one task that delivers what waits.

use super::{LogQueue, share::Entry};
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use virga_contract::{cell::LinkError, logs::Envelope};
use virga_model::Timestamp;

/// Empties a [`LogQueue`]. There is one for each.
#[derive(Debug)]
pub struct LogPump {
    queue: Arc<LogQueue>,
    first_shard: usize,
}

/// Shortest pause between two tries while the other side is away.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Tries of a batch that the other side takes but fails on; then it is counted as dropped.
const TRIES: u32 = 3;

impl LogPump {
    pub(super) fn new(queue: Arc<LogQueue>) -> Self {
        Self { queue, first_shard: 0 }
    }

    /// Delivers until `stop`, then once more what is left, within [`super::QueueLimits::flush`].
    ///
    /// A batch for which `deliver` says [`LinkError::Away`] is kept and tried again; any other failure is tried three
    /// times, so that one bad batch cannot hold up all that follow it.
    pub async fn run<D, F>(mut self, deliver: D, stop: impl Future<Output = ()>)
    where
        D: Fn(Vec<Envelope>) -> F,
        F: Future<Output = Result<(), LinkError>>,
    {
        let mut stop = pin!(stop);
        let mut unsent = Vec::new();
        tokio::select! {
            () = &mut stop => {}
            () = self.deliver_for_ever(&deliver, &mut unsent) => {}
        }
        let limit = self.queue.limits.flush;
        if tokio::time::timeout(limit, self.flush(&deliver, &mut unsent)).await.is_err() {
            tracing::warn!(envelopes = unsent.len() + self.queue.waiting(), "log lines were left undelivered at the end");
        }
    }

    async fn deliver_for_ever<D, F>(&mut self, deliver: &D, unsent: &mut Vec<Entry>)
    where
        D: Fn(Vec<Envelope>) -> F,
        F: Future<Output = Result<(), LinkError>>,
    {
        loop {
            self.queue.wake.notified().await;
            if self.queue.waiting() < self.queue.limits.batch_envelopes / 2 {
                tokio::time::sleep(self.queue.limits.linger).await;
            }
            // Before looking: what comes after the look wakes us again.
            self.queue.told.store(false, Relaxed);
            while self.next_batch(unsent) {
                self.deliver_batch(deliver, unsent).await;
            }
        }
    }

    async fn flush<D, F>(&mut self, deliver: &D, unsent: &mut Vec<Entry>)
    where
        D: Fn(Vec<Envelope>) -> F,
        F: Future<Output = Result<(), LinkError>>,
    {
        if !unsent.is_empty() {
            self.deliver_batch(deliver, unsent).await;
        }
        while self.next_batch(unsent) {
            self.deliver_batch(deliver, unsent).await;
        }
    }

    fn next_batch(&mut self, unsent: &mut Vec<Entry>) -> bool {
        // Every batch begins with another shard, so that none is always first.
        self.first_shard = self.first_shard.wrapping_add(1);
        *unsent = self.queue.take(self.first_shard, now_ns());
        !unsent.is_empty()
    }

    /// Delivers `unsent` and empties it; it stays filled if this future is dropped half-way.
    async fn deliver_batch<D, F>(&self, deliver: &D, unsent: &mut Vec<Entry>)
    where
        D: Fn(Vec<Envelope>) -> F,
        F: Future<Output = Result<(), LinkError>>,
    {
        let (mut pause, mut failures) = (FIRST_PAUSE, 0);
        loop {
            match deliver(unsent.iter().map(|entry| entry.envelope.clone()).collect()).await {
                Ok(()) => {
                    self.queue.release(unsent);
                    break;
                }
                Err(LinkError::Away(_)) => {}
                Err(error) => {
                    failures += 1;
                    if failures == TRIES {
                        tracing::warn!(error = %error, envelopes = unsent.len(), "a batch of log lines was refused");
                        self.queue.give_up(unsent, now_ns());
                        break;
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.queue.limits.longest_pause);
        }
        unsent.clear();
    }
}

fn now_ns() -> i64 {
    i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}
