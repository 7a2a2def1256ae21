//! Fair turns for guests that live between requests. One that computes without end may use the thread while nobody else wants
//! it, but all of them together take one beat in turn, and whatever else is ready goes first: ten busy workers hold a request up
//! for one beat, not for ten.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The turn of one guest, and the queue it shares with the others of its worker.
pub struct Turns {
    queue: Arc<Semaphore>,
    held: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Turns {
    /// A guest's place in the queue of its worker.
    pub fn new(queue: Arc<Semaphore>) -> Arc<Self> {
        Arc::new(Self { queue, held: Mutex::default() })
    }

    /// The queue of a worker: one turn at a time.
    pub fn queue() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(1))
    }

    /// The guest's beat is over; waits for its next.
    pub async fn next(self: Arc<Self>) {
        let turn = self.queue.clone().acquire_owned().await.ok();
        // Through the runtime's own yield, and with the turn in hand: the I/O driver and all that it wakes come before this guest,
        // and no other guest of its kind does.
        tokio::task::yield_now().await;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }

    fn end(&self) {
        let turn = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(turn);
    }
}

/// A guest's run, whose turn ends with each poll: a guest that waits for something holds nobody up.
pub struct Taking<F> {
    run: Pin<Box<F>>,
    turns: Arc<Turns>,
}

impl<F> Taking<F> {
    /// Wraps a run whose store calls [`Turns::next`] at each beat.
    pub fn new(run: F, turns: Arc<Turns>) -> Self {
        Self { run: Box::pin(run), turns }
    }
}

impl<F: Future> Future for Taking<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.run.as_mut().poll(cx);
        self.turns.end();
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    #[tokio::test]
    async fn between_two_beats_of_the_busy_everybody_else_runs() {
        let queue = Turns::queue();
        let (beats, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tracker = tokio_util::task::TaskTracker::new();
        for _ in 0..10 {
            let (turns, beats) = (Turns::new(queue.clone()), beats.clone());
            let busy = turns.clone();
            tracker.spawn(Taking::new(
                async move {
                    for _ in 0..100 {
                        busy.clone().next().await;
                        beats.fetch_add(1, Relaxed);
                    }
                },
                turns,
            ));
        }
        let other = requests.clone();
        tracker.spawn(async move {
            while other.fetch_add(1, Relaxed) < 100_000 {
                tokio::task::yield_now().await;
            }
        });
        while beats.load(Relaxed) < 200 {
            tokio::task::yield_now().await;
        }
        let (beats, requests) = (beats.load(Relaxed), requests.load(Relaxed));
        assert!(requests + 20 >= beats, "{requests} rounds of the other for {beats} beats");
    }
}
