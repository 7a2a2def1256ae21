//! CGI commands through the cell: a run of its own for every request.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use http_body_util::BodyExt as _;
use support::{World, limits};
use virga_contract::{
    body,
    cell::{Cell as _, CellError},
    limits::CellLimits,
};
use virga_model::{droplet::GuestKind, state::InstanceState};

const SOURCE: &str = include_str!("guests/cgi.wat");

fn guest() -> Vec<u8> {
    wat::parse_str(SOURCE).unwrap()
}

/// The command with so many pages of memory from the start, and something to do before its answer.
fn guest_with(pages: u32, before: [&str; 2]) -> Vec<u8> {
    let (memory, run) = ("(memory (export \"memory\") 8)", "(global.set $out (call $get-stdout))");
    assert!(SOURCE.contains(memory) && SOURCE.contains(run));
    let memory_of = format!("(memory (export \"memory\") {pages})");
    wat::parse_str(SOURCE.replacen(memory, &memory_of, 1).replacen(run, &format!("{} {run}", before.concat()), 1)).unwrap()
}

#[tokio::test]
async fn a_command_reads_its_request_and_writes_its_answer() {
    let world = World::new(limits());
    let app = world.push_kind(GuestKind::Cgi, &guest(), |_| {});
    assert_eq!(world.settled(&app).await.0, InstanceState::Running);
    let request = http::Request::post("/some/path?q=1").header("host", "app.example").header("x-thing", "yes");
    let answer = world.send(&app, request.body(body::full("the body")).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()["content-type"], "text/plain");
    let text = String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    for line in ["REQUEST_METHOD=POST", "PATH_INFO=/some/path", "QUERY_STRING=q=1", "HTTP_X_THING=yes", "PORT=8080", "the body"] {
        assert!(text.lines().any(|have| have == line), "{line} is not in:\n{text}");
    }
    for _ in 0..50 {
        assert_eq!(world.get(&app, "/again").await.unwrap().0, 201);
    }
    world.host.drain().await;
    let usage = world.host.reports()[0].usage;
    assert_eq!(usage.wasm_instances, 0);
    assert!((8 << 16..9 << 16).contains(&usage.memory_bytes), "{} bytes were told for runs of 8 pages", usage.memory_bytes);
}

#[tokio::test]
async fn commands_that_fail_are_named() {
    let world = World::new(limits());
    let app = world.push_kind(GuestKind::Cgi, &guest(), |_| {});
    for (path, reason) in
        [("/trap", "unreachable"), ("/exit", "it exited with status 1"), ("/rude", "not a header field: 'no head at all'")]
    {
        let failed = world.get(&app, path).await;
        assert!(matches!(&failed, Err(CellError::Guest(text)) if text.contains(reason)), "{path}: {failed:?}");
        assert!(world.lines.contain(reason), "{:?}", world.lines.all());
    }
    assert_eq!(world.get(&app, "/fine").await.unwrap().0, 201);
}

#[tokio::test]
async fn where_memory_is_used_up_runs_wait_for_one_another() {
    let world = World::new(CellLimits { request_cpu_ms: 60_000, queue_wait_ms: 60_000, ..limits() });
    // Of 64 MB two of them fit: one that has its 25 MB from the start, one that takes them and then works, one that works first.
    let work = "(local.set $left (i32.const 40000000))
      (loop $work (br_if $work (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))";
    let grow = "(if (i32.eq (i32.const -1) (memory.grow (i32.const 392))) (then unreachable))";
    let world = &world;
    for (kind, component) in
        [("born", guest_with(400, [work, ""])), ("grows first", guest_with(8, [grow, work])), ("works first", guest_with(8, [work, grow]))]
    {
        let app = &world.push_kind(GuestKind::Cgi, &component, |_| {});
        let answers = futures::future::join_all((0..12).map(|_| world.get(app, "/"))).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok((201, _)))), "{kind}: {answers:?}");
    }
}

#[tokio::test]
async fn where_memory_stays_used_up_the_wait_of_runs_ends() {
    let world = World::new(CellLimits { queue_wait_ms: 50, ..limits() });
    let app = &world.push_kind(GuestKind::Cgi, &guest_with(400, ["", ""]), |_| {});
    let world = &world;
    let ask = || {
        // Each reads its input to the end, which does not come: two fit, and neither makes room.
        let input = http_body_util::StreamBody::new(futures::stream::pending::<Result<http_body::Frame<bytes::Bytes>, _>>());
        world.send(app, http::Request::post("/").header("host", "a").body(input.boxed_unsync()).unwrap())
    };
    let answers = futures::future::join_all((0..8).map(|_| ask())).await;
    let refused = answers.iter().filter(|answer| matches!(answer, Err(CellError::Overloaded { limit: "memory", retry_after_seconds: 1 })));
    assert_eq!(refused.count(), 6);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(head) if head.status() == 201)).count(), 2);
    assert!(world.lines.contain("[CELL] request refused: the app instance is at its limit of memory"), "{:?}", world.lines.all());
    // Nobody reads them any more: they end, and leave their room.
    drop(answers);
    world.host.drain().await;
    assert_eq!(world.host.in_flight(app.endpoint.instance), 0);
    assert_eq!(world.host.reports()[0].usage.wasm_instances, 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_never_taken_for_a_whole_one() {
    let world = World::new(limits());
    let app = world.push_kind(GuestKind::Cgi, &guest(), |_| {});
    let pieces = [Ok(http_body::Frame::data(bytes::Bytes::from_static(b"half"))), Err("the client went away".into())];
    let body = http_body_util::StreamBody::new(futures::stream::iter(pieces)).boxed_unsync();
    let answer = match world.send(&app, http::Request::post("/").header("host", "a").body(body).unwrap()).await {
        Ok(answer) => answer.into_body().collect().await.map(|_| ()).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    assert!(answer.is_err(), "it was answered as if the body were complete");
    assert!(world.lines.contain("[CELL] request ended: its body broke off: the client went away"), "{:?}", world.lines.all());
}

#[tokio::test]
async fn a_run_that_never_fits_is_named() {
    let world = World::new(limits());
    let app = world.push_kind(GuestKind::Cgi, &guest_with(2_000, ["", ""]), |_| {});
    let failed = world.get(&app, "/").await;
    assert!(matches!(failed, Err(CellError::Limit { limit: "memory", is_time: false })), "{failed:?}");
    assert!(world.lines.contain("exceeded its limit memory (64 MB of memory)"));
}
