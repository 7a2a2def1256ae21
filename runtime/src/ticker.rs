//! The epoch ticker: a thread that interrupts guests at a steady beat, so that a busy one yields to its neighbours.
//! It sleeps while no guest runs.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};
use virga_engine::Engines;

/// Beats without a guest before the thread goes to sleep; going to sleep at once would cost a wake-up per request.
const IDLE_BEATS: u32 = 50;

/// Owns the thread; dropping it ends and joins the thread.
pub struct Ticker {
    state: Arc<State>,
    thread: Option<thread::JoinHandle<()>>,
}

struct State {
    running: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

/// While one of these lives, the epoch beats.
pub struct Running(Arc<State>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl Ticker {
    /// Starts the thread for these engines.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(engines: Engines, beat: Duration) -> std::io::Result<Self> {
        let state = Arc::new(State {
            running: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        });
        let shared = state.clone();
        let thread = thread::Builder::new().name("epoch".into()).spawn(move || shared.tick(&engines, beat))?;
        Ok(Self { state, thread: Some(thread) })
    }

    /// Marks a guest as running.
    #[must_use]
    pub fn running(&self) -> Running {
        self.state.running.fetch_add(1, SeqCst);
        if self.state.asleep.load(SeqCst) {
            self.state.rouse();
        }
        Running(self.state.clone())
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.state.stopped.store(true, SeqCst);
        self.state.rouse();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by the panic hook; there is nothing to add.
            let _ended = thread.join();
        }
    }
}

impl State {
    fn rouse(&self) {
        let _held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.wake.notify_one();
    }

    fn is_needed(&self) -> bool {
        self.running.load(SeqCst) > 0 || self.stopped.load(SeqCst)
    }

    fn tick(&self, engines: &Engines, beat: Duration) {
        let mut idle = 0;
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let slept = self.wake.wait_timeout_while(held, beat, |()| !self.stopped.load(SeqCst));
            held = slept.unwrap_or_else(PoisonError::into_inner).0;
            if self.stopped.load(SeqCst) {
                return;
            }
            engines.increment_epoch();
            idle = if self.running.load(SeqCst) > 0 { 0 } else { idle + 1 };
            if idle > IDLE_BEATS {
                held = self.sleep_until_needed(held);
                idle = 0;
            }
        }
    }

    /// `asleep` is set before `running` is looked at, and the other side does it the other way round: one of them sees.
    fn sleep_until_needed<'a>(&'a self, mut held: MutexGuard<'a, ()>) -> MutexGuard<'a, ()> {
        self.asleep.store(true, SeqCst);
        while !self.is_needed() {
            held = self.wake.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.store(false, SeqCst);
        held
    }
}
