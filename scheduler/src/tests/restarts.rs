//! Restarts of instances, of workers, of the scheduler itself; reports that should not be.

use super::world::{World, all_running, work};
use std::time::Duration;
use virga_contract::scheduling::Scheduler as _;
use virga_model::{InstanceGuid, state::InstanceState};
use virga_store::testing::TestStore;

#[tokio::test]
async fn a_restart_of_the_scheduler_restarts_nothing() {
    restart_nothing(World::with_workers(2).await).await;
}

#[tokio::test]
async fn nor_does_it_over_postgresql() {
    // Where the environment names no server there is nothing to check.
    let Some(test) = TestStore::postgres().await else { return };
    let test = restart_nothing(World::over(test, 2).await).await;
    test.close().await;
}

async fn restart_nothing(mut world: World) -> TestStore {
    let mut workers = [world.worker(0), world.worker(1)];
    let (app, process) = world.app("hello", 3).await;
    let before = work(&world, &mut workers, process, all_running(3)).await;
    let revision = workers[0].snapshot().revision;
    let told = world.said("CELL").len();
    world.rows(process, |rows| rows.iter().all(|row| row.state == InstanceState::Running)).await;
    // Set without a restart: running instances must not see it, whoever restarts.
    world.change_app(app, |row| drop(row.environment.insert("COLOUR".into(), "red".into()))).await;

    world.restart().await;
    workers.iter_mut().for_each(|worker| worker.reconnect(&world));
    workers[0].apply(|snapshot| snapshot.revision > revision).await;
    assert!(workers[0].instances(process).iter().all(|instance| instance.routable), "requests go on meanwhile");
    assert_eq!(workers[0].process(process).unwrap().environment["COLOUR"], "blue");
    let after = work(&world, &mut workers, process, all_running(3)).await;
    let guids = |stats: &[virga_contract::scheduling::InstanceStats]| stats.iter().map(|one| one.instance).collect::<Vec<_>>();
    assert_eq!(guids(&after), guids(&before));
    assert_eq!(after[0].since, before[0].since);
    assert_eq!(world.said("CELL").len(), told);

    // Crashes and their events are written alike on both databases.
    workers.iter_mut().for_each(|worker| worker.sick = Some((process, "trap".into())));
    work(&world, &mut workers, process, |stats| stats.iter().all(|one| one.state == InstanceState::Crashed)).await;
    world.rows(process, |rows| rows.len() == 3 && rows.iter().all(|row| row.crash_count == 3)).await;
    world.end().await;
    world.test
}

#[tokio::test]
async fn a_new_version_replaces_the_instances_and_brings_the_new_environment() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, process) = world.app("hello", 2).await;
    let before = work(&world, &mut workers, process, all_running(2)).await;
    world.change_app(app, |row| drop(row.environment.insert("COLOUR".into(), "red".into()))).await;
    world.change_process(process, |row| row.version = "v2".into()).await;
    workers[0].apply(|snapshot| snapshot.processes[0].version == "v2").await;
    let cell = workers[0].process(process).unwrap();
    assert_eq!(cell.environment["COLOUR"], "red");
    assert!(cell.instances.iter().all(|instance| !instance.routable && !before.iter().any(|old| old.instance == Some(instance.guid))));
    work(&world, &mut workers, process, all_running(2)).await;
    world.end().await;
}

#[tokio::test]
async fn one_instance_can_be_restarted_under_its_index() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (_, process) = world.app("hello", 2).await;
    let before = work(&world, &mut workers, process, all_running(2)).await;
    assert!(world.handle.restart_instance(process, 1).await.unwrap());
    assert!(!world.handle.restart_instance(process, 2).await.unwrap());
    let after = work(&world, &mut workers, process, |stats| all_running(2)(stats) && stats[1].instance != before[1].instance).await;
    assert_eq!(after[0].instance, before[0].instance);
    world.end().await;
}

#[tokio::test]
async fn late_repeated_and_foreign_reports_change_nothing() {
    let world = World::with_workers(2).await;
    let mut workers = [world.worker(0), world.worker(1)];
    let (_, process) = world.app("hello", 1).await;
    let before = work(&world, &mut workers, process, all_running(1)).await;
    let guid = before[0].instance.unwrap();
    let prober = workers[0].instances(process)[0].probe_worker;
    let other = workers.iter().find(|worker| worker.index != prober).unwrap();
    let crashed = |instance| other.about(process, instance, Some(InstanceState::Crashed), Some("no".into()));
    // Not its prober; never heard of; repeated.
    for _ in 0..3 {
        other.send(vec![crashed(guid), crashed(InstanceGuid::random())]);
    }
    // A prober that came back and probes anew.
    let own = workers.iter().find(|worker| worker.index == prober).unwrap();
    own.send(vec![own.about(process, guid, Some(InstanceState::Starting), Some("probing".into()))]);
    let after = work(&world, &mut workers, process, all_running(1)).await;
    assert_eq!((after[0].instance, after[0].since), (before[0].instance, before[0].since));
    assert!(world.said("API").is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_worker_that_is_away_is_not_waited_for_and_its_probes_move() {
    let world = World::with_workers(2).await;
    let mut workers = vec![world.worker(0), world.worker(1)];
    let (_, process) = world.app("hello", 8).await;
    work(&world, &mut workers, process, all_running(8)).await;
    let of_one = workers[0].instances(process).iter().filter(|instance| instance.probe_worker == 1).count();
    assert!((1..8).contains(&of_one), "both probe: {of_one}");

    workers.pop();
    world.clock.advance(Duration::from_secs(6));
    world.change_process(process, |row| row.instances = 9).await;
    work(&world, &mut workers, process, all_running(9)).await;
    if !workers[0].instances(process).iter().all(|instance| instance.probe_worker == 0) {
        workers[0].apply(|snapshot| snapshot.processes[0].instances.iter().all(|instance| instance.probe_worker == 0)).await;
    }
    world.end().await;
}
