//! wasi:http 0.3 guests: many requests on one wasm instance, and the same limits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use http_body_util::BodyExt as _;
use std::time::Duration;
use support::{App, World, limits};
use virga_contract::{body, cell::CellError, limits::CellLimits};
use virga_model::{droplet::GuestKind, process::ReusePolicy, state::InstanceState};

fn guest(first: &str) -> Vec<u8> {
    let source = include_str!("guests/http_p3.wat");
    let marker = "(call $drop-request (local.get $request))";
    assert!(source.contains(marker));
    wat::parse_str(source.replacen(marker, &format!("{marker} {first}"), 1)).unwrap()
}

fn push(world: &World, component: &[u8], reuse: ReusePolicy) -> App {
    world.push_kind(GuestKind::HttpP3, component, |process| process.reuse = Some(reuse))
}

#[tokio::test]
async fn one_wasm_instance_serves_many_requests_at_a_time() {
    let world = World::new(limits());
    let app = push(&world, &guest(""), ReusePolicy::Concurrent);
    assert_eq!(world.settled(&app).await.0, InstanceState::Running);
    // The first answer's body is not read while the others are asked.
    let request = http::Request::get("/").header("host", "a").body(body::empty()).unwrap();
    let first = world.send(&app, request).await.unwrap();
    for turn in 2..10 {
        assert_eq!(world.get(&app, "/").await.unwrap(), (200, format!("request {turn}\n")));
    }
    assert_eq!(world.host.reports()[0].usage.wasm_instances, 1);
    assert_eq!(&*first.into_body().collect().await.unwrap().to_bytes(), b"request 1\n");
}

#[tokio::test]
async fn a_fresh_instance_per_request_remembers_nothing() {
    let world = World::new(CellLimits { pooled_idle_ms: 50, ..limits() });
    let app = push(&world, &guest(""), ReusePolicy::Request);
    for _ in 0..200 {
        assert_eq!(world.get(&app, "/").await.unwrap().1, "request 1\n");
    }
}

#[tokio::test]
async fn traps_and_endless_loops_are_named_and_do_not_stop_the_app() {
    let world = World::new(CellLimits { request_cpu_ms: 200, ..limits() });
    let trap = push(&world, &guest("unreachable"), ReusePolicy::Concurrent);
    let spin = push(&world, &guest("(loop $for-ever (br $for-ever))"), ReusePolicy::Concurrent);
    let neighbour = push(&world, &guest(""), ReusePolicy::Concurrent);
    let failed = world.get(&trap, "/").await;
    assert!(matches!(&failed, Err(CellError::Guest(reason)) if reason.contains("unreachable")), "{failed:?}");
    let beside = async {
        for _ in 0..20 {
            world.get(&neighbour, "/").await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let (failed, ()) = tokio::join!(world.get(&spin, "/"), beside);
    assert!(matches!(failed, Err(CellError::Limit { limit: "request_cpu_ms", is_time: true })), "{failed:?}");
    assert!(world.lines.contain("the app exceeded its limit request_cpu_ms"));
    assert!(matches!(world.get(&trap, "/").await, Err(CellError::Guest(_))));
}
