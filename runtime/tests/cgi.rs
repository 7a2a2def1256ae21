//! CGI commands through the cell: a run of its own for every request.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use http_body_util::BodyExt as _;
use support::{World, limits};
use virga_contract::{body, cell::CellError};
use virga_model::{droplet::GuestKind, state::InstanceState};

fn guest() -> Vec<u8> {
    wat::parse_str(include_str!("guests/cgi.wat")).unwrap()
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
    assert_eq!(world.host.reports()[0].usage.wasm_instances, 0);
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
