//! Polls a guest's call under its CPU meter and its wall-time limit.

use crate::{
    instance::AppInstance,
    limits::{CpuMeter, LimitHit},
};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};
use virga_contract::cell::CellError;

/// Whether a call failed after its answer had begun. The answer's body asks.
#[derive(Debug, Default)]
pub struct Outcome(AtomicBool);

impl Outcome {
    /// Marks the call as failed.
    pub fn fail(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was.
    pub fn has_failed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A guest's call whose polls are counted as CPU time of its app instance, and which ends at the wall-time limit.
pub struct Metered<F> {
    call: Pin<Box<F>>,
    meter: Arc<CpuMeter>,
    instance: Arc<AppInstance>,
    deadline: Instant,
    /// Made at the first poll that leaves the call pending; most never do.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<F> Metered<F> {
    /// Wraps a call that starts now.
    pub fn new(call: F, meter: Arc<CpuMeter>, instance: Arc<AppInstance>, wall: Duration) -> Self {
        Self { call: Box::pin(call), meter, instance, deadline: Instant::now() + wall, timer: None }
    }
}

impl<F: Future<Output = Result<(), CellError>>> Future for Metered<F> {
    type Output = Result<(), CellError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.meter.begin_poll();
        let end = self.call.as_mut().poll(cx);
        let used = self.meter.end_poll();
        self.instance.cpu_ns.fetch_add(used, Ordering::Relaxed);
        if end.is_ready() {
            return end;
        }
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(self.instance.limit_hit(LimitHit::Wall))),
            Poll::Pending => Poll::Pending,
        }
    }
}
