//! Rolling deployments.

use super::world::{Worker, World, all_running, droplet, epoch, web, work};
use std::time::Duration;
use virga_contract::scheduling::Scheduler as _;
use virga_model::{
    AppGuid, DeploymentGuid, ProcessGuid, RevisionGuid, Timestamp,
    state::{DeploymentState, DeploymentStrategy, InstanceState},
};
use virga_store::{
    apps,
    deployments::{self, DeploymentRow},
    droplets, processes,
    revisions::{self, RevisionRow},
};

/// What the controller does for `POST /v3/deployments`.
async fn deploy(world: &World, app: AppGuid, instances: u32) -> (DeploymentGuid, ProcessGuid) {
    deploy_with(world, app, instances, |_| {}).await
}

async fn deploy_with(
    world: &World,
    app: AppGuid,
    instances: u32,
    change: impl FnOnce(&mut DeploymentRow),
) -> (DeploymentGuid, ProcessGuid) {
    let mut db = world.begin().await;
    let mut row = apps::find(&mut db, app).await.unwrap().unwrap();
    let mut old = processes::find(&mut db, app.into()).await.unwrap().unwrap();
    let new_droplet = droplets_insert(&mut db, app).await;
    let later = Timestamp::from_second(epoch().as_second() + 1).unwrap();
    let mut new = web(ProcessGuid::random(), app, 0);
    (new.created_at, new.version, new.droplet) = (later, "v2".into(), Some(new_droplet));
    processes::insert(&mut db, &new).await.unwrap();
    old.droplet = row.droplet;
    processes::update(&mut db, &mut old, epoch()).await.unwrap();
    let mut deployment = DeploymentRow {
        guid: DeploymentGuid::random(),
        created_at: later,
        updated_at: later,
        app,
        state: DeploymentState::Deploying,
        strategy: DeploymentStrategy::Rolling,
        max_in_flight: 1,
        droplet: new_droplet,
        previous_droplet: row.droplet,
        old_web_process: old.guid,
        new_web_process: new.guid,
        original_instances: instances,
        asked: Default::default(),
        canary_steps: None,
        canary_step: None,
        revision: None,
        last_healthy_at: None,
        status_changed_at: later,
        error: None,
        metadata: Default::default(),
    };
    change(&mut deployment);
    deployments::insert(&mut db, &deployment).await.unwrap();
    row.droplet = Some(new_droplet);
    apps::update(&mut db, &mut row, later).await.unwrap();
    db.commit().await.unwrap();
    world.handle.nudge();
    (deployment.guid, new.guid)
}

async fn droplets_insert(db: &mut virga_store::Transaction, app: AppGuid) -> virga_model::DropletGuid {
    let droplet = droplet(app);
    droplets::insert(db, &droplet).await.unwrap();
    droplet.guid
}

async fn change(world: &World, deployment: DeploymentGuid, change: impl FnOnce(&mut DeploymentRow)) {
    let mut db = world.begin().await;
    let mut row = deployments::find(&mut db, deployment).await.unwrap().unwrap();
    change(&mut row);
    deployments::update(&mut db, &mut row, epoch()).await.unwrap();
    db.commit().await.unwrap();
    world.handle.nudge();
}

async fn instances_of(world: &World, process: ProcessGuid) -> u32 {
    let mut db = world.test.store.read().await.unwrap();
    processes::find(&mut db, process).await.unwrap().unwrap().instances
}

async fn state(world: &World, deployment: DeploymentGuid) -> DeploymentState {
    let mut db = world.test.store.read().await.unwrap();
    deployments::find(&mut db, deployment).await.unwrap().unwrap().state
}

/// Lets the workers work until the deployment is in this state; the fewest routable instances of the app on the way.
async fn until_state(world: &World, workers: &mut [Worker], deployment: DeploymentGuid, wanted: DeploymentState) -> usize {
    let mut fewest = usize::MAX;
    let wait = async {
        while state(world, deployment).await != wanted {
            for worker in &mut *workers {
                worker.catch_up().await;
                worker.report();
                let instances = worker.snapshot().processes.iter().flat_map(|process| &process.instances);
                fewest = fewest.min(instances.filter(|instance| instance.routable).count());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the deployment does not get on");
    fewest
}

#[tokio::test]
async fn a_rolling_deployment_never_serves_with_fewer_instances() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, old) = world.app("hello", 3).await;
    work(&world, &mut workers, old, all_running(3)).await;
    let (deployment, new) = deploy(&world, app, 3).await;
    let fewest = until_state(&world, &mut workers, deployment, DeploymentState::Deployed).await;
    assert!(fewest >= 3, "{fewest}");
    work(&world, &mut workers, new, all_running(3)).await;
    workers[0].apply_and_report(|snapshot| snapshot.processes.len() == 1).await;

    let rows = processes::list_of_app(&mut world.test.store.read().await.unwrap(), app).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].guid, rows[0].instances, rows[0].droplet), (new, 3, None));
    assert!(workers[0].snapshot().routes[0].destinations.iter().all(|destination| destination.process == new));
    world.end().await;
}

#[tokio::test]
async fn a_new_process_that_fails_takes_nothing_away_and_can_be_cancelled() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, old) = world.app("hello", 2).await;
    let before = work(&world, &mut workers, old, all_running(2)).await;
    let (deployment, new) = deploy(&world, app, 2).await;
    workers[0].sick = Some((new, "no such file".into()));
    work(&world, &mut workers, new, |stats| stats.len() == 1 && stats[0].details.is_some()).await;
    assert_eq!(state(&world, deployment).await, DeploymentState::Deploying);
    let during = work(&world, &mut workers, old, all_running(2)).await;
    assert_eq!(during[0].instance, before[0].instance);

    let mut db = world.begin().await;
    let mut row = deployments::find(&mut db, deployment).await.unwrap().unwrap();
    row.state = DeploymentState::Canceling;
    deployments::update(&mut db, &mut row, epoch()).await.unwrap();
    let mut app_row = apps::find(&mut db, app).await.unwrap().unwrap();
    app_row.droplet = row.previous_droplet;
    apps::update(&mut db, &mut app_row, epoch()).await.unwrap();
    db.commit().await.unwrap();
    world.handle.nudge();
    until_state(&world, &mut workers, deployment, DeploymentState::Canceled).await;
    let rows = processes::list_of_app(&mut world.test.store.read().await.unwrap(), app).await.unwrap();
    assert_eq!((rows.len(), rows[0].guid, rows[0].instances, rows[0].droplet), (1, old, 2, None));
    let after = work(&world, &mut workers, old, all_running(2)).await;
    assert_eq!(after[0].instance, before[0].instance);
    world.end().await;
}

#[tokio::test]
async fn a_canary_waits_at_each_step_and_goes_on_to_the_end() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, old) = world.app("hello", 4).await;
    work(&world, &mut workers, old, all_running(4)).await;
    let (deployment, new) = deploy_with(&world, app, 4, |row| {
        row.state = DeploymentState::Prepaused;
        row.strategy = DeploymentStrategy::Canary;
        row.canary_steps = Some(vec![25, 50]);
        row.canary_step = Some(1);
    })
    .await;
    let fewest = until_state(&world, &mut workers, deployment, DeploymentState::Paused).await;
    assert!(fewest >= 4, "{fewest}");
    assert_eq!((instances_of(&world, new).await, instances_of(&world, old).await), (1, 4));

    change(&world, deployment, |row| (row.state, row.canary_step) = (DeploymentState::Prepaused, Some(2))).await;
    until_state(&world, &mut workers, deployment, DeploymentState::Paused).await;
    assert_eq!((instances_of(&world, new).await, instances_of(&world, old).await), (2, 3));

    change(&world, deployment, |row| row.state = DeploymentState::Deploying).await;
    let fewest = until_state(&world, &mut workers, deployment, DeploymentState::Deployed).await;
    assert!(fewest >= 4, "{fewest}");
    work(&world, &mut workers, new, all_running(4)).await;
    let rows = processes::list_of_app(&mut world.test.store.read().await.unwrap(), app).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.guid).collect::<Vec<_>>(), [new]);
    world.end().await;
}

#[tokio::test]
async fn a_canary_that_is_cancelled_leaves_what_was() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, old) = world.app("hello", 2).await;
    let before = work(&world, &mut workers, old, all_running(2)).await;
    let (deployment, _) = deploy_with(&world, app, 2, |row| {
        row.state = DeploymentState::Prepaused;
        row.strategy = DeploymentStrategy::Canary;
        row.canary_step = Some(1);
        row.asked.instances = Some(5);
    })
    .await;
    until_state(&world, &mut workers, deployment, DeploymentState::Paused).await;
    change(&world, deployment, |row| row.state = DeploymentState::Canceling).await;
    let fewest = until_state(&world, &mut workers, deployment, DeploymentState::Canceled).await;
    assert!(fewest >= 2, "{fewest}");
    let rows = processes::list_of_app(&mut world.test.store.read().await.unwrap(), app).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.guid, row.instances)).collect::<Vec<_>>(), [(old, 2)]);
    let after = work(&world, &mut workers, old, all_running(2)).await;
    assert_eq!(after.iter().map(|one| one.instance).collect::<Vec<_>>(), before.iter().map(|one| one.instance).collect::<Vec<_>>());
    world.end().await;
}

#[tokio::test]
async fn a_deployment_over_a_broken_one_takes_no_instance_away_and_says_why_it_stands_still() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, old) = world.app("hello", 3).await;
    work(&world, &mut workers, old, all_running(3)).await;
    let (first, broken) = deploy(&world, app, 3).await;
    workers[0].sick = Some((broken, "no such file".into()));
    let wait = async {
        loop {
            workers[0].catch_up().await;
            workers[0].report();
            let row = deployments::find(&mut world.test.store.read().await.unwrap(), first).await.unwrap().unwrap();
            if row.error.is_some() {
                return row.error;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the deployment never says why");
    assert_eq!(error.as_deref(), Some("no such file"));

    change(&world, first, |row| row.state = DeploymentState::Superseded).await;
    let (second, new) = deploy_with(&world, app, 3, |row| row.old_web_process = old).await;
    let fewest = until_state(&world, &mut workers, second, DeploymentState::Deployed).await;
    assert!(fewest >= 3, "{fewest}");
    let rows = processes::list_of_app(&mut world.test.store.read().await.unwrap(), app).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.guid).collect::<Vec<_>>(), [new], "what the first one left is gone");
    world.end().await;
}

#[tokio::test]
async fn other_processes_go_on_as_the_revision_says_once_all_is_deployed() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, old) = world.app("hello", 1).await;
    let mut db = world.begin().await;
    let mut worker = web(ProcessGuid::random(), app, 0);
    (worker.process_type, worker.command) = ("worker".into(), Some("newer".into()));
    processes::insert(&mut db, &worker).await.unwrap();
    let droplet = apps::find(&mut db, app).await.unwrap().unwrap().droplet.unwrap();
    let revision = RevisionRow {
        guid: RevisionGuid::random(),
        created_at: epoch(),
        updated_at: epoch(),
        app,
        version: 3,
        droplet,
        environment: Default::default(),
        commands: [("web".to_owned(), None), ("worker".to_owned(), Some("older".to_owned()))].into(),
        description: "Rolled back to revision 1.".into(),
        metadata: Default::default(),
    };
    revisions::insert(&mut db, &revision).await.unwrap();
    db.commit().await.unwrap();
    work(&world, &mut workers, old, all_running(1)).await;
    let (deployment, _) = deploy_with(&world, app, 1, |row| row.revision = Some((revision.guid, 3))).await;
    until_state(&world, &mut workers, deployment, DeploymentState::Deployed).await;
    let after = processes::find(&mut world.test.store.read().await.unwrap(), worker.guid).await.unwrap().unwrap();
    assert_eq!((after.command.as_deref(), after.revision), (Some("older"), Some(revision.guid)));
    assert_ne!(after.version, worker.version, "its instances start anew");
    world.end().await;
}

#[tokio::test]
async fn a_cancelled_deployment_ends_even_if_what_was_before_does_not_serve() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, old) = world.app("hello", 2).await;
    work(&world, &mut workers, old, all_running(2)).await;
    let (deployment, new) = deploy_with(&world, app, 2, |row| {
        row.state = DeploymentState::Prepaused;
        row.strategy = DeploymentStrategy::Canary;
        row.canary_step = Some(1);
    })
    .await;
    until_state(&world, &mut workers, deployment, DeploymentState::Paused).await;
    work(&world, &mut workers, new, all_running(1)).await;
    workers[0].sick = Some((old, "gone bad".into()));
    work(&world, &mut workers, old, |stats| stats.iter().all(|instance| !instance.routable)).await;
    change(&world, deployment, |row| (row.state, row.status_changed_at) = (DeploymentState::Canceling, epoch())).await;
    world.clock.advance(Duration::from_secs(181));
    world.handle.nudge();
    until_state(&world, &mut workers, deployment, DeploymentState::Canceled).await;
    let rows = processes::list_of_app(&mut world.test.store.read().await.unwrap(), app).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.guid, row.instances)).collect::<Vec<_>>(), [(old, 2)]);
    world.end().await;
}

#[tokio::test]
async fn a_scheduler_that_starts_anew_goes_on_without_taking_anything_away() {
    let mut world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, old) = world.app("hello", 4).await;
    work(&world, &mut workers, old, all_running(4)).await;
    let (deployment, new) = deploy_with(&world, app, 4, |row| {
        row.state = DeploymentState::Prepaused;
        row.strategy = DeploymentStrategy::Canary;
        row.canary_steps = Some(vec![75]);
        row.canary_step = Some(1);
    })
    .await;
    until_state(&world, &mut workers, deployment, DeploymentState::Paused).await;
    world.rows(new, |rows| rows.len() == 3 && rows.iter().all(|row| row.state == InstanceState::Running)).await;
    world.end().await;
    let mut db = world.begin().await;
    let mut row = deployments::find(&mut db, deployment).await.unwrap().unwrap();
    row.state = DeploymentState::Deploying;
    deployments::update(&mut db, &mut row, epoch()).await.unwrap();
    db.commit().await.unwrap();
    world.restart().await;
    workers[0].reconnect(&world);
    let fewest = until_state(&world, &mut workers, deployment, DeploymentState::Deployed).await;
    assert!(fewest >= 4, "{fewest}");
    world.end().await;
}
