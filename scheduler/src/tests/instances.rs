//! Starting, scaling, stopping, crashing.

use super::world::{World, all_running, work};
use std::{sync::Arc, time::Duration};
use virga_contract::{
    cell::InstanceUsage,
    logs::Message,
    scheduling::{InstanceStats, Scheduler as _},
};
use virga_model::state::{AppState, InstanceState};
use virga_store::{
    audit_events::{self, EventFilter},
    select::{Listing, Visible},
};

fn states(stats: &[InstanceStats]) -> Vec<InstanceState> {
    stats.iter().map(|instance| instance.state).collect()
}

#[tokio::test]
async fn running_means_that_every_router_sends_requests() {
    let world = World::with_workers(2).await;
    let (mut one, mut two) = (world.worker(0), world.worker(1));
    let (_, process) = world.app("hello", 1).await;
    for worker in [&mut one, &mut two] {
        worker.apply(|snapshot| snapshot.processes.len() == 1).await;
        worker.report();
    }
    let started = one.instances(process);
    assert!(started.len() == 1 && !started[0].routable);
    let route = &one.snapshot().routes[0];
    assert_eq!((route.host.as_str(), route.destinations[0].process), ("hello.apps.example.com", process));

    // Healthy: the next snapshot routes to it, but only one worker has applied that.
    one.apply(|snapshot| snapshot.processes[0].instances[0].routable).await;
    one.report();
    let stats = world.until(process, |stats| stats.len() == 1).await;
    assert_eq!((stats[0].state, stats[0].routable), (InstanceState::Starting, false));

    two.catch_up().await;
    two.report();
    let stats = world.until(process, all_running(1)).await;
    assert_eq!(stats[0].instance, Some(started[0].guid));
    let rows = world.rows(process, |rows| rows.iter().all(|row| row.state == InstanceState::Running)).await;
    assert_eq!((rows[0].guid, rows[0].cell.as_str()), (started[0].guid, "cell-0"));
    assert!(world.said("CELL").iter().any(|line| line == "Container became healthy"));
    world.end().await;
}

#[tokio::test]
async fn a_snapshot_says_all_that_a_cell_needs() {
    let world = World::with_workers(1).await;
    let mut worker = world.worker(0);
    let (app, process) = world.app("hello", 1).await;
    worker.apply(|snapshot| snapshot.processes.len() == 1).await;
    let cell = worker.process(process).unwrap();
    assert_eq!((cell.app, cell.command.as_deref(), cell.memory_mb, cell.disk_mb), (app, Some("start"), 64, 128));
    assert_eq!((cell.environment["COLOUR"].as_str(), cell.environment["MEMORY_LIMIT"].as_str()), ("blue", "64m"));
    assert!(cell.environment["VCAP_APPLICATION"].contains("hello.apps.example.com"));
    assert_eq!(worker.snapshot().store_id, world.test.store.store_id());
    assert!(cell.egress.is_empty(), "no security group allows anything yet");
    world.end().await;
}

#[tokio::test]
async fn scaling_in_takes_the_highest_index_and_its_route_first() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (_, process) = world.app("hello", 3).await;
    let before = work(&world, &mut workers, process, all_running(3)).await;
    world.change_process(process, |row| row.instances = 2).await;

    let [worker] = &mut workers;
    worker.apply(|snapshot| !snapshot.processes[0].instances[2].routable).await;
    assert_eq!(worker.instances(process).len(), 3, "the instance stays while a router may still know it");
    worker.report();
    worker.apply(|snapshot| snapshot.processes[0].instances.len() == 2).await;
    let after = world.until(process, all_running(2)).await;
    assert_eq!(after[1].instance, before[1].instance);
    world.rows(process, |rows| rows.len() == 2).await;
    world.end().await;
}

#[tokio::test]
async fn a_stopped_app_loses_its_routes_then_its_instances() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, process) = world.app("hello", 2).await;
    work(&world, &mut workers, process, all_running(2)).await;
    world.change_app(app, |row| row.state = AppState::Stopped).await;
    let [worker] = &mut workers;
    worker.apply(|snapshot| snapshot.routes.is_empty()).await;
    assert!(worker.instances(process).iter().all(|instance| !instance.routable));
    worker.report();
    worker.apply(|snapshot| snapshot.processes.is_empty()).await;
    let stats = world.stats(process).await;
    assert_eq!(states(&stats), [InstanceState::Down; 2], "one filler for each desired index");
    world.rows(process, <[_]>::is_empty).await;
    world.end().await;
}

#[tokio::test]
async fn crashes_are_told_and_back_off() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, process) = world.app("hello", 1).await;
    workers[0].sick = Some((process, "APP/PROC/WEB: Exited with status 137 (out of memory)".into()));
    let stats = work(&world, &mut workers, process, |stats| stats[0].state == InstanceState::Crashed).await;
    let third = stats[0].instance;
    assert!(stats[0].details.as_deref().unwrap().contains("out of memory"));
    let rows = world.rows(process, |rows| rows[0].state == InstanceState::Crashed).await;
    let wait = rows[0].restart_at.unwrap().duration_since(rows[0].since).as_secs();
    assert_eq!((rows[0].crash_count, wait), (3, 30));
    assert!(workers[0].snapshot().processes[0].instances.len() <= 1);

    let crashes = world.said("API").iter().filter(|line| *line == r#"Process has crashed with type: "web""#).count();
    assert_eq!(crashes, 3);
    let filter = EventFilter { targets: Some(vec![app.to_string()]), ..EventFilter::default() };
    let mut db = world.test.store.read().await.unwrap();
    let events = audit_events::list(&mut db, &filter, Visible::All, &Listing::everything()).await.unwrap();
    assert_eq!(events.rows.iter().filter(|event| event.kind == "app.crash").count(), 3);
    let audit = events.rows.iter().find(|event| event.kind == "audit.app.process.crash").unwrap();
    assert_eq!((audit.data["exit_status"].as_i64(), audit.actor.name.as_str()), (Some(137), "web"));

    workers[0].sick = None;
    world.clock.advance(Duration::from_secs(29));
    world.handle.nudge();
    let (_, other) = world.app("other", 1).await;
    work(&world, &mut workers, other, all_running(1)).await;
    assert_eq!(world.stats(process).await[0].instance, third, "not before its time");
    world.clock.advance(Duration::from_secs(2));
    world.handle.nudge();
    let stats = work(&world, &mut workers, process, all_running(1)).await;
    assert_ne!(stats[0].instance, third);

    // It had run for more than five minutes: its next crash is the first again.
    world.clock.advance(Duration::from_secs(301));
    workers[0].sick = Some((process, "trap".into()));
    workers[0].report();
    let rows = world.rows(process, |rows| rows[0].crash_count == 1).await;
    assert_ne!(Some(rows[0].guid), stats[0].instance);
    world.end().await;
}

#[tokio::test]
async fn a_change_rebuilds_nothing_but_what_it_touches() {
    let world = World::with_workers(1).await;
    let mut worker = world.worker(0);
    let mut db = world.begin().await;
    for number in 0..300 {
        world.insert_app(&mut db, &format!("app-{number}"), 1).await;
    }
    db.commit().await.unwrap();
    let (_, process) = world.app("last", 1).await;
    worker.apply(|snapshot| snapshot.processes.len() == 301).await;
    let before = worker.snapshot().processes.clone();
    world.change_process(process, |row| row.instances = 2).await;
    worker.apply(|snapshot| snapshot.processes.iter().any(|known| known.instances.len() == 2)).await;
    let same = before.iter().zip(&worker.snapshot().processes).filter(|(old, new)| Arc::ptr_eq(old, new)).count();
    assert_eq!(same, 300);
    world.end().await;
}

#[tokio::test]
async fn use_is_said_when_it_changes_and_an_idle_app_says_nothing() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (_, process) = world.app("hello", 1).await;
    let stats = work(&world, &mut workers, process, all_running(1)).await;
    let guid = stats[0].instance.unwrap();
    let [worker] = &workers;
    let mut report = worker.about(process, guid, None, None);
    report.usage = InstanceUsage { cpu_ns: 5, memory_bytes: 4096, ..InstanceUsage::default() };
    for _ in 0..3 {
        worker.send(vec![report.clone()]);
    }
    let memory = |envelope: &virga_contract::logs::Envelope| match &envelope.message {
        Message::Gauge(metrics) => metrics["memory"].value,
        _ => 0.0,
    };
    // The gauge comes with the scheduler's own tick.
    let told = async {
        while !world.gauges().iter().any(|envelope| memory(envelope) == 4096.0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    let stats = world.until(process, |stats| stats[0].usage.is_some_and(|usage| usage.memory_bytes == 4096)).await;
    assert_eq!(stats[0].usage.unwrap().cpu_ns, 5);
    assert_eq!(world.gauges().iter().filter(|envelope| memory(envelope) == 4096.0).count(), 1);
    world.end().await;
}

/// Run by hand: `cargo test -p virga-scheduler --lib -- --ignored --nocapture one_change_among`.
#[tokio::test]
#[ignore = "a measurement, not a check"]
async fn one_change_among_ten_thousand_apps() {
    let world = World::with_workers(1).await;
    let mut worker = world.worker(0);
    let mut db = world.begin().await;
    for number in 0..10_000 {
        world.insert_app(&mut db, &format!("app-{number}"), 1).await;
    }
    db.commit().await.unwrap();
    let (_, process) = world.app("last", 1).await;
    let began = std::time::Instant::now();
    worker.apply(|snapshot| snapshot.processes.len() == 10_001).await;
    println!("first snapshot of 10,001 apps: {:?}", began.elapsed());
    // The first look afterwards still sees all as just changed.
    world.clock.advance(Duration::from_secs(120));
    for instances in 2..6 {
        let began = std::time::Instant::now();
        world.change_process(process, |row| row.instances = instances).await;
        let wanted = usize::try_from(instances).unwrap();
        worker.apply(|snapshot| snapshot.processes.iter().any(|known| known.instances.len() == wanted)).await;
        println!("one change: {:?}", began.elapsed());
    }
    world.end().await;
}

#[tokio::test]
async fn readiness_that_changes_is_an_event_and_takes_the_route() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, process) = world.app("hello", 1).await;
    work(&world, &mut workers, process, all_running(1)).await;
    let instance = workers[0].instances(process)[0].guid;
    let mut report = workers[0].about(process, instance, Some(InstanceState::Running), None);
    report.ready = false;
    workers[0].send(vec![report]);
    let stats = world.until(process, |stats| !stats[0].routable).await;
    assert_eq!(stats[0].state, InstanceState::Running, "alive, only not ready");
    work(&world, &mut workers, process, all_running(1)).await;
    let filter = EventFilter { targets: Some(vec![app.to_string()]), ..EventFilter::default() };
    let wait = async {
        loop {
            let mut db = world.test.store.read().await.unwrap();
            let events = audit_events::list(&mut db, &filter, Visible::All, &Listing::everything()).await.unwrap();
            if events.rows.len() == 2 {
                return events.rows.into_iter().map(|event| event.kind).collect::<std::collections::BTreeSet<_>>();
            }
            drop(db);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let kinds = tokio::time::timeout(Duration::from_secs(20), wait).await.expect("no events of readiness");
    assert!(kinds.contains("audit.app.process.not-ready") && kinds.contains("audit.app.process.ready"), "{kinds:?}");
    world.end().await;
}
