//! The end of a process in two phases.

use crate::support::{app, exchange, get};
use futures::stream;
use std::{sync::Arc, time::Duration};
use tokio::{io::AsyncWriteExt as _, sync::Notify};
use tokio_stream::wrappers::ReceiverStream;
use virga_serve::{
    ExitReason, ServerLimits, Tasks,
    axum::{Router, routing},
    listener::{Listener, connect_unix},
    serve,
};

const LONG: Duration = Duration::from_secs(60);

/// A server whose `/slow` (GET and POST) begins, says so, and waits until it is let go.
struct Slow {
    tasks: Tasks,
    begun: Arc<Notify>,
    go: Arc<Notify>,
    done: Arc<Notify>,
    folder: tempfile::TempDir,
}

impl Slow {
    fn start() -> Self {
        let (begun, go, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tasks, folder) = (Tasks::new(), tempfile::tempdir().unwrap());
        let (begin, wait, end) = (begun.clone(), go.clone(), done.clone());
        let slow = move || {
            let (begin, wait, end) = (begin.clone(), wait.clone(), end.clone());
            async move {
                begin.notify_one();
                wait.notified().await;
                end.notify_one();
                "finished"
            }
        };
        let routes = Router::new().route("/slow", routing::get(slow.clone()).post(slow));
        let listener = Listener::unix(&folder.path().join("api.sock")).unwrap();
        serve(&tasks, "api", listener, app(&tasks, routes, &[]), ServerLimits::default());
        Self { tasks, begun, go, done, folder }
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("api.sock")
    }
}

#[tokio::test]
async fn a_request_in_flight_survives_the_first_signal() {
    let server = Slow::start();
    let socket = server.socket();
    let client = async { exchange(&socket, &get("/slow")).await };
    let (signal, signals) = tokio::sync::mpsc::channel(1);
    let driver = async {
        server.begun.notified().await;
        // An idle connection must not hold up the end.
        let _idle = connect_unix(&socket).await.unwrap();
        signal.send(()).await.unwrap();
        server.tasks.draining().cancelled().await;
        // The accept loop lets go of its socket, so that nobody new comes in.
        while socket.exists() {
            tokio::task::yield_now().await;
        }
        server.go.notify_one();
    };
    let (answer, reason, ()) = tokio::join!(client, server.tasks.run_until(ReceiverStream::new(signals), LONG), driver);
    assert!(answer.unwrap().ends_with("finished"));
    assert_eq!(reason, ExitReason::Stopped);
    assert_eq!(reason.exit_code(), 0);
}

#[tokio::test]
async fn the_second_signal_ends_what_is_in_flight() {
    let server = Slow::start();
    let socket = server.socket();
    let client = async { exchange(&socket, &get("/slow")).await };
    let signals = async {
        server.begun.notified().await;
    };
    let signals = stream::StreamExt::chain(stream::once(signals), stream::iter([()]));
    let (answer, reason) = tokio::join!(client, server.tasks.run_until(signals, LONG));
    assert!(!answer.unwrap_or_default().contains("finished"));
    assert_eq!(reason, ExitReason::Cancelled);
    assert_ne!(reason.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_what_does_not_end_by_itself() {
    let tasks = Tasks::new();
    tasks.spawn("stubborn", std::future::pending::<()>());
    tasks.stop();
    assert_eq!(tasks.run_until(stream::pending(), LONG).await, ExitReason::Cancelled);
}

#[tokio::test]
async fn a_failed_or_panicking_task_stops_the_process_with_a_failing_code() {
    let tasks = Tasks::new();
    let draining = tasks.draining();
    tasks.spawn("loop", async move { draining.cancelled().await });
    tasks.spawn("scheduler", async { Err("the database is gone") });
    let reason = tasks.run_until(stream::pending(), LONG).await;
    assert_eq!(reason, ExitReason::TaskFailed { task: "scheduler".into(), error: "the database is gone".into() });
    assert_eq!(reason.exit_code(), 1);

    let tasks = Tasks::new();
    let panics = async || -> () { panic!("index {} out of range", 7) };
    tasks.spawn("router", panics());
    let reason = tasks.run_until(stream::pending(), LONG).await;
    assert_eq!(reason, ExitReason::TaskFailed { task: "router".into(), error: "index 7 out of range".into() });
}

#[tokio::test]
async fn a_guarded_panic_costs_only_its_own_work() {
    let tasks = Tasks::new();
    let lost = tasks.spawn_guarded("connection", async { panic!("boom") });
    assert!(lost.await.unwrap().is_none());
    tasks.stop();
    assert_eq!(tasks.run_until(stream::pending(), LONG).await, ExitReason::Stopped);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_a_change_half_way() {
    let server = Slow::start();
    let mut client = connect_unix(&server.socket()).await.unwrap();
    client.write_all(b"POST /slow HTTP/1.1\r\nHost: api\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    server.begun.notified().await;
    drop(client);
    server.go.notify_one();
    server.done.notified().await;
    server.tasks.stop();
    assert_eq!(server.tasks.run_until(stream::pending(), LONG).await, ExitReason::Stopped);
}
