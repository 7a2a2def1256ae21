//! Tasks that hyper starts: owned by a tracker, so that they can be waited for.

use hyper::rt::Executor;
use tokio_util::task::TaskTracker;

/// Starts them on the current runtime.
#[derive(Clone)]
pub(crate) struct Tracked(pub(crate) TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
