//! Tasks: a command of the droplet, run to its end by the one worker that was told to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use support::{World, guest, limits, server};
use virga_contract::cell::{CellTask, TaskReport};
use virga_model::{droplet::GuestKind, state::TaskState};

fn start(world: &World, task: &CellTask) {
    let task = Arc::new(task.clone());
    world.change(|snapshot| snapshot.tasks.push(task));
}

fn report(world: &World, task: &CellTask) -> Option<TaskReport> {
    world.host.task_reports().into_iter().find(|report| report.task == task.task)
}

async fn ended(world: &World, task: &CellTask) -> (TaskState, Option<String>) {
    let report = world.until(|world| report(world, task).filter(|report| report.state != TaskState::Running)).await;
    (report.state, report.failure_reason)
}

async fn run_task(world: &World, droplet: virga_model::Sha256Digest, command: &str) -> (TaskState, Option<String>) {
    let task = world.task(droplet, command);
    start(world, &task);
    ended(world, &task).await
}

fn failed(reason: &str) -> (TaskState, Option<String>) {
    (TaskState::Failed, Some(reason.to_owned()))
}

#[tokio::test]
async fn a_command_runs_to_its_end_and_its_lines_are_the_tasks() {
    let world = World::new(limits());
    let droplet = world.stage(GuestKind::Server, &server(), &[("web", "app"), ("migrate", "app print migrated '$X' to $GREETING")]);
    assert_eq!(run_task(&world, droplet, "app print one  \"two  $GREETING\"").await, (TaskState::Succeeded, None));
    assert_eq!(run_task(&world, droplet, "migrate").await, (TaskState::Succeeded, None));
    assert_eq!(run_task(&world, droplet, "anything arguments").await, (TaskState::Succeeded, None));
    assert_eq!(run_task(&world, droplet, "app environment").await, (TaskState::Succeeded, None));
    let lines = world.lines.all();
    for line in [
        "[APP/TASK/job] one two  hello",
        "[APP/TASK/job] migrated $X to hello",
        "[APP/TASK/job] [\"anything\", \"arguments\"]",
        "[APP/TASK/job] MEMORY_LIMIT=64m",
        "[APP/TASK/job] CF_INSTANCE_INDEX=0",
        "[APP/TASK/job] Exit status 0",
    ] {
        assert!(lines.iter().any(|have| have == line), "{line} is not in {lines:#?}");
    }
    assert!(!lines.iter().any(|line| line.starts_with("[APP/TASK/job] PORT=")), "{lines:#?}");
}

#[tokio::test]
async fn failures_are_named() {
    let world = World::new(limits());
    let droplet = world.stage(GuestKind::Command, &server(), &[]);
    // The exit of WASI 0.2 says good or bad, and no number.
    assert_eq!(run_task(&world, droplet, "app exit 7").await, failed("Exited with status 1"));
    assert_eq!(run_task(&world, droplet, "app allocate").await, failed("Exited with status 137 (out of memory)"));
    let (state, reason) = run_task(&world, droplet, "app trap").await;
    assert!(state == TaskState::Failed && reason.as_ref().unwrap().contains("unreachable"), "{reason:?}");
    let (_, reason) = run_task(&world, droplet, "app print a | sort").await;
    assert!(reason.as_ref().unwrap().contains("'|', which needs a shell"), "{reason:?}");
    let http = world.stage(GuestKind::HttpP2, &guest("(i32.const 200)"), &[("web", "serve")]);
    let (_, reason) = run_task(&world, http, "rake db:migrate").await;
    assert!(reason.as_ref().unwrap().contains("exports no wasi:cli/run"), "{reason:?}");
}

#[tokio::test]
async fn an_http_component_may_have_a_command_beside_its_handler() {
    let run = "(func $run (result (result)) (canon lift (core func $main \"run\"))) (instance $runner (export \"run\" (func $run)))
        (export \"wasi:cli/run@0.2.0\" (instance $runner))";
    let hello = include_str!("../../tests/apps/wat-hello/app.wat");
    let source = hello
        .replacen("(func (export \"handle\")", "(func (export \"run\") (result i32) (i32.const 0)) (func (export \"handle\")", 1)
        .replacen("(export \"wasi:http/incoming-handler", &format!("{run} (export \"wasi:http/incoming-handler"), 1);
    let world = World::new(limits());
    let droplet = world.stage(GuestKind::HttpP2, &wat::parse_str(source).unwrap(), &[("web", "serve")]);
    assert_eq!(run_task(&world, droplet, "anything").await, (TaskState::Succeeded, None));
}

#[tokio::test]
async fn only_the_process_it_was_given_to_starts_a_task_and_what_is_no_longer_named_ends() {
    let world = World::new(limits());
    let droplet = world.stage(GuestKind::Command, &server(), &[]);
    let others = [
        CellTask { pid: std::process::id() + 1, ..world.task(droplet, "app wait") },
        CellTask { worker: 1, ..world.task(droplet, "app wait") },
    ];
    others.iter().for_each(|task| start(&world, task));
    assert_eq!(world.host.task_reports(), []);

    let endless = world.task(droplet, "app spin");
    start(&world, &endless);
    assert_eq!(report(&world, &endless).unwrap().state, TaskState::Running);
    // Applied again and again, it is still the same run; and others get their turn beside it.
    world.change(|_| {});
    assert_eq!(run_task(&world, droplet, "app print beside").await, (TaskState::Succeeded, None));
    world.lines.until(|lines| lines.iter().filter(|line| line.contains("spinning")).count() == 1).await;

    world.change(|snapshot| snapshot.tasks.retain(|task| task.task != endless.task));
    assert!(report(&world, &endless).is_none());
    world.host.drain().await;
}
