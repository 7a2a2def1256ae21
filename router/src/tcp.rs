//! TCP routes: a port of the router for each, on every worker, whose connections go to the route's instances as they are.
//!
//! A port that cannot be bound is said in the log and in the metrics, and tried again; the other routes do not suffer.

use crate::{
    Router, listener,
    routes::{Route, Wanted},
    tunnel::splice,
};
use arc_swap::ArcSwap;
use std::{
    collections::{HashMap, HashSet},
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use virga_contract::cell::{CellError, Connection};

/// How often a port that could not be bound is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// Instances tried for one connection.
const ATTEMPTS: usize = 3;

/// The routes by port, and a bell for when they change.
#[derive(Default)]
pub(crate) struct TcpRoutes {
    by_port: ArcSwap<HashMap<u16, Route>>,
    changed: Notify,
}

impl TcpRoutes {
    /// Replaces them.
    pub(crate) fn set(&self, routes: HashMap<u16, Route>) {
        self.by_port.store(Arc::new(routes));
        self.changed.notify_one();
    }
}

/// The listeners of one worker.
#[derive(Default)]
struct Ports {
    own: Option<u16>,
    open: HashMap<u16, CancellationToken>,
    failed: HashSet<u16>,
}

impl Router {
    /// Keeps the ports of the routes open until `stop`. Connections are tasks of `tasks`; a port that closes leaves those it has.
    /// `own` is the port of HTTP: the system would let both share it, and a route would take connections away from everybody.
    pub(crate) async fn serve_tcp(self: &Arc<Self>, own: Option<u16>, stop: &CancellationToken, tasks: &TaskTracker) {
        let places = Arc::new(Semaphore::new(self.config.limits.tcp_connections));
        let mut ports = Ports { own, ..Ports::default() };
        loop {
            self.open_and_close(&mut ports, &places, tasks);
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.tcp.changed.notified() => {}
                () = tokio::time::sleep(RETRY), if !ports.failed.is_empty() => {}
            }
        }
        ports.open.values().for_each(CancellationToken::cancel);
    }

    fn open_and_close(self: &Arc<Self>, ports: &mut Ports, places: &Arc<Semaphore>, tasks: &TaskTracker) {
        let Some(ip) = self.config.tcp_listen else { return };
        let wanted = self.tcp.by_port.load();
        ports.failed.retain(|port| wanted.contains_key(port));
        ports.open.retain(|port, open| {
            let is_wanted = wanted.contains_key(port);
            if !is_wanted {
                open.cancel();
            }
            is_wanted
        });
        for &port in wanted.keys() {
            if ports.open.contains_key(&port) {
                continue;
            }
            let is_own = ports.own == Some(port);
            let bound = if is_own { Err(io::ErrorKind::AddrInUse.into()) } else { listener::bind(SocketAddr::new(ip, port)) };
            match bound {
                Ok(listener) => {
                    ports.failed.remove(&port);
                    let closed = CancellationToken::new();
                    ports.open.insert(port, closed.clone());
                    let (router, places, connections) = (self.clone(), places.clone(), tasks.clone());
                    tasks.spawn(async move { router.accept_tcp(listener, port, &closed, places, &connections).await });
                }
                Err(error) if ports.failed.insert(port) => {
                    tracing::warn!(port, address = %ip, %error, "the port of a TCP route cannot be bound; it is tried again");
                }
                Err(_) => {}
            }
        }
        self.counters.set_tcp_ports(ports.open.len(), ports.failed.len());
    }

    async fn accept_tcp(
        self: Arc<Self>,
        listener: TcpListener,
        port: u16,
        closed: &CancellationToken,
        places: Arc<Semaphore>,
        tasks: &TaskTracker,
    ) {
        let accepting = async {
            loop {
                // The place first: what cannot be served waits in the kernel's queue.
                let Ok(place) = places.clone().acquire_owned().await else { return };
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        let router = self.clone();
                        tasks.spawn(async move {
                            router.carry(stream, peer, port).await;
                            drop(place);
                        });
                    }
                    Err(error) => self.pause(&error).await,
                }
            }
        };
        closed.run_until_cancelled(accepting).await;
    }

    /// One connection; closed at once where no instance takes it.
    async fn carry(&self, mut stream: TcpStream, peer: SocketAddr, port: u16) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let entry = self.registry.enter(peer, false);
        entry.state.begin_request();
        let _tunnelled = self.counters.tunnel();
        match self.connect_tcp(port).await {
            Ok(mut guest) => {
                let idle = Duration::from_millis(self.config.limits.stream_idle_ms);
                splice(&mut stream, &mut guest, idle, &entry.state).await;
            }
            Err(error) => tracing::debug!(port, client = %peer, %error, "no instance takes a connection over a TCP route"),
        }
        entry.state.end_request();
    }

    async fn connect_tcp(&self, port: u16) -> Result<Connection, CellError> {
        let mut tried = Vec::new();
        let mut outcome = CellError::Gone;
        while tried.len() < ATTEMPTS {
            let picked = {
                let routes = self.tcp.by_port.load();
                let route = routes.get(&port);
                route.and_then(|route| route.pick(Wanted::Any, None, self.config.balancing.into(), &*self.cell, &tried))
            };
            let Some(endpoint) = picked.as_ref().and_then(|pick| pick.instance()).map(|instance| instance.endpoint) else { break };
            match self.cell.connect(endpoint).await {
                Ok(connection) => return Ok(connection),
                Err(error) => outcome = error,
            }
            tried.push(endpoint.instance);
        }
        Err(outcome)
    }
}
