//! Tasks: run once, told how they ended, whatever dies meanwhile.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use virga_tests::{Platform, Push, until};

const PATIENCE: Duration = Duration::from_secs(60);

async fn ask(platform: &Platform, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
    let body = body.to_string();
    let mut args = vec!["curl", path, "-X", method];
    if method != "GET" {
        args.extend(["-d", body.as_str()]);
    }
    let answer: Value = serde_json::from_str(platform.ok(&args).await?.trim()).unwrap_or(Value::Null);
    ensure!(answer.get("errors").is_none(), "{method} {path}: {answer}");
    Ok(answer)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The app, and a platform with it.
async fn platform_with_command() -> anyhow::Result<(Platform, String)> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    platform.push("command", "wat-command", Push::default()).await?;
    let app = ask(&platform, "GET", "/v3/apps?names=command", &Value::Null).await?;
    let guid = text(&app, "/resources/0/guid").to_owned();
    Ok((platform, guid))
}

async fn run(platform: &Platform, app: &str, command: &str) -> anyhow::Result<String> {
    let task = ask(platform, "POST", &format!("/v3/apps/{app}/tasks"), &json!({ "command": command, "name": command })).await?;
    ensure!(!text(&task, "/guid").is_empty(), "{task}");
    Ok(text(&task, "/guid").to_owned())
}

/// The task, once it is in this state.
async fn until_state(platform: &Platform, task: &str, state: &str) -> anyhow::Result<Value> {
    until(state, PATIENCE, || async {
        let shown = ask(platform, "GET", &format!("/v3/tasks/{task}"), &Value::Null).await?;
        ensure!(text(&shown, "/state") == state, "{shown}");
        Ok(shown)
    })
    .await
}

#[tokio::test]
async fn a_task_ends_well_badly_or_when_it_is_told_to() -> anyhow::Result<()> {
    let (platform, app) = platform_with_command().await?;
    let fine = run(&platform, &app, "fine").await?;
    until_state(&platform, &fine, "SUCCEEDED").await?;
    let failing = run(&platform, &app, "fail").await?;
    let failed = until_state(&platform, &failing, "FAILED").await?;
    ensure!(text(&failed, "/result/failure_reason").contains("Exited with status 1"), "{failed}");
    let endless = run(&platform, &app, "endless").await?;
    until_state(&platform, &endless, "RUNNING").await?;
    platform.get_ok("command", "/").await.context("an endless task is felt by its app")?;
    ask(&platform, "POST", &format!("/v3/tasks/{endless}/actions/cancel"), &json!({})).await?;
    let cancelled = until_state(&platform, &endless, "FAILED").await?;
    ensure!(text(&cancelled, "/result/failure_reason") == "task was cancelled", "{cancelled}");
    until("lines of the tasks", PATIENCE, || async {
        let logs = platform.ok(&["logs", "command", "--recent"]).await?;
        ensure!(logs.contains("[APP/TASK/fine/0]") && logs.contains("[APP/TASK/fail/0]"), "{logs}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_task_outlives_the_control_process_and_ends_with_its_worker() -> anyhow::Result<()> {
    let (mut platform, app) = platform_with_command().await?;
    let task = run(&platform, &app, "endless").await?;
    until_state(&platform, &task, "RUNNING").await?;
    platform.kill_control().await?;
    let waiting = platform.worker_pids()?;
    platform.start_control().await?;
    ensure!(platform.worker_pids()? == waiting, "the living workers were not kept");
    until_state(&platform, &task, "RUNNING").await?;
    for worker in waiting {
        platform.kill(worker)?;
    }
    let ended = until_state(&platform, &task, "FAILED").await?;
    ensure!(text(&ended, "/result/failure_reason").contains("is gone"), "{ended}");
    let next = run(&platform, &app, "fine").await?;
    until_state(&platform, &next, "SUCCEEDED").await?;
    Ok(())
}
