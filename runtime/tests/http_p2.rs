//! wasi:http 0.2 guests: answers, reuse, limits, and neighbours that feel nothing of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use http_body_util::BodyExt as _;
use std::time::{Duration, Instant};
use support::{World, guest, hello, hello_with, limits};
use virga_contract::{
    body,
    cell::{Cell as _, CellError, ServedBy},
    limits::CellLimits,
};
use virga_model::{process::ReusePolicy, state::InstanceState};

#[tokio::test]
async fn a_component_answers_logs_and_knows_its_instance() {
    let world = World::new(limits());
    let app = world.push(&hello(), |_| {});
    assert_eq!(world.get(&app, "/").await.unwrap(), (200, "Hello from Virga\n".into()));
    assert_eq!(world.get(&app, "/nowhere").await.unwrap().0, 404);
    assert!(world.lines.contain("[APP/PROC/WEB] GET /nowhere"));

    let environment = world.get(&app, "/env").await.unwrap().1;
    let guid = app.endpoint.instance.to_string();
    for line in
        ["PORT=8080", "CF_INSTANCE_INDEX=0", &format!("CF_INSTANCE_GUID={guid}"), "FROM_BUILDPACK=yes", "BOTH=app", "MEMORY_LIMIT=64m"]
    {
        assert!(environment.lines().any(|have| have == line), "{line} is not in:\n{environment}");
    }
    assert!(environment.contains("\"instance_index\":0") && environment.contains("\"name\":\"app\""));
    assert_eq!(world.host.in_flight(app.endpoint.instance), 0);
    let usage = world.host.reports()[0].usage;
    assert_eq!((usage.requests, usage.wasm_instances), (3, 0));
    // None of the three is left, and what the app needs to serve them is told all the same: 4 pages, and a little for tables.
    assert!((4 << 16..5 << 16).contains(&usage.memory_bytes), "{} bytes", usage.memory_bytes);
    assert!(usage.cpu_ns > 0);
}

#[tokio::test]
async fn a_droplet_that_hides_what_it_asks_for_is_not_started() {
    let world = World::new(limits());
    let app = world.push_unlisted(&hello());
    let refused = world.get(&app, "/").await.unwrap_err();
    assert!(matches!(&refused, CellError::Load(reason) if reason.contains("which its droplet.json does not list")), "{refused}");
}

#[tokio::test]
async fn the_reuse_policy_decides_what_a_guest_remembers() {
    let world = World::new(CellLimits { pooled_requests: 1_000, ..limits() });
    let fresh = world.push(&hello(), |_| {});
    let pooled = world.push(&hello(), |process| process.reuse = Some(ReusePolicy::Pool));
    for turn in 1..=3_000_u32 {
        assert_eq!(world.get(&fresh, "/count").await.unwrap().1, "1\n");
        // A new wasm instance after 1,000 requests.
        assert_eq!(world.get(&pooled, "/count").await.unwrap().1, format!("{}\n", (turn - 1) % 1_000 + 1));
    }
    assert_eq!(world.control.compiled.load(std::sync::atomic::Ordering::Relaxed), 1, "both apps run the same code");
    let cold =
        |app: &support::App| world.host.reports().iter().find(|report| report.instance == app.endpoint.instance).unwrap().usage.cold_starts;
    // Either app may have been the one that mapped the code they share.
    assert_eq!(cold(&fresh) + cold(&pooled), 4);
}

#[tokio::test]
async fn an_endless_loop_ends_at_its_cpu_time_and_neighbours_are_served_meanwhile() {
    let world = World::new(CellLimits { request_cpu_ms: 300, ..limits() });
    let spinner = world.push(&guest("(loop $for-ever (br $for-ever)) unreachable"), |_| {});
    let neighbour = world.push(&hello(), |_| {});
    world.get(&neighbour, "/").await.unwrap();
    let spinning = world.get(&spinner, "/");
    let served = async {
        let start = Instant::now();
        let mut slowest = Duration::ZERO;
        let mut served = 0;
        while start.elapsed() < Duration::from_millis(250) {
            let sent = Instant::now();
            world.get(&neighbour, "/").await.unwrap();
            slowest = slowest.max(sent.elapsed());
            served += 1;
            tokio::task::yield_now().await;
        }
        (served, slowest)
    };
    let (spun, (served, slowest)) = tokio::join!(spinning, served);
    assert!(matches!(spun, Err(CellError::Limit { limit: "request_cpu_ms", is_time: true })), "{spun:?}");
    assert!(world.lines.contain("[CELL] request ended: the app exceeded its limit request_cpu_ms (300 ms of CPU time)"));
    assert!(served >= 10, "the neighbour was served {served} times");
    assert!(slowest < Duration::from_millis(100), "the neighbour waited {slowest:?}");
}

#[tokio::test]
async fn a_memory_bomb_meets_its_limit_and_only_its_own() {
    let world = World::new(limits());
    let bomb = "(loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";
    let app = world.push(&guest(bomb), |_| {});
    let neighbour = world.push(&hello(), |_| {});
    let failed = world.get(&app, "/").await;
    assert!(matches!(failed, Err(CellError::Limit { limit: "memory", is_time: false })), "{failed:?}");
    assert!(world.lines.contain("exceeded its limit memory (64 MB of memory)"));
    assert_eq!(world.get(&neighbour, "/").await.unwrap().0, 200);
    let held = world.host.reports().iter().map(|report| report.usage.memory_bytes).max();
    assert!(held.is_some_and(|held| held > 60 << 20 && held <= 64 << 20), "{held:?} bytes of 64 MB");
}

#[tokio::test]
async fn a_trap_costs_one_request_and_one_wasm_instance() {
    let world = World::new(limits());
    let app = world.push(&hello(), |process| process.reuse = Some(ReusePolicy::Pool));
    assert_eq!(world.get(&app, "/count").await.unwrap().1, "1\n");
    let failed = world.get(&app, "/exit").await;
    assert!(matches!(&failed, Err(CellError::Guest(reason)) if reason.contains("unreachable")), "{failed:?}");
    assert!(world.lines.contain("[CELL] the app failed: wasm trap: wasm `unreachable` instruction executed"), "{:?}", world.lines.all());
    assert_eq!(world.get(&app, "/count").await.unwrap().1, "1\n", "the broken wasm instance was used again");
}

#[tokio::test]
async fn a_trap_after_the_head_breaks_the_body_off() {
    let world = World::new(limits());
    let app = world.push(&hello_with("(call $finish-body (local.get $body)", "unreachable (call $finish-body (local.get $body)"), |_| {});
    let failed = world.get(&app, "/").await;
    assert!(matches!(&failed, Err(CellError::Guest(reason)) if reason.contains("body: the app broke off its answer")), "{failed:?}");
}

#[tokio::test]
async fn an_endless_answer_waits_for_its_reader_and_ends_at_its_wall_time() {
    let world = World::new(CellLimits { request_wall_ms: 200, host_buffer_bytes: 64 << 10, ..limits() });
    let endless = hello_with(
        "(call $flush (i32.load (i32.const 4100)))",
        "(loop $for-ever (call $write (i32.load (i32.const 4100)) (i32.const 65536) (i32.const 4096) (i32.const 4120)) (br $for-ever))",
    );
    let app = world.push(&endless, |_| {});
    let request = http::Request::get("/").header("host", "a").body(body::empty()).unwrap();
    let mut answer = world.send(&app, request).await.unwrap().into_body();
    for _ in 0..3 {
        assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap().len(), 4096);
    }
    assert_eq!(world.host.in_flight(app.endpoint.instance), 1);
    let held = world.host.reports()[0].usage.memory_bytes;
    assert!(held <= 1 << 20, "{held} bytes held for a reader that does not read");
    world.host.drain().await;
    assert!(world.lines.contain("exceeded its limit request_wall_ms (200 ms from start to end)"));
    assert_eq!(world.host.in_flight(app.endpoint.instance), 0);
    let end = answer.collect().await;
    assert!(end.is_err(), "the body looked complete");
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_the_guest() {
    let world = World::new(limits());
    let endless = hello_with(
        "(call $flush (i32.load (i32.const 4100)))",
        "(loop $for-ever
           (call $write (i32.load (i32.const 4100)) (i32.const 65536) (i32.const 4096) (i32.const 4120))
           (br_if $for-ever (i32.eqz (i32.load8_u (i32.const 4120)))))",
    );
    let app = world.push(&endless, |_| {});
    let request = http::Request::get("/").header("host", "a").body(body::empty()).unwrap();
    drop(world.send(&app, request).await.unwrap());
    tokio::time::timeout(Duration::from_secs(5), world.host.drain()).await.expect("the guest went on writing to nobody");
}

#[tokio::test]
async fn a_flood_of_output_is_cut_and_named() {
    let world = World::new(limits());
    let flood = "(local $left i32) (local.set $left (i32.const 20000))
      (loop $more
        (call $say (i32.const 128) (i32.const 17)) (call $flush (call $get-stdout))
        (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (i32.const 200)";
    let app = world.push(&guest(flood), |process| process.log_rate_limit_bytes_per_second = 1_000);
    assert_eq!(world.get(&app, "/").await.unwrap().0, 200);
    assert!(world.lines.contain("[APP/PROC/WEB] app instance exceeded log rate limit (1000 bytes/sec)"));
    assert!(world.lines.all().len() < 1_000, "{} lines came through", world.lines.all().len());
}

#[tokio::test]
async fn past_capacity_requests_wait_a_moment_and_are_then_told_when_to_come_again() {
    let world = World::new(CellLimits { wasm_instances_per_app_instance: 1, queue_wait_ms: 50, request_cpu_ms: 400, ..limits() });
    let app = world.push(&guest("(loop $for-ever (br $for-ever)) unreachable"), |_| {});
    let (first, second) = tokio::join!(world.get(&app, "/"), world.get(&app, "/"));
    assert!(matches!(first, Err(CellError::Limit { .. })), "{first:?}");
    let limit = "wasm_instances_per_app_instance";
    assert!(matches!(second, Err(CellError::Overloaded { limit: named, retry_after_seconds: 1 }) if named == limit), "{second:?}");
}

#[tokio::test]
async fn where_memory_is_used_up_requests_wait_for_one_another() {
    let world = World::new(CellLimits { request_cpu_ms: 5_000, queue_wait_ms: 60_000, ..limits() });
    // Of 64 MB two of them fit: one that has its 24 MB from the start, one that takes them and then works, one that works first.
    let work = "(local.set $left (i32.const 40000000))
      (loop $work (br_if $work (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))";
    let grow = "(if (i32.lt_u (memory.size) (i32.const 300))
      (then (if (i32.eq (i32.const -1) (memory.grow (i32.const 380))) (then unreachable))))";
    let answer =
        |body: [&str; 2]| guest(&format!("(local $left i32) {} (call $say (i32.const 128) (i32.const 17)) (i32.const 200)", body.concat()));
    let born = hello_with("(memory (export \"memory\") 4)", "(memory (export \"memory\") 400)");
    let world = &world;
    for (kind, component) in [("born", born), ("grows first", answer([grow, work])), ("works first", answer([work, grow]))] {
        for reuse in [ReusePolicy::Request, ReusePolicy::Pool] {
            let app = &world.push(&component, |process| process.reuse = Some(reuse));
            let answers = futures::future::join_all((0..12).map(|_| world.get(app, "/"))).await;
            assert!(answers.iter().all(|answer| matches!(answer, Ok((200, _)))), "{kind}, {reuse:?}: {answers:?}");
        }
    }
}

#[tokio::test]
async fn where_memory_stays_used_up_the_wait_ends_and_the_worker_goes_on() {
    let world = World::new(CellLimits { request_cpu_ms: 500, queue_wait_ms: 50, ..limits() });
    // Takes 25 of 64 MB and never answers: two fit, and nobody makes room while others wait for it.
    let sample = include_str!("../../tests/apps/wat-hello/app.wat");
    let greedy = sample
        .replace("(memory (export \"memory\") 4)", "(memory (export \"memory\") 400)")
        .replace("(call $say (i32.const 128) (i32.const 17))", "(loop $for-ever (br $for-ever))");
    let app = &world.push(&wat::parse_str(greedy).unwrap(), |process| process.reuse = Some(ReusePolicy::Request));
    let world = &world;
    let answers = futures::future::join_all((0..8).map(|_| world.get(app, "/"))).await;
    let ended = answers.iter().filter(|answer| matches!(answer, Err(CellError::Limit { limit: "request_cpu_ms", .. }))).count();
    let refused = answers.iter().filter(|answer| matches!(answer, Err(CellError::Overloaded { limit: "memory", .. }))).count();
    assert_eq!((ended, refused), (2, 6), "{answers:?}");
}

#[tokio::test]
async fn a_worker_that_is_full_says_when_to_come_again() {
    let world = World::new(CellLimits { total_wasm_instances: 1, ..limits() });
    let first = world.push(&hello(), |process| process.reuse = Some(ReusePolicy::Pool));
    let second = world.push(&hello(), |_| {});
    assert_eq!(world.get(&first, "/").await.unwrap().0, 200);
    let refused = world.get(&second, "/").await;
    let limit = "total_wasm_instances";
    assert!(matches!(refused, Err(CellError::Overloaded { limit: named, retry_after_seconds: 1 }) if named == limit), "{refused:?}");
}

#[tokio::test]
async fn health_tells_what_is_wrong_with_an_app() {
    let world = World::new(limits());
    let healthy = world.push(&hello(), |_| {});
    assert_eq!(world.settled(&healthy).await.0, InstanceState::Running);

    let unfit = world.push(&hello_with("wasi:cli/stdout@0.2.0", "acme:rockets/launch@1.0.0"), |_| {});
    let (state, details) = world.settled(&unfit).await;
    assert_eq!(state, InstanceState::Crashed);
    assert!(details.contains("acme:rockets/launch@1.0.0"), "{details}");
    assert!(world.lines.contain("acme:rockets/launch@1.0.0"));

    let sick = world.push(&guest("(i32.const 500)"), |process| {
        process.health_check.kind = virga_model::process::HealthCheckType::Http;
        process.health_check.endpoint = Some("/health".into());
        process.health_check.timeout_seconds = Some(1);
    });
    let (state, details) = world.settled(&sick).await;
    assert_eq!(
        (state, details.as_str()),
        (InstanceState::Crashed, "Instance never healthy after 1s: GET /health answered 500 instead of 200")
    );
}

#[tokio::test]
async fn an_instance_taken_away_is_gone_and_a_foreign_snapshot_changes_nothing() {
    // No beat falls into the request: a guest that is interrupted after its answer's head goes out in chunks.
    let world = World::new(CellLimits { epoch_beat_ms: 60_000, ..limits() });
    let app = world.push(&hello(), |process| process.reuse = Some(ReusePolicy::Pool));
    let request = http::Request::get("/").header("host", "a").body(body::empty()).unwrap();
    let answer = world.send(&app, request).await.unwrap();
    assert!(answer.extensions().get::<ServedBy>().unwrap().cold);
    assert_eq!(http_body::Body::size_hint(answer.body()).exact(), Some(17), "a short answer goes out with its length");
    let mut foreign = virga_contract::cell::CellSnapshot { store_id: "another".into(), revision: 99, ..Default::default() };
    assert!(world.host.apply(&foreign).is_err());
    assert_eq!(world.get(&app, "/").await.unwrap().0, 200);
    foreign.store_id = "store".into();
    world.host.apply(&foreign).unwrap();
    assert!(matches!(world.get(&app, "/").await, Err(CellError::Gone)));
}
