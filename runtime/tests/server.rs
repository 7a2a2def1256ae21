//! Servers and workers: programs that live as long as their instance, in one worker of the box.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use futures::{FutureExt as _, future::join_all};
use http_body_util::BodyExt as _;
use support::{App, World, limits, server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use virga_contract::{
    body,
    cell::{Cell as _, CellError},
    limits::CellLimits,
};
use virga_model::{
    droplet::GuestKind,
    egress::EgressRule,
    process::{HealthCheck, HealthCheckType},
    state::InstanceState,
};

/// The cell at work beside a test.
struct Running {
    stop: CancellationToken,
    tasks: tokio::task::JoinSet<()>,
}

impl Running {
    fn of(world: &World) -> Self {
        let stop = CancellationToken::new();
        let (host, stopped) = (world.host.clone(), stop.clone());
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { host.run(stopped).await });
        Self { stop, tasks }
    }

    async fn end(self, world: &World) {
        self.stop.cancel();
        self.tasks.join_all().await;
        world.host.drain().await;
    }
}

fn push(world: &World) -> App {
    world.push_kind(GuestKind::Server, &server(), |_| {})
}

async fn state(world: &World, app: &App, wanted: InstanceState) -> String {
    let report = |world: &World| world.host.reports().into_iter().find(|report| report.instance == app.endpoint.instance);
    world.until(|world| report(world).filter(|report| report.state == Some(wanted)).map(|report| report.details.unwrap_or_default())).await
}

#[tokio::test]
async fn a_server_answers_on_kept_and_new_connections() {
    let world = World::new(limits());
    let app = push(&world);
    let running = Running::of(&world);
    state(&world, &app, InstanceState::Running).await;
    assert!(world.lines.contain("[APP/PROC/WEB] listening on 0.0.0.0:8080"), "{:?}", world.lines.all());
    for _ in 0..20 {
        assert_eq!(world.get(&app, "/").await.unwrap(), (200, "Hello from instance 0\n".to_owned()));
    }
    let posts = (0..40).map(|number| {
        let (world, app) = (&world, &app);
        async move {
            let sent = format!("{number}:{}", "x".repeat(number * 5_000));
            let request = http::Request::post("/echo").header("host", "a.example").body(body::full(sent.clone())).unwrap();
            let answer = world.send(app, request).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), sent);
        }
    });
    join_all(posts).await;
    let (_, head) = world.get(&app, "/head?x=1").await.unwrap();
    assert!(head.starts_with("GET /head?x=1 HTTP/1.1\r\n") && head.contains("host: app.example"), "{head}");
    let usage = world.host.reports()[0].usage;
    assert!(usage.cpu_ns > 0 && usage.memory_bytes > 0 && usage.requests == 61 && usage.wasm_instances == 1, "{usage:?}");
    running.end(&world).await;
    assert_eq!(world.host.reports()[0].usage.wasm_instances, 0);
}

#[tokio::test]
async fn it_may_bind_its_port_and_nothing_else_and_reach_nobody_unasked() {
    let world = World::new(limits());
    let app = push(&world);
    let running = Running::of(&world);
    state(&world, &app, InstanceState::Running).await;
    let host = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (path, outcome) in [
        ("/bind?0.0.0.0:8081", "PermissionDenied"),
        ("/bind?127.0.0.1:0", "PermissionDenied"),
        ("/bind?0.0.0.0:8080", "AddrInUse"),
        (&*format!("/connect?{}", host.local_addr().unwrap()), "PermissionDenied"),
        ("/connect?127.0.0.1:8080", "PermissionDenied"),
    ] {
        assert_eq!(world.get(&app, path).await.unwrap().1, outcome, "{path}");
    }
    assert!(host.accept().now_or_never().is_none());
    running.end(&world).await;
}

/// An address of this machine that is not loopback, by asking the system how it would reach a documentation address.
fn own_address() -> std::net::IpAddr {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").expect("this test needs a network interface besides loopback");
    socket.local_addr().unwrap().ip()
}

#[tokio::test]
async fn what_a_security_group_allows_is_reached_and_given_back() {
    let world = World::new(CellLimits { outbound_connections: 2, ..limits() });
    let outside = tokio::net::TcpListener::bind((own_address(), 0)).await.unwrap();
    let address = outside.local_addr().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = outside.accept().await.unwrap();
            stream.write_all(b"the world outside").await.unwrap();
        }
    });
    let rule = |ports: String| EgressRule {
        protocol: "tcp".into(),
        destination: address.ip().to_string(),
        ports: Some(ports),
        icmp_type: None,
        code: None,
        description: None,
        log: None,
    };
    let app = world.push_kind(GuestKind::Server, &server(), |process| process.egress = vec![rule(address.port().to_string())]);
    let other = world.push_kind(GuestKind::Server, &server(), |process| process.egress = vec![rule("1".into())]);
    let running = Running::of(&world);
    state(&world, &app, InstanceState::Running).await;
    state(&world, &other, InstanceState::Running).await;
    // More often than connections may be open: each gives its place back.
    for _ in 0..10 {
        assert_eq!(world.get(&app, &format!("/fetch?{address}")).await.unwrap().1, "the world outside");
    }
    assert_eq!(world.get(&other, &format!("/fetch?{address}")).await.unwrap().1, "PermissionDenied");
    assert!(world.lines.contain(&format!("outbound tcp connection to {address} denied: no security group allows it")));
    running.end(&world).await;
}

#[tokio::test]
async fn the_end_of_a_server_is_a_crash_with_its_reason() {
    for (path, reason) in [
        ("/exit?3", "APP/PROC/WEB: Exited with status 1"),
        ("/exit?0", "APP/PROC/WEB: Exited with status 0"),
        ("/trap", "unreachable"),
        ("/allocate", "Exited with status 137 (out of memory)"),
    ] {
        let world = World::new(limits());
        let app = push(&world);
        let running = Running::of(&world);
        state(&world, &app, InstanceState::Running).await;
        let failed = world.get(&app, path).await;
        assert!(matches!(&failed, Err(CellError::Guest(_))), "{path}: {failed:?}");
        let details = state(&world, &app, InstanceState::Crashed).await;
        assert!(details.contains(reason), "{path}: {details}");
        assert!(matches!(world.get(&app, "/").await, Err(CellError::Gone)), "{path}");
        running.end(&world).await;
    }
}

#[tokio::test]
async fn one_that_never_listens_is_never_healthy_but_a_worker_need_not() {
    let world = World::new(limits());
    let command = |line: &str, kind| {
        let line = line.to_owned();
        world.push_kind(GuestKind::Server, &server(), |process| {
            process.command = Some(line);
            process.process_type = if kind == HealthCheckType::Process { "worker".into() } else { "web".into() };
            process.health_check = HealthCheck { timeout_seconds: Some(1), ..HealthCheck::of(kind) };
        })
    };
    let (deaf, worker) = (command("app wait", HealthCheckType::Port), command("app wait", HealthCheckType::Process));
    let running = Running::of(&world);
    state(&world, &worker, InstanceState::Running).await;
    let details = state(&world, &deaf, InstanceState::Crashed).await;
    assert!(details.contains("never healthy after 1s: nothing listens on port 8080"), "{details}");
    world.lines.until(|lines| lines.iter().any(|line| line == "[APP/PROC/WORKER] waiting")).await;
    running.end(&world).await;
}

#[tokio::test]
async fn an_http_check_asks_the_server() {
    let world = World::new(limits());
    let checked = |path: &str| {
        let check = HealthCheck { endpoint: Some(path.into()), ..HealthCheck::of(HealthCheckType::Http) };
        world.push_kind(GuestKind::Server, &server(), |process| process.health_check = check)
    };
    let (well, ill) = (checked("/"), checked("/no-such-path"));
    let running = Running::of(&world);
    state(&world, &well, InstanceState::Running).await;
    let told = |world: &World| {
        let report = world.host.reports().into_iter().find(|report| report.instance == ill.endpoint.instance)?;
        report.details.filter(|_| report.state == Some(InstanceState::Starting))
    };
    while told(&world).is_none_or(|details| details != "GET /no-such-path answered 404 instead of 200") {
        tokio::task::yield_now().await;
    }
    running.end(&world).await;
}

#[tokio::test]
async fn busy_servers_leave_room_for_requests() {
    let world = World::new(limits());
    let spinning: Vec<_> =
        (0..4).map(|_| world.push_kind(GuestKind::Command, &server(), |process| process.command = Some("app spin".into()))).collect();
    let app = push(&world);
    let running = Running::of(&world);
    state(&world, &app, InstanceState::Running).await;
    for _ in 0..20 {
        assert_eq!(world.get(&app, "/").await.unwrap().0, 200);
    }
    // That an instance has used more time is no change that a host would tell of.
    let has_run =
        |busy: &App| world.host.reports().iter().any(|report| report.instance == busy.endpoint.instance && report.usage.cpu_ns > 0);
    while !spinning.iter().all(has_run) {
        let is_down = world.host.reports().iter().any(|report| report.state == Some(InstanceState::Crashed));
        assert!(!is_down, "{:?}", world.lines.all());
        tokio::task::yield_now().await;
    }
    running.end(&world).await;
}

#[tokio::test]
async fn an_upgraded_connection_is_the_guests_own() {
    let world = World::new(limits());
    let app = push(&world);
    let running = Running::of(&world);
    state(&world, &app, InstanceState::Running).await;
    let request = http::Request::get("/ws")
        .header("host", "app.example")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let mut answer = world.send(&app, request.body(body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 101);
    // The example of RFC 6455, section 1.3.
    assert_eq!(answer.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(world.host.in_flight(app.endpoint.instance), 1);
    let mut stream = hyper_util::rt::TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
    // A masked text frame "Hello" (section 5.7) comes back unmasked.
    stream.write_all(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]).await.unwrap();
    let mut frame = [0; 7];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame, [0x81, 0x05, b'H', b'e', b'l', b'l', b'o']);
    drop((stream, answer));
    assert_eq!(world.host.in_flight(app.endpoint.instance), 0);
    let plain = world.push(&support::hello(), |_| {});
    let request = http::Request::get("/").header("upgrade", "websocket").body(body::empty()).unwrap();
    assert!(matches!(world.send(&plain, request).await, Err(CellError::NoConnections)));
    // Over a TCP route it is spoken to in HTTP all the same.
    let mut raw = world.host.connect(plain.endpoint).await.unwrap();
    raw.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut heard = String::new();
    raw.read_to_string(&mut heard).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n") && heard.contains("Hello"), "{heard}");
    running.end(&world).await;
}

#[tokio::test]
async fn another_worker_of_the_box_reaches_it() {
    let here = World::new(limits());
    let there = World::worker(limits(), 1, Some(&here));
    let app = push(&here);
    let running = Running::of(&here);
    state(&here, &app, InstanceState::Running).await;
    here.copy_to(&there);
    for _ in 0..5 {
        assert_eq!(there.get(&app, "/").await.unwrap().1, "Hello from instance 0\n");
    }
    let mut raw = there.host.connect(app.endpoint).await.unwrap();
    raw.write_all(b"over the fence").await.unwrap();
    let mut heard = [0; 14];
    raw.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"over the fence");
    drop(raw);
    // The worker with the guest is gone: so is the instance, and the router may try another.
    running.end(&here).await;
    std::fs::remove_dir_all(here.cache.path().join("guests")).unwrap();
    assert!(matches!(there.host.connect(app.endpoint).await, Err(CellError::Gone)));
}

#[tokio::test]
async fn connections_past_the_limit_wait_and_are_refused() {
    let world = World::new(CellLimits { server_connections: 2, queue_wait_ms: 50, ..limits() });
    let app = push(&world);
    let running = Running::of(&world);
    state(&world, &app, InstanceState::Running).await;
    let held = [world.host.connect(app.endpoint).await.unwrap(), world.host.connect(app.endpoint).await.unwrap()];
    let refused = world.host.connect(app.endpoint).await;
    assert!(matches!(refused, Err(CellError::Overloaded { limit: "server_connections", .. })));
    drop(held);
    // A place is free once the guest has let go of it.
    let answered = loop {
        match world.get(&app, "/").await {
            Err(CellError::Overloaded { .. }) => {}
            answered => break answered,
        }
    };
    assert_eq!(answered.unwrap().0, 200);
    running.end(&world).await;
}

#[tokio::test]
async fn what_is_in_flight_when_it_is_taken_away_may_end() {
    let world = World::new(limits());
    let app = push(&world);
    let running = Running::of(&world);
    state(&world, &app, InstanceState::Running).await;
    let mut open = world.host.connect(app.endpoint).await.unwrap();
    open.write_all(b"before").await.unwrap();
    let mut heard = [0; 6];
    open.read_exact(&mut heard).await.unwrap();
    world.change(|snapshot| snapshot.processes.clear());
    assert!(matches!(world.get(&app, "/").await, Err(CellError::Gone)));
    open.write_all(b"after!").await.unwrap();
    open.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"after!");
    drop(open);
    running.end(&world).await;
}

#[tokio::test]
async fn a_restarted_worker_starts_what_was_up() {
    let world = World::new(CellLimits { queue_wait_ms: 60_000, ..limits() });
    let app = world.push_kind(GuestKind::Server, &server(), |process| process.instances[0].routable = true);
    let running = Running::of(&world);
    // No probe is waited for: the request waits for the listener.
    assert_eq!(world.get(&app, "/").await.unwrap().0, 200);
    running.end(&world).await;
}
