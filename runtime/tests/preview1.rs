//! Core modules of WASI 0.1: servers on a preopened listener, commands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use futures::future::join_all;
use http_body_util::BodyExt as _;
use std::sync::Arc;
use support::{App, World, limits};
use tokio_util::sync::CancellationToken;
use virga_contract::body;
use virga_model::{
    droplet::GuestKind,
    state::{InstanceState, TaskState},
};

fn listener() -> Vec<u8> {
    wat::parse_str(include_str!("../../tests/apps/wat-listener/app.wat")).unwrap()
}

/// A program that does this, with `$out` to write on standard output and a page of memory.
fn program(imports: &str, start: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {imports}
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") {start}))"#
    );
    wat::parse_str(text).unwrap()
}

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

async fn state(world: &World, app: &App, wanted: InstanceState) -> String {
    let report = |world: &World| world.host.reports().into_iter().find(|report| report.instance == app.endpoint.instance);
    world.until(|world| report(world).filter(|report| report.state == Some(wanted)).map(|report| report.details.unwrap_or_default())).await
}

#[tokio::test]
async fn a_server_answers_on_the_listener_it_is_given() {
    for command in ["app", "app waiting"] {
        let world = World::new(limits());
        let app = world.push_kind(GuestKind::Server, &listener(), |process| process.command = Some(command.into()));
        let running = Running::of(&world);
        state(&world, &app, InstanceState::Running).await;
        for number in 0..20 {
            let (status, text) = world.get(&app, &format!("/one?{number}")).await.unwrap();
            assert!(status == 200 && text.starts_with("Hello from WASI 0.1 on Virga\nGET /one?"), "{command}: {status} {text}");
            assert!(text.contains(&format!("?{number} HTTP/1.1\r\nhost: app.example")), "{text}");
        }
        let answers = join_all((0..20).map(|_| world.get(&app, "/"))).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok((200, _)))), "{answers:?}");
        world.lines.until(|lines| lines.iter().filter(|line| line.ends_with("served a connection")).count() >= 40).await;
        // A question larger than what is read of it: the rest is refused, the server goes on.
        let request = http::Request::post("/").header("host", "app.example").body(body::full(vec![b'x'; 200_000])).unwrap();
        if let Ok(answer) = world.send(&app, request).await {
            let _cut_or_whole = answer.into_body().collect().await;
        }
        assert_eq!(world.get(&app, "/").await.unwrap().0, 200);
        running.end(&world).await;
        assert_eq!(world.host.reports()[0].usage.wasm_instances, 0);
    }
}

#[tokio::test]
async fn the_listener_is_a_socket_and_nothing_else() {
    const CALLS: &str = r#"
        (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))"#;
    // What it is wrong about is its exit status; it ends well otherwise.
    let start = r#"
        (if (call $stat (i32.const 3) (i32.const 0)) (then (call $exit (i32.const 101))))
        (if (i32.ne (i32.load8_u (i32.const 0)) (i32.const 6)) (then (call $exit (i32.const 102))))
        (if (i32.ne (i32.load16_u (i32.const 2)) (i32.const 4)) (then (call $exit (i32.const 103))))
        (if (call $prestat (i32.const 3) (i32.const 32)) (then (call $exit (i32.const 104))))
        (if (i32.ne (i32.load8_u (i32.const 32)) (i32.const 1)) (then (call $exit (i32.const 105))))
        (if (i32.ne (call $prestat (i32.const 4) (i32.const 32)) (i32.const 8)) (then (call $exit (i32.const 106))))
        (if (i32.ne (call $seek (i32.const 3) (i64.const 0) (i32.const 0) (i32.const 32)) (i32.const 70)) (then (call $exit (i32.const 107))))
        (if (i32.ne (call $read (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 32)) (i32.const 53)) (then (call $exit (i32.const 108))))
        (if (i32.ne (call $accept (i32.const 3) (i32.const 0) (i32.const 32)) (i32.const 6)) (then (call $exit (i32.const 109))))
        (if (i32.ne (call $accept (i32.const 3) (i32.const 0) (i32.const 65534)) (i32.const 21)) (then (call $exit (i32.const 110))))
        (if (i32.ne (call $accept (i32.const 70000) (i32.const 0) (i32.const 32)) (i32.const 8)) (then (call $exit (i32.const 111))))
        (if (call $close (i32.const 3)) (then (call $exit (i32.const 112))))
        (if (i32.ne (call $close (i32.const 3)) (i32.const 8)) (then (call $exit (i32.const 113))))
        (if (i32.ne (call $stat (i32.const 3) (i32.const 0)) (i32.const 8)) (then (call $exit (i32.const 114))))"#;
    let world = World::new(limits());
    let app = world.push_kind(GuestKind::Server, &program(CALLS, start), |_| {});
    let running = Running::of(&world);
    let details = state(&world, &app, InstanceState::Crashed).await;
    assert!(details.contains("Exited with status 0"), "{details}");
    running.end(&world).await;
}

#[tokio::test]
async fn limits_and_traps_of_a_core_module_are_those_of_any_guest() {
    for (start, reason) in [
        ("unreachable", "unreachable"),
        ("(call $exit (i32.const 7))", "Exited with status 7"),
        ("(loop $ever (if (i32.ne (memory.grow (i32.const 64)) (i32.const -1)) (then (br $ever)))) unreachable", "out of memory"),
    ] {
        let world = World::new(limits());
        let app = world.push_kind(GuestKind::Command, &program("", start), |_| {});
        let running = Running::of(&world);
        let details = state(&world, &app, InstanceState::Crashed).await;
        assert!(details.contains(reason), "{start}: {details}");
        running.end(&world).await;
    }
}

#[tokio::test]
async fn a_core_module_answers_by_cgi_and_runs_tasks() {
    let world = World::new(limits());
    let command = wat::parse_str(include_str!("../../tests/apps/wat-command/app.wat")).unwrap();
    let app = world.push_kind(GuestKind::Cgi, &command, |process| process.command = Some("fine".into()));
    assert_eq!(world.get(&app, "/").await.unwrap(), (200, "Hello\n".to_owned()));
    let droplet = world.stage(GuestKind::Cgi, &command, &[]);
    let (fine, bad) = (world.task(droplet, "fine"), world.task(droplet, "fail"));
    let names = [fine.task, bad.task];
    world.change(|snapshot| snapshot.tasks = vec![Arc::new(fine), Arc::new(bad)]);
    let ended = |world: &World| {
        let reports = world.host.task_reports();
        let end = |task| Some(reports.iter().find(|report| report.task == task && report.state != TaskState::Running)?.clone());
        Some([end(names[0])?, end(names[1])?])
    };
    let [fine, bad] = world.until(ended).await;
    assert_eq!((fine.state, fine.failure_reason), (TaskState::Succeeded, None));
    assert_eq!((bad.state, bad.failure_reason.as_deref()), (TaskState::Failed, Some("Exited with status 1")));
    world.host.drain().await;
}
