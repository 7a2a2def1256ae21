//! Bound services: what instances and tasks are given, and what of it the database holds.

use super::{
    tasks::{given, run_task, until},
    world::{World, all_running, work},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use virga_model::state::TaskState;
use virga_store::{apps::AppRow, scheduling, tasks, testing::TestStore};

fn credentials(environment: &BTreeMap<String, String>) -> Vec<Value> {
    let services: Value = serde_json::from_str(&environment["VCAP_SERVICES"]).unwrap();
    let bound = services["user-provided"].as_array().cloned().unwrap_or_default();
    bound.into_iter().map(|service| service["credentials"].clone()).collect()
}

async fn services_are_those_of_the_start(mut world: World) -> TestStore {
    let mut workers = [world.worker(0)];
    let (app, process) = world.app("hello", 1).await;
    work(&world, &mut workers, process, all_running(1)).await;
    assert_eq!(workers[0].process(process).unwrap().environment["VCAP_SERVICES"], "{}");
    let secret = json!({ "uri": "postgres://u:hunter2@h/d" });
    world.bind(app, "db", &secret.to_string()).await;
    // A task starts now, so it is given what is bound now; the instance was started before.
    let task = run_task(&world, app).await;
    let cell = given(&mut workers[0], task).await;
    assert_eq!(credentials(&cell.environment), std::slice::from_ref(&secret));
    assert_eq!(cell.environment["DATABASE_URL"], "postgres://u:hunter2@h/d");
    assert_eq!(workers[0].process(process).unwrap().environment["VCAP_SERVICES"], "{}");

    world.change_process(process, |row| row.version = "v2".into()).await;
    workers[0].apply_and_report(|snapshot| snapshot.processes[0].version == "v2").await;
    assert_eq!(credentials(&workers[0].process(process).unwrap().environment), std::slice::from_ref(&secret));
    let stats = work(&world, &mut workers, process, all_running(1)).await;

    // What a scheduler leaves to the next is read by it, and by nobody else.
    let mut db = world.test.store.read().await.unwrap();
    let pinned = scheduling::list_pinned(&mut db).await.unwrap();
    let row = tasks::find(&mut db, task).await.unwrap().unwrap();
    drop(db);
    let stored: Vec<String> = pinned.into_iter().map(|row| row.spec).chain(row.given.map(|given| given.spec)).collect();
    assert_eq!(stored.len(), 2);
    assert!(stored.iter().all(|spec| !spec.contains("hunter2") && !spec.contains("VCAP_SERVICES")), "{stored:?}");
    world.bind(app, "cache", "{}").await;
    world.restart().await;
    workers.iter_mut().for_each(|worker| worker.reconnect(&world));
    let after = work(&world, &mut workers, process, all_running(1)).await;
    assert_eq!(after[0].instance, stats[0].instance);
    assert_eq!(credentials(&workers[0].process(process).unwrap().environment), std::slice::from_ref(&secret));
    assert_eq!(credentials(&given(&mut workers[0], task).await.environment), std::slice::from_ref(&secret));
    world.end().await;
    world.test
}

#[tokio::test]
async fn apps_that_ask_for_it_are_given_their_services_in_a_file() {
    const ROOT: &str = "/etc/cf-service-bindings";
    let mut world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, process) = world.app("hello", 1).await;
    world.bind(app, "db", &json!({ "uri": "postgres://u:hunter2@h/d" }).to_string()).await;
    world.change_app(app, |row| row.features.extend([("file-based-vcap-services".to_owned(), true)])).await;
    work(&world, &mut workers, process, all_running(1)).await;
    let task = run_task(&world, app).await;
    let file = format!("{ROOT}/vcap_services");
    // Also by a scheduler that has it from the database.
    for _ in 0..2 {
        let cell = given(&mut workers[0], task).await;
        let told = workers[0].process(process).unwrap();
        for (environment, files) in [(&cell.environment, &cell.files), (&told.environment, &told.files)] {
            assert_eq!(environment.get("VCAP_SERVICES"), None);
            assert_eq!(environment["VCAP_SERVICES_FILE_PATH"], file);
            assert_eq!(files.keys().collect::<Vec<_>>(), [&file]);
            assert!(files[&file].contains("hunter2"), "{files:?}");
        }
        world.restart().await;
        workers.iter_mut().for_each(|worker| worker.reconnect(&world));
        work(&world, &mut workers, process, all_running(1)).await;
    }

    // A folder for each; a task whose app no longer fits says so and is not started.
    let features = |row: &mut AppRow| row.features = [("service-binding-k8s".to_owned(), true)].into();
    world.change_app(app, features).await;
    let task = run_task(&world, app).await;
    let cell = given(&mut workers[0], task).await;
    assert_eq!((cell.environment.get("VCAP_SERVICES"), cell.environment["SERVICE_BINDING_ROOT"].as_str()), (None, ROOT));
    assert_eq!(cell.files[&format!("{ROOT}/db/uri")], "postgres://u:hunter2@h/d");
    world.bind(app, "Two Words", "{}").await;
    let task = run_task(&world, app).await;
    let ended = until(&world, task, TaskState::Failed).await;
    assert!(ended.failure_reason.unwrap().starts_with("The binding name 'Two Words' cannot be that of a folder"));
    world.end().await;
    world.test.close().await;
}

#[tokio::test]
async fn instances_keep_the_services_of_their_start_and_tasks_get_those_of_theirs() {
    services_are_those_of_the_start(World::with_workers(1).await).await.close().await;
}

#[tokio::test]
async fn they_do_so_over_postgresql() {
    // Where the environment names no server there is nothing to check.
    let Some(test) = TestStore::postgres().await else { return };
    services_are_those_of_the_start(World::over(test, 1).await).await.close().await;
}

#[tokio::test]
async fn a_spec_that_an_earlier_release_wrote_is_taken_as_it_is() {
    let mut world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (app, process) = world.app("hello", 1).await;
    let before = work(&world, &mut workers, process, all_running(1)).await;
    world.end().await;
    let mut db = world.begin().await;
    let mut pinned = scheduling::list_pinned(&mut db).await.unwrap();
    let sealed = virga_store::Sealed::from_stored(pinned[0].spec.clone());
    pinned[0].spec = world.test.store.unseal(format!("desired_processes/{process}/spec"), &sealed).unwrap();
    assert!(pinned[0].spec.starts_with('{'));
    scheduling::write_pinned(&mut db, &pinned).await.unwrap();
    db.commit().await.unwrap();
    world.change_app(app, |row| drop(row.environment.insert("COLOUR".into(), "red".into()))).await;
    world.restart().await;
    workers.iter_mut().for_each(|worker| worker.reconnect(&world));
    let after = work(&world, &mut workers, process, all_running(1)).await;
    assert_eq!(after[0].instance, before[0].instance);
    assert_eq!(workers[0].process(process).unwrap().environment["COLOUR"], "blue");
    world.end().await;
}

#[tokio::test]
async fn an_app_whose_credentials_cannot_be_opened_is_not_started_and_keeps_nobody_else_from_it() {
    let world = World::with_workers(1).await;
    let mut workers = [world.worker(0)];
    let (broken, broken_process) = world.app("broken", 0).await;
    // As after the key was lost, or where somebody moved a row's secret to another.
    world.bind_as(broken, "db", |store, _| store.seal("another place", "{}").unwrap()).await;
    world.change_process(broken_process, |row| (row.version, row.instances) = ("v2".into(), 1)).await;
    let (app, process) = world.app("hello", 1).await;
    world.bind(app, "own", "{}").await;
    work(&world, &mut workers, process, all_running(1)).await;
    assert!(workers[0].process(broken_process).is_none());
    let task = run_task(&world, broken).await;
    let ended = until(&world, task, TaskState::Failed).await;
    assert!(ended.failure_reason.unwrap().contains("cannot be read"));
    let task = run_task(&world, app).await;
    assert_eq!(credentials(&given(&mut workers[0], task).await.environment), [json!({})]);
    world.end().await;
}
