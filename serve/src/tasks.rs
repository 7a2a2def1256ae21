//! The owner of every task of a process, and the process's end in two phases.
//!
//! The first signal (SIGTERM, SIGINT) or [`Tasks::stop`] makes [`Tasks::draining`] ring: servers stop accepting and finish
//! what they hold, loops end after their current round. A second signal, or the drain deadline, drops every task that is
//! still there. A task that panics or returns an error starts the same end, and the process reports failure.

use futures::{FutureExt as _, Stream, StreamExt as _};
use std::{
    borrow::Cow,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long dropped tasks may take to go. Only one that never yields takes longer than a moment, and nothing but the end
/// of the process ends that one.
const AFTER_CANCEL: Duration = Duration::from_secs(5);

/// Why a process ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// Asked to, and everything in flight was finished.
    Stopped,
    /// Asked to, but something was still running at the deadline or the second signal; it was dropped.
    Cancelled,
    /// A task panicked or ended with an error.
    TaskFailed {
        /// Name of the task.
        task: String,
        /// Its error or panic message.
        error: String,
    },
}

impl ExitReason {
    /// The process's exit code: 0 when drained, 1 for a failed task, 2 when work was cut off.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Stopped => 0,
            Self::TaskFailed { .. } => 1,
            Self::Cancelled => 2,
        }
    }
}

/// What a task may end with: nothing, or a `Result` whose error brings the process down.
pub trait TaskEnd {
    /// The error, if it ended with one.
    fn error(self) -> Option<String>;
}

impl TaskEnd for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<E: std::fmt::Display> TaskEnd for Result<(), E> {
    fn error(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// Spawns tasks and joins them all. Cheap to clone; every clone is the same owner.
#[derive(Debug, Clone, Default)]
pub struct Tasks(Arc<Owner>);

#[derive(Debug, Default)]
struct Owner {
    tracker: TaskTracker,
    draining: CancellationToken,
    cancelled: CancellationToken,
    /// The first task that failed.
    failed: Mutex<Option<(String, String)>>,
}

impl Tasks {
    /// An owner without tasks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `future` until it ends or everything is cancelled. Its error or panic brings the process down.
    pub fn spawn<F>(&self, name: impl Into<Cow<'static, str>>, future: F)
    where
        F: Future + Send + 'static,
        F::Output: TaskEnd + Send,
    {
        self.0.tracker.spawn(supervise(self.clone(), name.into(), future));
    }

    /// As [`Tasks::spawn`], for futures that stay on this thread; must be called inside a `LocalSet`.
    pub fn spawn_local<F>(&self, name: impl Into<Cow<'static, str>>, future: F)
    where
        F: Future + 'static,
        F::Output: TaskEnd,
    {
        self.0.tracker.spawn_local(supervise(self.clone(), name.into(), future));
    }

    /// Runs one connection, request or other piece of outside work: a panic is logged and costs this piece only.
    /// The handle may be dropped; the work goes on and is still joined at the end.
    pub fn spawn_guarded<F>(&self, name: &'static str, future: F) -> tokio::task::JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let cancelled = self.0.cancelled.clone();
        self.0.tracker.spawn(async move {
            let guarded = AssertUnwindSafe(future).catch_unwind();
            match cancelled.run_until_cancelled_owned(guarded).await? {
                Ok(output) => Some(output),
                Err(panic) => {
                    tracing::error!(task.name = name, error = panic_text(&*panic), "task panicked; its work is lost");
                    None
                }
            }
        })
    }

    /// Rings at the first signal: accept nothing new, finish what is held.
    #[must_use]
    pub fn draining(&self) -> CancellationToken {
        self.0.draining.clone()
    }

    /// Rings when what is left is being dropped.
    #[must_use]
    pub fn cancelled(&self) -> CancellationToken {
        self.0.cancelled.clone()
    }

    /// Begins the drain, as the first signal does.
    pub fn stop(&self) {
        self.0.draining.cancel();
    }

    /// Waits for SIGTERM or SIGINT, [`Tasks::stop`] or a failed task, then drains for at most `drain` and returns when no
    /// task is left.
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    pub async fn run_until_stopped(&self, drain: Duration) -> std::io::Result<ExitReason> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let signals = futures::stream::poll_fn(move |context| match term.poll_recv(context) {
            std::task::Poll::Pending => interrupt.poll_recv(context),
            ready => ready,
        });
        Ok(self.run_until(signals, drain).await)
    }

    /// As [`Tasks::run_until_stopped`], with the signals given.
    pub async fn run_until(&self, signals: impl Stream<Item = ()>, drain: Duration) -> ExitReason {
        let mut signals = std::pin::pin!(signals.chain(futures::stream::pending()));
        tokio::select! {
            () = self.0.draining.cancelled() => {}
            _ = signals.next() => tracing::info!("stopping: no new work is taken, what is in flight is finished"),
        }
        self.0.draining.cancel();
        self.0.tracker.close();
        let drained = tokio::select! {
            () = self.0.tracker.wait() => true,
            _ = signals.next() => false,
            () = tokio::time::sleep(drain) => false,
        };
        if !drained {
            tracing::warn!(tasks = self.0.tracker.len(), "work in flight is dropped");
            self.0.cancelled.cancel();
            if tokio::time::timeout(AFTER_CANCEL, self.0.tracker.wait()).await.is_err() {
                tracing::error!(tasks = self.0.tracker.len(), "tasks that never yield are left behind");
            }
        }
        match self.0.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            Some((task, error)) => ExitReason::TaskFailed { task, error },
            None if drained => ExitReason::Stopped,
            None => ExitReason::Cancelled,
        }
    }

    fn fail(&self, task: &str, error: String) {
        tracing::error!(task.name = task, error, "task failed; the process stops");
        let mut failed = self.0.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        failed.get_or_insert((task.to_owned(), error));
        drop(failed);
        self.0.draining.cancel();
    }
}

async fn supervise<F>(tasks: Tasks, name: Cow<'static, str>, future: F)
where
    F: Future,
    F::Output: TaskEnd,
{
    let guarded = AssertUnwindSafe(future).catch_unwind();
    match tasks.cancelled().run_until_cancelled_owned(guarded).await {
        None => {}
        Some(Ok(end)) => {
            if let Some(error) = end.error() {
                tasks.fail(&name, error);
            }
        }
        Some(Err(panic)) => tasks.fail(&name, panic_text(&*panic).to_owned()),
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panic without a message")
}
