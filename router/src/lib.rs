//! Carries a request from a host name to a live instance, and keeps going when everything else is away.
//!
//! One router per worker process. It knows only the last snapshot; the cell it calls is in the same process, behind
//! [`virga_contract::cell::Cell`], so that a request goes from the client's socket to the instance without another
//! socket or a copy of its body. It keeps no state that a restart would lose, and asks no one while it serves.

mod access_log;
mod app;
mod bodies;
mod config;
mod connection;
mod counters;
mod exchange;
mod executor;
mod failure;
mod filters;
mod headers;
mod listener;
mod route_service;
mod routes;
mod serve;
mod system_api;
mod tcp;
mod tunnel;

pub use config::{Balancing, RouterConfig, network};
pub use listener::bind;

use access_log::{AccessLog, AccessLogWriter};
use arc_swap::ArcSwap;
use connection::Registry;
use counters::Counters;
use route_service::RouteServices;
use routes::Table;
use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use system_api::SystemApi;
use tcp::TcpRoutes;
use virga_contract::{
    cell::{Cell, CellSnapshot, RouterCounters},
    logs::LogSink,
};

/// The router of one worker.
pub struct Router {
    config: RouterConfig,
    cell: Arc<dyn Cell>,
    table: ArcSwap<Table>,
    revision: AtomicU64,
    system: SystemApi,
    tcp: TcpRoutes,
    route_services: RouteServices,
    registry: Arc<Registry>,
    counters: Arc<Counters>,
    log: AccessLog,
    /// Taken by the first [`Router::serve`], which writes the access log.
    writer: Mutex<Option<AccessLogWriter>>,
}

impl Router {
    /// A router without routes; it answers 404 for every app until the first [`Router::apply`].
    #[must_use]
    pub fn new(config: RouterConfig, cell: Arc<dyn Cell>, sink: Arc<dyn LogSink>) -> Arc<Self> {
        let (log, writer) = access_log::new(sink, config.worker);
        let system = SystemApi::new(config.api_socket.clone(), &config.system_hosts, &config.bare_hosts);
        let route_services = RouteServices::new(&config.route_service_key, config.route_service_reach());
        Arc::new(Self {
            config,
            cell,
            table: ArcSwap::default(),
            revision: AtomicU64::new(0),
            system,
            tcp: TcpRoutes::default(),
            route_services,
            registry: Arc::new(Registry::new()),
            counters: Arc::default(),
            log,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Replaces the routing table by that of a snapshot. Requests in flight keep the instance they have. Building takes
    /// about a second per million routes: call it where that does not hold up the event loop.
    pub fn apply(&self, snapshot: &CellSnapshot) {
        let first_turn = usize::try_from(self.config.worker).unwrap_or_default();
        self.table.store(Arc::new(Table::build(snapshot, first_turn)));
        self.tcp.set(routes::tcp(snapshot, first_turn));
        self.revision.store(snapshot.revision, Relaxed);
    }

    /// The revision of the snapshot that is served; 0 before the first.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision.load(Relaxed)
    }

    /// Counters since the start.
    #[must_use]
    pub fn counters(&self) -> RouterCounters {
        self.counters.read()
    }

    fn is_trusted(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.config.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}
