//! The router with a cell that costs nothing, to see what the router itself costs beside a bare hyper server
//! (`tests/src/bin/hyper_hello.rs`): `cargo run --release --example hello -p virga-router -- 127.0.0.1:8080`, then a load
//! generator at `http://localhost:8080/` with `Host: app.example.com`.

use std::{error::Error, sync::Arc};
use virga_contract::{
    Body, body,
    cell::{Cell, CellDestination, CellError, CellInstance, CellProcess, CellRoute, CellSnapshot, Connection, Endpoint},
    logs::{Envelope, LogSink},
};
use virga_model::{
    AppGuid, InstanceGuid, OrgGuid, ProcessGuid, Sha256Digest, SpaceGuid,
    process::{HealthCheck, HealthCheckType},
    route::RouteProtocol,
};
use virga_router::{Balancing, Router, RouterConfig};

struct Hello;

#[async_trait::async_trait]
impl Cell for Hello {
    async fn serve(&self, _: Endpoint, _: http::Request<Body>) -> Result<http::Response<Body>, CellError> {
        Ok(http::Response::new(body::full(&b"Hello, World!\n"[..])))
    }

    async fn connect(&self, _: Endpoint) -> Result<Connection, CellError> {
        Err(CellError::NoConnections)
    }

    fn in_flight(&self, _: InstanceGuid) -> u32 {
        0
    }
}

struct Nowhere;

impl LogSink for Nowhere {
    fn emit(&self, _: Envelope) {}
}

fn snapshot() -> CellSnapshot {
    let process = ProcessGuid::random();
    CellSnapshot {
        revision: 1,
        routes: vec![CellRoute {
            host: "app.example.com".into(),
            path: String::new(),
            destinations: vec![CellDestination { process, weight: None, protocol: RouteProtocol::Http1 }],
            balancing: None,
            route_service: None,
        }],
        tasks: Vec::new(),
        tcp_routes: Vec::new(),
        internal_routes: Vec::new(),
        services: Vec::new(),
        policies: Vec::new(),
        store_id: String::new(),
        processes: vec![Arc::new(CellProcess {
            process,
            process_type: "web".into(),
            app: AppGuid::random(),
            app_name: "hello".into(),
            space: SpaceGuid::random(),
            organization: OrgGuid::random(),
            version: String::new(),
            droplet: Sha256Digest::of(b""),
            command: None,
            memory_mb: 16,
            disk_mb: 16,
            log_rate_limit_bytes_per_second: -1,
            environment: Default::default(),
            files: [].into(),
            health_check: HealthCheck::of(HealthCheckType::Port),
            readiness_check: HealthCheck::of(HealthCheckType::Process),
            reuse: None,
            egress: Vec::new(),
            instances: vec![CellInstance { guid: InstanceGuid::random(), index: 0, probe_worker: 0, routable: true }],
        })],
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: hello ADDRESS")?.parse()?;
    let config = RouterConfig {
        worker: 0,
        limits: Default::default(),
        system_hosts: Vec::new(),
        bare_hosts: Vec::new(),
        api_socket: "api.sock".into(),
        balancing: Balancing::RoundRobin,
        sticky_cookies: vec!["JSESSIONID".into()],
        trusted_proxies: Vec::new(),
        tcp_listen: None,
        route_service_key: [0; 32],
        route_service_addresses: Vec::new(),
        platform: Vec::new(),
    };
    let router = Router::new(config, Arc::new(Hello), Arc::new(Nowhere));
    router.apply(&snapshot());
    router.serve(virga_router::bind(address)?, Default::default()).await;
    Ok(())
}
