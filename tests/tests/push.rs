//! From source to answers: push, scale, logs, stats, delete, in every language the platform builds.

use anyhow::{Context as _, ensure};
use std::time::Duration;
use virga_tests::{Platform, Push, until};

/// What every app must do, whatever it is written in.
async fn lives_through_its_life(platform: &Platform, app: &str, sample: &str, says: &str) -> anyhow::Result<()> {
    let receipt = platform.push(app, sample, Push::default()).await?;
    ensure!(receipt.contains("routable"), "no receipt with the time of each step:\n{receipt}");
    ensure!(platform.get_ok(app, "/").await?.contains(says), "{app} does not say '{says}'");

    platform.ok(&["scale", app, "-i", "3"]).await?;
    until("three running instances", Duration::from_secs(60), || async {
        let shown = platform.ok(&["app", app]).await?;
        ensure!(shown.contains("3/3") && shown.matches("running").count() >= 3, "{shown}");
        Ok(())
    })
    .await?;
    for _ in 0..9 {
        platform.get_ok(app, "/").await?;
    }
    until("the access log", Duration::from_secs(20), || async {
        let logs = platform.ok(&["logs", app, "--recent"]).await?;
        ensure!(logs.contains("[RTR/") && logs.contains("[STG/") && logs.contains("[API/"), "{logs}");
        Ok(())
    })
    .await?;

    platform.ok(&["delete", app, "-f", "-r"]).await?;
    // Workers learn of it when the job of the deletion has ended.
    until("the route's end", Duration::from_secs(20), || async {
        let gone = platform.get(app, "/").await?;
        ensure!(gone.status() == 404, "a deleted app answers {}", gone.status());
        let error = gone.headers().get("x-cf-routererror").context("no X-Cf-RouterError")?;
        ensure!(error == "unknown_route", "{error:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_component_in_text_form_lives() -> anyhow::Result<()> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    lives_through_its_life(&platform, "wat", "wat-hello", "Hello").await
}

#[tokio::test]
async fn the_same_app_lives_inside_the_control_process() -> anyhow::Result<()> {
    let platform = Platform::start(0).await?;
    platform.login().await?;
    ensure!(platform.worker_pids()?.is_empty());
    lives_through_its_life(&platform, "wat", "wat-hello", "Hello").await
}

/// On the PostgreSQL that `tests/run` starts.
#[tokio::test]
async fn rows_may_live_in_postgresql() -> anyhow::Result<()> {
    let url =
        std::env::var("VIRGA_TEST_POSTGRES_URL").context("VIRGA_TEST_POSTGRES_URL is not set; tests/run starts a server and sets it")?;
    let mut platform = Platform::start_with(1, vec![("VIRGA_DATABASE__URL", url)]).await?;
    platform.login().await?;
    lives_through_its_life(&platform, "wat", "wat-hello", "Hello").await?;
    platform.push("stays", "wat-hello", Push::default()).await?;
    ensure!(platform.stop().await? == Some(0));
    platform.start_control().await?;
    until("the app answers again", Duration::from_secs(20), || platform.get_ok("stays", "/")).await?;
    Ok(())
}

#[tokio::test]
async fn a_static_site_lives() -> anyhow::Result<()> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    lives_through_its_life(&platform, "site", "static-site", "Hello").await
}

#[tokio::test]
async fn a_hono_app_lives() -> anyhow::Result<()> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    lives_through_its_life(&platform, "hono", "javascript-hono", "Hello").await
}

#[tokio::test]
async fn a_flask_app_lives() -> anyhow::Result<()> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    lives_through_its_life(&platform, "flask", "python-flask", "Hello").await
}

#[tokio::test]
async fn the_environment_reaches_the_app_after_a_restart() -> anyhow::Result<()> {
    let platform = Platform::start(1).await?;
    platform.login().await?;
    platform.push("hono", "javascript-hono", Push::default()).await?;
    platform.ok(&["set-env", "hono", "GREETING", "good morning"]).await?;
    platform.ok(&["restart", "hono"]).await?;
    let environment = platform.get_ok("hono", "/env").await?;
    ensure!(environment.contains("good morning"), "{environment}");
    ensure!(environment.contains("VCAP_APPLICATION") && environment.contains("CF_INSTANCE_INDEX"), "{environment}");
    Ok(())
}

#[tokio::test]
async fn nothing_to_build_is_said_clearly() -> anyhow::Result<()> {
    let platform = Platform::start(1).await?;
    platform.login().await?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("notes.txt"), "no app here")?;
    let path = folder.path().to_string_lossy().into_owned();
    let output = platform.virga(&["push", "nothing", "-p", &path]).await?;
    ensure!(output.code != Some(0) && output.text.contains("NoAppDetected"), "{}", output.text);
    Ok(())
}
