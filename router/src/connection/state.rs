//! What the watchdog knows of a connection, and what it tells it. Written on the request path with plain atomic
//! stores and a coarse clock: no timer is armed per request.

use super::registry::Clock;
use crate::tunnel::Tunnel;
use futures::task::AtomicWaker;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::Context,
};
use virga_contract::limits::RouterLimits;

use http::HeaderValue;

/// What a connection is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Command {
    /// Go on.
    Serve,
    /// Finish what is in flight, take nothing new.
    Drain,
    /// End now.
    Kill,
}

/// See the module.
pub(crate) struct ConnectionState {
    peer: SocketAddr,
    /// The peer's address and port, for the access log.
    pub(crate) peer_text: Arc<str>,
    /// The peer's address, as `X-Forwarded-For` has it.
    pub(crate) ip_header: HeaderValue,
    /// Whether the peer is a load balancer whose word is taken.
    pub(crate) is_trusted: bool,
    clock: Arc<Clock>,
    waker: AtomicWaker,
    command: AtomicU8,
    is_http2: AtomicBool,
    /// A head is being read (HTTP/1 only).
    in_head: AtomicBool,
    /// The client was refused before it had sent everything.
    lingers: AtomicBool,
    /// Whether a request has ever been served on it.
    is_used: AtomicBool,
    /// Requests in flight.
    requests: AtomicU32,
    /// When the connection became idle, or its head began.
    since_ms: AtomicU64,
    /// When a write first found the socket full; 0 where it is not.
    blocked_ms: AtomicU64,
    /// Pieces of answers that were given to the connection and not yet asked to be followed.
    outstanding: AtomicU32,
    /// When the last of them was taken.
    progress_ms: AtomicU64,
    /// What the connection becomes.
    tunnel: Mutex<Option<Tunnel>>,
}

impl ConnectionState {
    pub(super) fn new(peer: SocketAddr, is_trusted: bool, clock: Arc<Clock>) -> Self {
        let now = clock.now_ms();
        let ip = peer.ip().to_canonical();
        let peer = SocketAddr::new(ip, peer.port());
        Self {
            peer,
            peer_text: peer.to_string().into(),
            ip_header: HeaderValue::from_str(&ip.to_string()).unwrap_or_else(|_| HeaderValue::from_static("-")),
            is_trusted,
            clock,
            waker: AtomicWaker::new(),
            command: AtomicU8::new(0),
            is_http2: AtomicBool::new(false),
            in_head: AtomicBool::new(true),
            lingers: AtomicBool::new(false),
            is_used: AtomicBool::new(false),
            requests: AtomicU32::new(0),
            since_ms: AtomicU64::new(now),
            blocked_ms: AtomicU64::new(0),
            outstanding: AtomicU32::new(0),
            progress_ms: AtomicU64::new(now),
            tunnel: Mutex::default(),
        }
    }

    /// The client's end.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The client's address.
    pub(crate) fn ip(&self) -> IpAddr {
        self.peer.ip()
    }

    /// Whether it speaks HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.is_http2.load(Relaxed)
    }

    pub(super) fn set_http2(&self, is_http2: bool) {
        self.is_http2.store(is_http2, Relaxed);
        self.in_head.store(!is_http2, Relaxed);
    }

    /// A request's head is whole.
    pub(crate) fn begin_request(&self) {
        self.requests.fetch_add(1, Relaxed);
        self.in_head.store(false, Relaxed);
        self.is_used.store(true, Relaxed);
    }

    /// A request's answer is over.
    pub(crate) fn end_request(&self) {
        self.since_ms.store(self.clock.now_ms(), Relaxed);
        self.requests.fetch_sub(1, Relaxed);
    }

    /// A piece of an answer goes to the connection.
    pub(crate) fn given(&self) {
        self.outstanding.fetch_add(1, Relaxed);
        self.progress_ms.store(self.clock.now_ms(), Relaxed);
    }

    /// The connection wants the next piece, or none any more.
    pub(crate) fn taken(&self) {
        self.outstanding.fetch_sub(1, Relaxed);
        self.progress_ms.store(self.clock.now_ms(), Relaxed);
    }

    /// Bytes came in: on an idle HTTP/1 connection, the beginning of a head.
    pub(super) fn received(&self) {
        if self.requests.load(Relaxed) == 0 && !self.in_head.load(Relaxed) && !self.is_http2() {
            self.in_head.store(true, Relaxed);
            self.since_ms.store(self.clock.now_ms(), Relaxed);
        }
    }

    /// The socket took bytes (`false`) or is full.
    pub(super) fn wrote(&self, is_blocked: bool) {
        let since = self.blocked_ms.load(Relaxed);
        if is_blocked && since == 0 {
            self.blocked_ms.store(self.clock.now_ms().max(1), Relaxed);
        } else if !is_blocked && since != 0 {
            self.blocked_ms.store(0, Relaxed);
        }
    }

    /// The client is refused while it may still be sending; it gets as long to hear of it as a head may take.
    pub(crate) fn linger(&self) {
        self.lingers.store(true, Relaxed);
        self.in_head.store(true, Relaxed);
        self.since_ms.store(self.clock.now_ms(), Relaxed);
    }

    /// See [`ConnectionState::linger`].
    pub(super) fn lingers(&self) -> bool {
        self.lingers.load(Relaxed)
    }

    /// Whether nothing is being answered: what is written now, hyper writes of its own accord.
    pub(super) fn is_between_requests(&self) -> bool {
        self.requests.load(Relaxed) == 0
    }

    /// Whether a head has begun and is not whole.
    pub(super) fn is_in_head(&self) -> bool {
        self.is_between_requests() && self.in_head.load(Relaxed)
    }

    pub(crate) fn register(&self, cx: &Context<'_>) {
        self.waker.register(cx.waker());
    }

    pub(super) fn command(&self) -> Command {
        match self.command.load(Relaxed) {
            0 => Command::Serve,
            1 => Command::Drain,
            _ => Command::Kill,
        }
    }

    /// Whether it must end now, whatever is in flight.
    pub(crate) fn must_end(&self) -> bool {
        self.command() == Command::Kill
    }

    /// Leaves what goes on after HTTP has ended on this connection.
    pub(crate) fn set_tunnel(&self, tunnel: Tunnel) {
        *self.tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
    }

    /// See [`ConnectionState::set_tunnel`].
    pub(super) fn take_tunnel(&self) -> Option<Tunnel> {
        self.tunnel.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Tells it; a weaker command than before changes nothing.
    pub(super) fn tell(&self, command: Command) {
        if self.command.fetch_max(command as u8, Relaxed) < command as u8 {
            self.waker.wake();
        }
    }

    /// Whether it has waited for its first request only so briefly that one may be on its way.
    pub(super) fn is_fresh(&self, grace_ms: u64) -> bool {
        !self.is_used.load(Relaxed) && self.idle_ms() < grace_ms
    }

    fn idle_ms(&self) -> u64 {
        self.clock.now_ms().saturating_sub(self.since_ms.load(Relaxed))
    }

    /// Whether it is idle and has been for this long.
    pub(super) fn is_idle_for(&self, ms: u64) -> bool {
        self.is_between_requests() && !self.is_in_head() && self.idle_ms() >= ms
    }

    /// What its client's slowness calls for.
    pub(super) fn judge(&self, limits: &RouterLimits) -> Command {
        let now = self.clock.now_ms();
        let blocked = self.blocked_ms.load(Relaxed);
        let is_full = blocked != 0 && now.saturating_sub(blocked) > limits.write_stall_ms;
        let is_behind = self.outstanding.load(Relaxed) > 0 && now.saturating_sub(self.progress_ms.load(Relaxed)) > limits.write_stall_ms;
        if is_full || is_behind {
            return Command::Kill;
        }
        if !self.is_between_requests() {
            return Command::Serve;
        }
        let idle = self.idle_ms();
        if self.is_in_head() {
            return if idle > limits.header_read_ms { Command::Kill } else { Command::Serve };
        }
        match idle {
            idle if idle > limits.keep_alive_ms + limits.header_read_ms => Command::Kill,
            idle if idle > limits.keep_alive_ms => Command::Drain,
            _ => Command::Serve,
        }
    }
}
