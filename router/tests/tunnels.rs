//! Connections that an app takes over: upgrades and TCP routes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod rig;

use http::{Request, Response};
use hyper_util::rt::TokioIo;
use rig::{Answer, Client, HOST, Rig, limits, patient, snapshot};
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::task::TaskTracker;
use virga_contract::{
    Body, body,
    cell::{CellDestination, CellError, CellTcpRoute, Endpoint},
    limits::RouterLimits,
};
use virga_model::{ProcessGuid, route::RouteProtocol};

/// A server behind the cell that agrees to every upgrade and then echoes; the request's head is its first words.
fn echo(tasks: &TaskTracker) -> impl Fn(Endpoint, Request<Body>) -> Answer + Send + Sync + 'static {
    let tasks = tasks.clone();
    move |_, request| {
        let (ours, theirs) = tokio::io::duplex(4096);
        tasks.spawn(async move {
            let (mut from, mut to) = tokio::io::split(theirs);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(from.read_u8().await.unwrap());
            }
            to.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Own: 1\r\n\r\n")
                .await
                .unwrap();
            to.write_all(&head).await.unwrap();
            tokio::io::copy(&mut from, &mut to).await.ok();
            to.shutdown().await.ok();
        });
        let tasks = tasks.clone();
        Box::pin(async move {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
            tasks.spawn(async move { connection.with_upgrades().await.unwrap() });
            let answer = sender.send_request(request).await.map_err(|error| CellError::Guest(error.to_string()))?;
            Ok(answer.map(|_| body::empty()))
        })
    }
}

const UPGRADE: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n";

async fn upgraded(rig: &Rig) -> Client {
    let mut client = rig.connect().await;
    client.send(format!("GET /ws HTTP/1.1\r\nHost: {HOST}\r\n{UPGRADE}\r\n")).await;
    let head = client.until("\r\n\r\n").await;
    for line in
        ["HTTP/1.1 101 Switching Protocols\r\n", "upgrade: websocket\r\n", "connection: upgrade\r\n", "x-own: 1\r\n", "x-vcap-request-id: "]
    {
        assert!(head.contains(line), "{line:?} in {head}");
    }
    let request = client.until("\r\n\r\n").await;
    for line in ["upgrade: websocket\r\n", "connection: upgrade\r\n", "sec-websocket-key: eA==\r\n", "x-forwarded-for: 127.0.0.1\r\n"] {
        assert!(request.contains(line), "{line:?} in {request}");
    }
    client
}

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways_and_is_logged_with_them() {
    let rig = Rig::start(echo(&TaskTracker::new())).await;
    let mut client = upgraded(&rig).await;
    for word in ["one", "two"] {
        client.send(word).await;
        assert_eq!(client.until(word).await, word);
    }
    let counters = rig.router.counters();
    assert_eq!((counters.tunnels, counters.in_flight), (1, 1));
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "");
    let line = rig.line(|line| line.contains("\"GET /ws HTTP/1.1\" 101 6 ")).await;
    assert!(line.contains("x_cf_routererror:\"-\""), "{line}");
    let counters = rig.router.counters();
    assert_eq!((counters.tunnels, counters.in_flight, counters.responses_by_class[0]), (0, 0, 1));
}

#[tokio::test]
async fn what_cannot_be_upgraded_says_so_and_answers_are_answers() {
    let refusing = Rig::start(|_, _| rig::answer(Err(CellError::NoConnections))).await;
    let ask = |host: &str| format!("GET /p HTTP/1.1\r\nHost: {host}\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n");
    let got = refusing.raw(ask(HOST)).await;
    assert!(got.starts_with("HTTP/1.1 501 ") && got.contains("upgrades are not supported by this kind of app"), "{got}");
    let api = refusing.raw(ask("api.example.com")).await;
    assert!(api.starts_with("HTTP/1.1 501 "), "{api}");
    let plain = Rig::start(|_, _| rig::hello()).await;
    let got = plain.raw(ask(HOST)).await;
    assert!(got.starts_with("HTTP/1.1 200 ") && got.ends_with("hello"), "{got}");
    // An app cannot upgrade what nobody asked to upgrade.
    let pushy = Rig::start(|_, _| rig::answer(Ok(Response::builder().status(101).body(body::empty()).unwrap()))).await;
    let got = pushy.get("").await;
    assert!(got.starts_with("HTTP/1.1 502 "), "{got}");
}

#[tokio::test]
async fn an_idle_tunnel_ends_and_a_stopping_router_gives_it_its_time() {
    let rig = Rig::with(RouterLimits { stream_idle_ms: 200, ..limits() }, echo(&TaskTracker::new())).await;
    let mut client = upgraded(&rig).await;
    assert_eq!(client.rest().await, "");

    let rig = Rig::with(RouterLimits { drain_ms: 2_000, ..limits() }, echo(&TaskTracker::new())).await;
    let mut client = upgraded(&rig).await;
    rig.stop.cancel();
    client.send("still here").await;
    client.until("still here").await;
    assert_eq!(client.rest().await, "");
    rig.stopped().await;
}

/// A port that is the test's own: bound beside whoever listens there, without listening.
fn reserved() -> (Socket, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

fn route(port: u16) -> CellTcpRoute {
    let destination = CellDestination { process: ProcessGuid::from_u128(1), weight: None, protocol: RouteProtocol::Tcp };
    CellTcpRoute { port, destinations: vec![destination] }
}

async fn ports(rig: &Rig, open: u64, failed: u64) {
    patient(async {
        while (rig.router.counters().tcp_ports, rig.router.counters().tcp_ports_failed) != (open, failed) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn dial(port: u16) -> std::io::Result<Client> {
    TcpStream::connect(("127.0.0.1", port)).await.map(Client)
}

#[tokio::test]
async fn a_tcp_route_leads_to_its_instances_in_turn_and_closes_when_it_goes() {
    let rig = Rig::start(|_, _| rig::hello()).await;
    let (_held, port) = reserved();
    let mut wanted = snapshot(&[true, false, true]);
    wanted.tcp_routes = vec![route(port)];
    rig.router.apply(&wanted);
    ports(&rig, 1, 0).await;
    let mut greetings = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = dial(port).await.unwrap();
        greetings.push(client.until("\n").await);
        client.send("ping").await;
        assert_eq!(client.until("ping").await, "ping");
        clients.push(client);
    }
    greetings.sort();
    assert_eq!(greetings, ["instance 0\n", "instance 0\n", "instance 2\n", "instance 2\n"]);
    assert_eq!(rig.router.counters().tunnels, 4);

    rig.router.apply(&snapshot(&[true]));
    ports(&rig, 0, 0).await;
    patient(async { while dial(port).await.is_ok() {} }).await;
    // What was open goes on.
    clients[0].send("pong").await;
    assert_eq!(clients[0].until("pong").await, "pong");
    clients[0].0.shutdown().await.unwrap();
    assert_eq!(clients[0].rest().await, "");
    rig.stop.cancel();
    drop(clients);
    rig.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_cannot_be_bound_is_counted_and_does_not_hold_up_the_others() {
    let rig = Rig::start(|_, _| rig::hello()).await;
    let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = foreign.local_addr().unwrap().port();
    let (_held, port) = reserved();
    let mut wanted = snapshot(&[true]);
    wanted.tcp_routes = vec![route(taken), route(port)];
    rig.router.apply(&wanted);
    ports(&rig, 1, 1).await;
    assert_eq!(dial(port).await.unwrap().until("\n").await, "instance 0\n");
    drop(foreign);
    rig.router.apply(&wanted);
    ports(&rig, 2, 0).await;
    assert_eq!(dial(taken).await.unwrap().until("\n").await, "instance 0\n");
    // The port of HTTP is nobody's, though the system would share it.
    wanted.tcp_routes = vec![route(rig.address.port())];
    rig.router.apply(&wanted);
    ports(&rig, 0, 1).await;
    for _ in 0..8 {
        assert!(rig.get("").await.starts_with("HTTP/1.1 200 "));
    }
    // An app that is stopped has no port.
    rig.router.apply(&snapshot(&[]));
    ports(&rig, 0, 0).await;
}
