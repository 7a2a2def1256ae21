//! The accept loop, and the way a router stops.

use crate::{Router, connection};
use futures::FutureExt as _;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Pause after the operating system refused a connection (out of file descriptors), which ends when others close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Router {
    /// Serves a listener until `stop`, then drains: nothing new is accepted, requests in flight may finish within
    /// `drain_ms`, clients are told that their connections close. Returns when all connections have ended and the
    /// access log is written.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let serving = async {
            let tasks = TaskTracker::new();
            if let Ok(address) = listener.local_addr() {
                self.route_services.listens(address);
            }
            let own = listener.local_addr().map(|address| address.port()).ok();
            tokio::join!(self.accept(&listener, &stop, &tasks), self.serve_tcp(own, &stop, &tasks));
            drop(listener);
            tasks.close();
            self.drain(&tasks).await;
        };
        let logging = async {
            match &mut writer {
                Some(writer) => writer.run().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = serving => {}
            () = self.registry.watch(&self.config.limits) => {}
            () = logging => {}
        }
        if let Some(writer) = &mut writer {
            writer.flush();
        }
    }

    async fn accept(self: &Arc<Self>, listener: &TcpListener, stop: &CancellationToken, tasks: &TaskTracker) {
        let places = Arc::new(Semaphore::new(self.config.limits.connections));
        let accepted = async {
            loop {
                // The place first: what cannot be served waits in the kernel's queue.
                let Ok(place) = places.clone().acquire_owned().await else { return };
                match listener.accept().await {
                    Ok((stream, peer)) => self.enter(stream, peer, Some(place), tasks),
                    Err(error) => self.pause(&error).await,
                }
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = accepted => {}
        }
        // Clients in the queue have been told by the kernel that they are connected; closing would reset them.
        while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
            self.enter(stream, peer, None, tasks);
        }
    }

    pub(crate) async fn pause(&self, error: &io::Error) {
        let is_of_one_connection = matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
        if !is_of_one_connection {
            tracing::warn!(error = error as &dyn std::error::Error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }

    fn enter(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, place: Option<OwnedSemaphorePermit>, tasks: &TaskTracker) {
        let entry = self.registry.enter(peer, self.is_trusted(peer.ip()));
        let (router, streams) = (self.clone(), tasks.clone());
        tasks.spawn(async move {
            connection::serve(router, stream, entry.state.clone(), streams).await;
            drop((entry, place));
        });
    }

    async fn drain(&self, tasks: &TaskTracker) {
        self.registry.drain();
        let deadline = Duration::from_millis(self.config.limits.drain_ms);
        if tokio::time::timeout(deadline, tasks.wait()).await.is_err() {
            tracing::warn!(in_flight = self.counters().in_flight, "requests are cut off: the time to drain is over");
            self.registry.kill();
            tasks.wait().await;
        }
    }
}
