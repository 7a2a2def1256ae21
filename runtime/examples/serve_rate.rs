//! How many requests a second one worker's cell serves, without sockets and router: the sample component with a fresh
//! wasm instance per request and with warm ones; and how long a cold start takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a measurement for a terminal")]

#[path = "../tests/support/mod.rs"]
mod support;

use http_body_util::BodyExt as _;
use std::time::{Duration, Instant};
use support::{App, World, hello, limits};
use virga_contract::body;
use virga_model::process::ReusePolicy;

/// One request; its answer must be good.
async fn ask(world: &World, app: &App) {
    let request = http::Request::get("/").header("host", "app.example").body(body::empty()).unwrap();
    let answer = world.send(app, request).await.unwrap();
    assert!(answer.status().is_success());
    assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty());
}

/// Requests a second with this many at a time.
async fn rate(world: &World, app: &App, at_a_time: usize) -> f64 {
    let start = Instant::now();
    let client = || async {
        let mut served = 0_u32;
        while start.elapsed() < Duration::from_secs(3) {
            ask(world, app).await;
            served += 1;
            tokio::task::yield_now().await;
        }
        served
    };
    let served: u32 = futures::future::join_all((0..at_a_time).map(|_| client())).await.into_iter().sum();
    f64::from(served) / start.elapsed().as_secs_f64()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let world = World::new(limits());
    let guest = match std::env::args().nth(1) {
        Some(path) => std::fs::read(path).unwrap(),
        None => hello(),
    };
    let push = |reuse| {
        world.push(&guest, |process| {
            process.reuse = Some(reuse);
            process.memory_mb = 1024;
        })
    };
    let (fresh, pooled) = (push(ReusePolicy::Request), push(ReusePolicy::Pool));
    let start = Instant::now();
    ask(&world, &fresh).await;
    println!("fetch, compile, map, answer   {:>8.2} ms", start.elapsed().as_secs_f64() * 1e3);
    for at_a_time in [1, 32] {
        println!("{at_a_time:>2} at a time, fresh instances {:>9.0} requests/s", rate(&world, &fresh, at_a_time).await);
        println!("{at_a_time:>2} at a time, warm instances  {:>9.0} requests/s", rate(&world, &pooled, at_a_time).await);
    }
    for report in world.host.reports() {
        println!("{:?}", report.usage);
    }
    if !world.lines.all().is_empty() {
        println!("first line of log: {}", world.lines.all()[0]);
    }
    for line in world.lines.all().iter().filter(|line| line.starts_with("[CELL]")).take(5) {
        println!("{line}");
    }
}
