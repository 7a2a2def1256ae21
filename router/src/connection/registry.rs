//! All connections of a router, and the watchdog that looks at each of them a few times a second.

use super::state::{Command, ConnectionState};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;
use virga_contract::limits::RouterLimits;

/// How long a new connection may wait for its first request once the router drains.
const FRESH_MS: u64 = 1_000;

/// Milliseconds since the router began, as of the watchdog's last look: good enough for limits in seconds, and free.
pub(crate) struct Clock {
    began: Instant,
    now_ms: AtomicU64,
}

impl Clock {
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms.load(Relaxed)
    }

    fn advance(&self) {
        self.now_ms.store(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }
}

/// See the module.
pub(crate) struct Registry {
    connections: Mutex<HashMap<u64, Arc<ConnectionState>>>,
    next_id: AtomicU64,
    clock: Arc<Clock>,
    is_draining: AtomicBool,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            connections: Mutex::default(),
            next_id: AtomicU64::new(0),
            clock: Arc::new(Clock { began: Instant::now(), now_ms: AtomicU64::new(0) }),
            is_draining: AtomicBool::new(false),
        }
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<u64, Arc<ConnectionState>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection; it is forgotten when the entry is dropped.
    pub(crate) fn enter(self: &Arc<Self>, peer: SocketAddr, is_trusted: bool) -> Entry {
        let id = self.next_id.fetch_add(1, Relaxed);
        self.clock.advance();
        let state = Arc::new(ConnectionState::new(peer, is_trusted, self.clock.clone()));
        self.connections().insert(id, state.clone());
        Entry { registry: self.clone(), id, state }
    }

    /// Whether answers should say that the connection closes.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Relaxed)
    }

    /// From now on nothing new is taken; connections end as their last request does.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Relaxed);
        self.look(|_| Command::Serve);
    }

    /// Ends every connection.
    pub(crate) fn kill(&self) {
        self.look(|_| Command::Kill);
    }

    fn look(&self, judge: impl Fn(&ConnectionState) -> Command) {
        self.clock.advance();
        let is_draining = self.is_draining();
        for state in self.connections().values() {
            let command = judge(state);
            // A connection whose first request may be on the wire is given a moment: closing it would lose the request.
            let floor = if is_draining && !state.is_fresh(FRESH_MS) { Command::Drain } else { Command::Serve };
            state.tell(command.max(floor));
        }
    }

    /// Watches until the future is dropped. Where all places are taken, connections idle for a second make room.
    pub(crate) async fn watch(&self, limits: &RouterLimits) {
        let shortest = limits.header_read_ms.min(limits.keep_alive_ms).min(limits.write_stall_ms);
        let tick = Duration::from_millis((shortest / 4).clamp(5, 250));
        loop {
            tokio::time::sleep(tick).await;
            let is_full = self.connections().len() >= limits.connections;
            self.look(|state| {
                let makes_room = is_full && state.is_idle_for(FRESH_MS);
                state.judge(limits).max(if makes_room { Command::Drain } else { Command::Serve })
            });
        }
    }
}

/// A connection's place in the registry.
pub(crate) struct Entry {
    registry: Arc<Registry>,
    id: u64,
    /// What is known of it.
    pub(crate) state: Arc<ConnectionState>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.connections().remove(&self.id);
    }
}
