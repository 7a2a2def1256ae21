//! The end of the process in the middle of work.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// Work that ends after some steps, wherever it is then, as at a crash.
pub(super) struct Crashing<F> {
    pub work: Pin<Box<F>>,
    pub steps: usize,
}

impl<F: Future> Future for Crashing<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(left) = self.steps.checked_sub(1) else { return Poll::Ready(None) };
        self.steps = left;
        self.work.as_mut().poll(context).map(Some)
    }
}
