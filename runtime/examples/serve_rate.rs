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

async fn rate(world: &World, app: &App) -> f64 {
    let start = Instant::now();
    let mut served = 0_u32;
    while start.elapsed() < Duration::from_secs(3) {
        for _ in 0..100 {
            let request = http::Request::get("/").header("host", "app.example").body(body::empty()).unwrap();
            let answer = world.send(app, request).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), 17);
        }
        served += 100;
        tokio::task::yield_now().await;
    }
    f64::from(served) / start.elapsed().as_secs_f64()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let world = World::new(limits());
    let guest = match std::env::args().nth(1) {
        Some(path) => std::fs::read(path).unwrap(),
        None => hello(),
    };
    let fresh = world.push(&guest, |_| {});
    let pooled = world.push(&guest, |process| process.reuse = Some(ReusePolicy::Pool));
    let start = Instant::now();
    world.get(&fresh, "/").await.unwrap();
    println!("fetch, compile, map, answer   {:>8.2} ms", start.elapsed().as_secs_f64() * 1e3);
    println!("fresh instance per request    {:>8.0} requests/s", rate(&world, &fresh).await);
    println!("warm instances                {:>8.0} requests/s", rate(&world, &pooled).await);
}
