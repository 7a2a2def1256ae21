//! Tasks: given once, ended once, also over restarts.

use super::world::{Worker, World, epoch};
use std::{sync::Arc, time::Duration};
use virga_contract::{
    cell::{CellTask, TaskReport},
    scheduling::Scheduler as _,
};
use virga_model::{AppGuid, TaskGuid, state::TaskState};
use virga_store::{
    app_usage_events, apps,
    select::Listing,
    tasks::{self, TaskRow},
};

/// What the controller does for `POST /v3/apps/:guid/tasks`.
pub(super) async fn run_task(world: &World, app: AppGuid) -> TaskGuid {
    let mut db = world.begin().await;
    let droplet = apps::find(&mut db, app).await.unwrap().unwrap().droplet.unwrap();
    let row = TaskRow {
        guid: TaskGuid::random(),
        created_at: epoch(),
        updated_at: epoch(),
        app,
        sequence_id: tasks::next_sequence_id(&mut db, app).await.unwrap(),
        name: "migrate".into(),
        command: "migrate --all".into(),
        state: TaskState::Pending,
        memory_in_mb: 32,
        disk_in_mb: 64,
        log_rate_limit_in_bytes_per_second: -1,
        droplet,
        failure_reason: None,
        given: None,
        metadata: Default::default(),
    };
    tasks::insert(&mut db, &row).await.unwrap();
    db.commit().await.unwrap();
    world.handle.nudge();
    row.guid
}

async fn cancel(world: &World, task: TaskGuid) {
    loop {
        let mut db = world.begin().await;
        let mut row = tasks::find(&mut db, task).await.unwrap().unwrap();
        row.state = TaskState::Canceling;
        // The scheduler may just be giving it to a worker.
        if tasks::update(&mut db, &mut row, epoch()).await.is_ok() {
            db.commit().await.unwrap();
            break;
        }
    }
    world.handle.nudge();
}

/// The row, once it is in this state.
pub(super) async fn until(world: &World, task: TaskGuid, state: TaskState) -> TaskRow {
    let wait = async {
        loop {
            let row = tasks::find(&mut world.test.store.read().await.unwrap(), task).await.unwrap().unwrap();
            if row.state == state {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the task never came into this state")
}

pub(super) async fn given(worker: &mut Worker, task: TaskGuid) -> Arc<CellTask> {
    worker.apply(|snapshot| snapshot.tasks.iter().any(|given| given.task == task)).await;
    worker.report();
    worker.snapshot().tasks.iter().find(|given| given.task == task).unwrap().clone()
}

async fn forgotten(worker: &mut Worker, task: TaskGuid) {
    worker.apply_and_report(|snapshot| snapshot.tasks.iter().all(|given| given.task != task)).await;
}

fn say(worker: &mut Worker, task: TaskGuid, state: TaskState, reason: Option<&str>) {
    worker.tasks = vec![TaskReport { task, state, failure_reason: reason.map(str::to_owned) }];
    worker.report();
}

#[tokio::test]
async fn a_task_runs_on_one_worker_and_ends_as_that_worker_says() {
    let world = World::with_workers(2).await;
    let (app, _) = world.app("hello", 1).await;
    let task = run_task(&world, app).await;
    assert_eq!(until(&world, task, TaskState::Pending).await.given, None);
    let mut workers = [world.worker(0), world.worker(1)];
    for worker in &mut workers {
        worker.apply(|snapshot| !snapshot.processes.is_empty()).await;
        worker.report();
    }
    let row = until(&world, task, TaskState::Running).await;
    let cell = given(&mut workers[0], task).await;
    assert_eq!(row.given.map(|given| (given.worker, given.pid)), Some((cell.worker, cell.pid)));
    assert_eq!((cell.command.as_str(), cell.memory_mb), ("migrate --all", 32));
    assert_eq!(cell.environment["COLOUR"], "blue");
    assert_eq!(cell.environment["MEMORY_LIMIT"], "32m");
    assert!(!cell.environment["VCAP_APPLICATION"].contains("process_id"));

    let other = usize::from(cell.worker == 0);
    say(&mut workers[other], task, TaskState::Failed, Some("it is not mine"));
    let own = &mut workers[cell.worker as usize];
    say(own, task, TaskState::Running, None);
    say(own, task, TaskState::Succeeded, None);
    let row = until(&world, task, TaskState::Succeeded).await;
    assert_eq!((row.failure_reason, row.given), (None, None), "the environment is not kept");
    forgotten(&mut workers[0], task).await;

    let second = run_task(&world, app).await;
    let cell = given(&mut workers[0], second).await;
    say(&mut workers[cell.worker as usize], second, TaskState::Failed, Some("Exited with status 3"));
    assert_eq!(until(&world, second, TaskState::Failed).await.failure_reason.as_deref(), Some("Exited with status 3"));
    world.end().await;
}

#[tokio::test]
async fn a_cancelled_task_ends_once_its_worker_has_let_go_of_it() {
    let world = World::with_workers(1).await;
    let (app, _) = world.app("hello", 1).await;
    let pending = run_task(&world, app).await;
    cancel(&world, pending).await;
    let row = until(&world, pending, TaskState::Failed).await;
    assert_eq!(row.failure_reason.as_deref(), Some("task was cancelled"));

    let mut worker = world.worker(0);
    let running = run_task(&world, app).await;
    worker.apply(|snapshot| !snapshot.processes.is_empty()).await;
    worker.report();
    given(&mut worker, running).await;
    cancel(&world, running).await;
    worker.apply(|snapshot| snapshot.tasks.is_empty()).await;
    assert_eq!(until(&world, running, TaskState::Canceling).await.failure_reason, None, "the worker has not said that it applied it");
    worker.report();
    assert_eq!(until(&world, running, TaskState::Failed).await.failure_reason.as_deref(), Some("task was cancelled"));
    world.end().await;
}

#[tokio::test]
async fn tasks_outlive_the_scheduler_but_not_their_worker() {
    let mut world = World::with_workers(1).await;
    let (app, _) = world.app("hello", 1).await;
    let mut worker = world.worker(0);
    worker.apply(|snapshot| !snapshot.processes.is_empty()).await;
    worker.report();
    let (first, second) = (run_task(&world, app).await, run_task(&world, app).await);
    let before = (given(&mut worker, first).await, given(&mut worker, second).await);
    world.change_app(app, |row| row.environment.clear()).await;
    world.restart().await;
    worker.reconnect(&world);
    worker.forget();
    let after = (given(&mut worker, first).await, given(&mut worker, second).await);
    assert_eq!(before, after, "what was given stays as it was, whatever the app is now");
    say(&mut worker, first, TaskState::Succeeded, None);
    until(&world, first, TaskState::Succeeded).await;

    worker.pid += 1;
    worker.tasks.clear();
    worker.report();
    let row = until(&world, second, TaskState::Failed).await;
    assert!(row.failure_reason.unwrap().contains("is gone"));
    forgotten(&mut worker, second).await;
    world.end().await;
}

#[tokio::test]
async fn tasks_of_a_deleted_app_and_of_a_lost_droplet_end() {
    let world = World::with_workers(1).await;
    let (app, _) = world.app("hello", 1).await;
    let mut worker = world.worker(0);
    worker.apply(|snapshot| !snapshot.processes.is_empty()).await;
    worker.report();
    let running = run_task(&world, app).await;
    given(&mut worker, running).await;
    let mut db = world.begin().await;
    tasks::delete(&mut db, running).await.unwrap();
    db.commit().await.unwrap();
    world.handle.nudge();
    forgotten(&mut worker, running).await;

    let mut db = world.begin().await;
    let mut row = apps::find(&mut db, app).await.unwrap().unwrap();
    row.droplet = Some(virga_model::DropletGuid::random());
    apps::update(&mut db, &mut row, epoch()).await.unwrap();
    db.commit().await.unwrap();
    let lost = run_task(&world, app).await;
    let row = until(&world, lost, TaskState::Failed).await;
    assert!(row.failure_reason.unwrap().contains("no longer there"));
    world.end().await;
}

#[tokio::test]
async fn what_a_task_uses_is_written_at_its_start_and_at_its_end() {
    let world = World::with_workers(1).await;
    let (app, process) = world.app("hello", 2).await;
    let task = run_task(&world, app).await;
    let mut worker = world.worker(0);
    worker.apply(|snapshot| !snapshot.processes.is_empty()).await;
    worker.report();
    given(&mut worker, task).await;
    say(&mut worker, task, TaskState::Running, None);
    say(&mut worker, task, TaskState::Succeeded, None);
    until(&world, task, TaskState::Succeeded).await;
    let mut db = world.test.store.read().await.unwrap();
    let events = app_usage_events::list(&mut db, None, &Listing::everything()).await.unwrap().rows;
    drop(db);
    // The app was never noted by a controller, so the first look writes that it runs too.
    let said: Vec<_> = events.iter().map(|event| (event.state.as_str(), event.previous_state.as_deref())).collect();
    assert_eq!(said, [("STARTED", Some("STOPPED")), ("TASK_STARTED", Some("PENDING")), ("TASK_STOPPED", Some("RUNNING"))]);
    assert_eq!((events[0].process.0.clone(), events[0].instances.0), (Some(process.to_string()), 2));
    for event in &events[1..] {
        assert_eq!((event.task.clone(), event.memory_in_mb.0), ((Some(task.to_string()), Some("migrate".to_owned())), 32));
    }
    world.end().await;
}
