//! Connections that a guest has taken over: after an upgrade (WebSocket), and over TCP routes. Bytes go both ways until both
//! sides have ended, neither has said anything for long, or the watchdog ends the connection.

use crate::{connection::ConnectionState, counters::Tunnelled, exchange::Exchange};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::{
    io,
    pin::{Pin, pin},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use virga_contract::cell::InFlight;

/// Looks at a tunnel within its idle time.
const LOOKS: u32 = 4;

/// An upgraded connection, before its client's end is free.
pub(crate) struct Tunnel {
    pub(crate) client: OnUpgrade,
    pub(crate) guest: OnUpgrade,
    /// The request that it began with; it ends with the tunnel.
    pub(crate) exchange: Box<Exchange>,
    pub(crate) in_flight: Option<InFlight>,
    pub(crate) counted: Tunnelled,
}

impl Tunnel {
    /// Carries bytes to its end.
    pub(crate) async fn run(self, idle: Duration, state: &ConnectionState) {
        let Self { client, guest, mut exchange, in_flight, counted } = self;
        let upgraded = futures::future::try_join(client, guest);
        let (client, guest) = match tokio::time::timeout(idle, upgraded).await {
            Ok(Ok(ends)) => ends,
            Ok(Err(error)) => {
                tracing::debug!(client = %state.peer(), error = &error as &dyn std::error::Error, "an upgrade broke off");
                return;
            }
            Err(_) => return,
        };
        let moved = splice(&mut TokioIo::new(client), &mut TokioIo::new(guest), idle, state).await;
        exchange.tunnelled(moved);
        drop((exchange, in_flight, counted));
    }
}

/// Bytes that a tunnel carried.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moved {
    pub(crate) from_client: u64,
    pub(crate) to_client: u64,
}

/// Carries bytes both ways.
pub(crate) async fn splice<A, B>(client: &mut A, guest: &mut B, idle: Duration, state: &ConnectionState) -> Moved
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (from_client, to_client) = (AtomicU64::new(0), AtomicU64::new(0));
    let (mut client, mut guest) = (Counted { inner: client, read: &from_client }, Counted { inner: guest, read: &to_client });
    let quiet = async {
        let sum = || from_client.load(Relaxed).wrapping_add(to_client.load(Relaxed));
        let (mut seen, mut looks) = (sum(), 0);
        while looks < LOOKS {
            tokio::time::sleep(idle / LOOKS).await;
            looks = if seen == sum() { looks + 1 } else { 0 };
            seen = sum();
        }
    };
    {
        let mut copying = pin!(copy_bidirectional(&mut client, &mut guest));
        let killed = std::future::poll_fn(|cx| {
            state.register(cx);
            if state.must_end() { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::select! {
            copied = &mut copying => {
                if let Err(error) = copied {
                    tracing::debug!(client = %state.peer(), %error, "a tunnel broke");
                }
            }
            () = quiet => tracing::debug!(client = %state.peer(), "a tunnel was idle for too long"),
            () = killed => {}
        }
    }
    Moved { from_client: from_client.load(Relaxed), to_client: to_client.load(Relaxed) }
}

/// One end, whose bytes are counted as they are read.
struct Counted<'a, S> {
    inner: &'a mut S,
    read: &'a AtomicU64,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<'_, S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *self.inner).poll_read(cx, buffer))?;
        self.read.fetch_add((buffer.filled().len() - before) as u64, Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_shutdown(cx)
    }
}
