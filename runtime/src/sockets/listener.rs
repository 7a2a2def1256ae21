//! The virtual listener of a server: no port of the box is opened. A connection is two pipes; one end is given to the router,
//! the other waits here until the guest accepts it.

use super::pipe::Pipe;
use futures::task::AtomicWaker;
use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

/// Ports that a guest sees as those of its callers.
const FIRST_PEER_PORT: u16 = 32_768;

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoConnection {
    /// The guest does not listen, and did not in the time there was.
    NotListening,
    /// As many connections as may be are open.
    Full,
    /// The guest is gone.
    Over,
}

/// Where the guest is with its listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    NotYet,
    Listening,
    Over,
}

/// See the module.
pub struct Listener {
    port: u16,
    pipe_bytes: usize,
    stage: watch::Sender<Stage>,
    connections: u32,
    places: Arc<Semaphore>,
    waiting: Mutex<VecDeque<GuestEnd>>,
    acceptor: AtomicWaker,
    next_peer: AtomicU16,
}

impl Listener {
    /// One for a guest that may listen on `port`.
    pub fn new(port: u16, connections: u32, pipe_bytes: usize) -> Arc<Self> {
        let connections = connections.max(1);
        Arc::new(Self {
            port,
            connections,
            pipe_bytes,
            stage: watch::Sender::new(Stage::NotYet),
            places: Arc::new(Semaphore::new(connections as usize)),
            waiting: Mutex::default(),
            acceptor: AtomicWaker::new(),
            next_peer: AtomicU16::new(FIRST_PEER_PORT),
        })
    }

    /// The one port that the guest may listen on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the guest listens.
    pub fn is_listening(&self) -> bool {
        *self.stage.borrow() == Stage::Listening
    }

    /// Whether the guest listens, once that is so or `wait` is over.
    pub async fn listens_within(&self, wait: Duration) -> bool {
        let mut stage = self.stage.subscribe();
        matches!(timeout(wait, stage.wait_for(|stage| *stage != Stage::NotYet)).await, Ok(Ok(stage)) if *stage == Stage::Listening)
    }

    /// The guest listens (`true`), or has closed its listener.
    pub fn set_listening(&self, is_listening: bool) {
        let next = if is_listening { Stage::Listening } else { Stage::NotYet };
        self.stage.send_if_modified(|stage| {
            let changes = *stage != Stage::Over && *stage != next;
            if changes {
                *stage = next;
            }
            changes
        });
        if !is_listening {
            self.refuse_waiting();
        }
    }

    /// The guest is gone: nobody will accept any more.
    pub fn end(&self) {
        self.stage.send_replace(Stage::Over);
        self.refuse_waiting();
    }

    fn is_over(&self) -> bool {
        *self.stage.borrow() == Stage::Over
    }

    fn refuse_waiting(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        drop(waiting);
    }

    /// A connection to the guest; waits for it to listen and for a place, each no longer than `wait`.
    ///
    /// # Errors
    /// [`NoConnection`] with the reason.
    pub async fn connect(self: &Arc<Self>, wait: Duration) -> Result<HostEnd, NoConnection> {
        if !self.is_listening() && !self.listens_within(wait).await {
            return Err(if self.is_over() { NoConnection::Over } else { NoConnection::NotListening });
        }
        let place = match self.places.clone().try_acquire_owned() {
            Ok(place) => place,
            Err(_) => match timeout(wait, self.places.clone().acquire_owned()).await {
                Ok(Ok(place)) => place,
                _ => return Err(NoConnection::Full),
            },
        };
        let (to_guest, from_guest) = (Pipe::new(self.pipe_bytes), Pipe::new(self.pipe_bytes));
        let port = self.next_peer.fetch_add(1, Relaxed) | FIRST_PEER_PORT;
        let (input, output) = (to_guest.clone(), from_guest.clone());
        let guest = GuestEnd { input, output, listener: self.clone(), port, is_accepted: false, _place: place };
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(guest);
        if !self.is_listening() {
            // It ended in between; what waits for it now would wait for ever.
            self.refuse_waiting();
        }
        self.acceptor.wake();
        Ok(HostEnd { to_guest, from_guest })
    }

    /// Waits until no connection is open.
    pub async fn idle(&self) {
        let all = self.places.acquire_many(self.connections).await;
        drop(all);
    }

    /// The next connection, for the guest.
    pub fn accept(&self) -> Option<GuestEnd> {
        let mut end = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        end.is_accepted = true;
        Some(end)
    }

    /// Waits until one waits to be accepted.
    pub fn poll_acceptable(&self, cx: &Context<'_>) -> Poll<()> {
        self.acceptor.register(cx.waker());
        let is_empty = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if is_empty && !self.is_over() { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// The guest's end of a connection. When it goes, so does the connection: in order where the guest let go of it, in the middle
/// where the guest ended or never accepted it.
pub struct GuestEnd {
    /// What comes in.
    pub input: Arc<Pipe>,
    /// What goes out.
    pub output: Arc<Pipe>,
    listener: Arc<Listener>,
    port: u16,
    is_accepted: bool,
    _place: OwnedSemaphorePermit,
}

impl GuestEnd {
    /// The address that the guest sees as its caller's. Who really called stands in the request's headers.
    pub fn peer(&self, is_ipv6: bool) -> SocketAddr {
        local(is_ipv6, self.port)
    }

    /// The address that it was called at.
    pub fn local(&self, is_ipv6: bool) -> SocketAddr {
        local(is_ipv6, self.listener.port)
    }
}

fn local(is_ipv6: bool, port: u16) -> SocketAddr {
    if is_ipv6 { (std::net::Ipv6Addr::LOCALHOST, port).into() } else { (std::net::Ipv4Addr::LOCALHOST, port).into() }
}

impl GuestEnd {
    /// Nothing more will be written: an end for the caller, unless the guest is gone or never took the call.
    pub fn end_output(&self) {
        if self.is_accepted && !self.listener.is_over() {
            self.output.finish();
        } else {
            self.output.cut();
        }
    }
}

impl Drop for GuestEnd {
    fn drop(&mut self) {
        self.end_output();
        self.input.abandon();
    }
}

/// The host's end.
pub struct HostEnd {
    to_guest: Arc<Pipe>,
    from_guest: Arc<Pipe>,
}

impl AsyncRead for HostEnd {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.from_guest.poll_ready(cx));
        if let Some(bytes) = self.from_guest.take(buffer.remaining())? {
            buffer.put_slice(&bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HostEnd {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.to_guest.poll_room(cx))?;
        Poll::Ready(Ok(self.to_guest.put(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.to_guest.finish();
        Poll::Ready(Ok(()))
    }
}

impl Drop for HostEnd {
    fn drop(&mut self) {
        self.to_guest.finish();
        self.from_guest.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const NO_WAIT: Duration = Duration::ZERO;

    #[tokio::test(start_paused = true)]
    async fn a_connection_waits_for_the_listener_and_for_a_place() {
        let listener = Listener::new(8080, 1, 16);
        assert_eq!(listener.connect(NO_WAIT).await.err(), Some(NoConnection::NotListening));
        let (connected, ()) = tokio::join!(listener.connect(Duration::from_secs(5)), async { listener.set_listening(true) });
        let mut host = connected.unwrap();
        assert_eq!(listener.connect(NO_WAIT).await.err(), Some(NoConnection::Full));
        let guest = listener.accept().unwrap();
        assert!(listener.accept().is_none());
        assert_eq!(guest.local(false), "127.0.0.1:8080".parse().unwrap());
        host.write_all(b"hello").await.unwrap();
        assert_eq!(guest.input.take(99).unwrap().unwrap(), "hello");
        assert_eq!(guest.output.put(b"hi"), 2);
        drop(guest);
        let mut heard = String::new();
        host.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hi");
        assert!(host.write_all(b"more").await.is_err());
        assert!(listener.connect(NO_WAIT).await.is_ok());
    }

    #[tokio::test]
    async fn the_end_of_a_guest_breaks_its_connections() {
        let listener = Listener::new(8080, 9, 16);
        listener.set_listening(true);
        let (mut waiting, mut accepted) = (listener.connect(NO_WAIT).await.unwrap(), listener.connect(NO_WAIT).await.unwrap());
        let first = listener.accept().unwrap();
        listener.end();
        drop(first);
        for end in [&mut waiting, &mut accepted] {
            assert_eq!(end.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        }
        assert_eq!(listener.connect(NO_WAIT).await.err(), Some(NoConnection::Over));
    }
}
