//! Servers and commands of WASI 0.3.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use futures::future::join_all;
use std::sync::{Arc, LazyLock};
use support::{App, World, limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use virga_contract::cell::Cell as _;
use virga_model::{
    droplet::GuestKind,
    state::{InstanceState, TaskState},
};

/// The sample, built by cargo for `wasm32-wasip2`, which `tests/run` installs.
fn server() -> Vec<u8> {
    static BUILT: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
        let mut command = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/apps/rust-server-p3");
        command.args(["build", "--locked", "--release", "--target", "wasm32-wasip2"]).current_dir(source);
        let output = command.env("CARGO_TARGET_DIR", &target).output().unwrap();
        assert!(output.status.success(), "rustup target add wasm32-wasip2?\n{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(target.join("wasm32-wasip2/release/rust_server_p3.wasm")).unwrap()
    });
    BUILT.clone()
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
async fn a_server_answers_many_at_a_time() {
    let world = World::new(limits());
    let app = world.push_kind(GuestKind::Server, &server(), |_| {});
    let running = Running::of(&world);
    state(&world, &app, InstanceState::Running).await;
    // One that has said nothing yet holds nobody up.
    let mut quiet = world.host.connect(app.endpoint).await.unwrap();
    for number in 0..20 {
        let (status, text) = world.get(&app, &format!("/{number}")).await.unwrap();
        assert!(status == 200 && text.starts_with(&format!("Hello from WASI 0.3 on Virga\nGET /{number} HTTP/1.1\r\n")), "{text}");
    }
    let answers = join_all((0..40).map(|_| world.get(&app, "/"))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok((200, _)))), "{answers:?}");
    // More than the pipes hold, in both directions.
    let sent = [b"echo".as_slice(), &vec![7; 1 << 20]].concat();
    let (mut reader, mut writer) = tokio::io::split(&mut quiet);
    let writing = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut heard = Vec::new();
    let (_, read) = tokio::join!(writing, reader.read_to_end(&mut heard));
    read.unwrap();
    assert!(heard == sent, "{} bytes", heard.len());
    running.end(&world).await;
    assert_eq!(world.host.reports()[0].usage.wasm_instances, 0);
}

#[tokio::test]
async fn its_end_breaks_what_it_has_not_finished() {
    let world = World::new(limits());
    let app = world.push_kind(GuestKind::Server, &server(), |_| {});
    let running = Running::of(&world);
    state(&world, &app, InstanceState::Running).await;
    let mut open = world.host.connect(app.endpoint).await.unwrap();
    open.write_all(b"echo").await.unwrap();
    let mut heard = [0; 4];
    open.read_exact(&mut heard).await.unwrap();
    running.end(&world).await;
    assert_eq!(open.read_u8().await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn commands_and_refusals() {
    let world = World::new(limits());
    let droplet = world.stage(GuestKind::Server, &server(), &[]);
    for (command, state, reason) in [
        ("app task one two", TaskState::Succeeded, None),
        ("app unknown", TaskState::Failed, Some("Exited with status 1")),
        ("app exit", TaskState::Failed, Some("Exited with status 7")),
        ("app other-port", TaskState::Failed, Some("Exited with status 1")),
    ] {
        let task = world.task(droplet, command);
        let guid = task.task;
        world.change(|snapshot| snapshot.tasks.push(Arc::new(task)));
        let report = world
            .until(|world| world.host.task_reports().into_iter().find(|report| report.task == guid && report.state != TaskState::Running))
            .await;
        assert_eq!((report.state, report.failure_reason.as_deref()), (state, reason), "{command}");
    }
    let lines = world.lines.all();
    for line in ["[APP/TASK/job] task done one two", "[APP/TASK/job] not bound: ErrorCode::AccessDenied"] {
        assert!(lines.iter().any(|have| have == line), "{line} is not in {lines:#?}");
    }
    world.host.drain().await;
}
