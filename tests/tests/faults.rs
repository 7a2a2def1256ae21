//! What breaks and what must not be felt: killed workers, killed control processes, restarts, orderly stops.

use anyhow::ensure;
use std::time::{Duration, Instant};
use virga_tests::{Platform, Push, until};

async fn platform_with_app() -> anyhow::Result<Platform> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    platform.push("wat", "wat-hello", Push::default()).await?;
    Ok(platform)
}

#[tokio::test]
async fn a_killed_worker_is_replaced_and_serves_again() -> anyhow::Result<()> {
    let platform = platform_with_app().await?;
    let before = platform.worker_pids()?;
    ensure!(before.len() == 2, "{before:?}");
    for victim in before {
        platform.kill(victim)?;
        let killed = Instant::now();
        until("two workers", Duration::from_secs(10), || async {
            let now = platform.worker_pids()?;
            ensure!(now.len() == 2 && !now.contains(&victim), "{now:?}");
            Ok(())
        })
        .await?;
        until("answers", Duration::from_secs(10), || platform.get_ok("wat", "/")).await?;
        println!("replaced and answering after {:?}", killed.elapsed());
    }
    for _ in 0..50 {
        platform.get_ok("wat", "/").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_dead_control_process_costs_no_app_request() -> anyhow::Result<()> {
    let mut platform = platform_with_app().await?;
    let workers = platform.worker_pids()?;
    platform.kill_control().await?;
    for _ in 0..200 {
        platform.get_ok("wat", "/").await?;
    }
    let api = platform.http().get(format!("{}/v3/info", platform.api())).send().await?;
    ensure!(api.status() == 503 && api.headers().contains_key("retry-after"), "{:?}", api.status());

    platform.start_control().await?;
    ensure!(platform.worker_pids()? == workers, "the living workers were not kept");
    for _ in 0..50 {
        platform.get_ok("wat", "/").await?;
    }
    let shown = platform.ok(&["app", "wat"]).await?;
    ensure!(shown.contains("running"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn everything_killed_at_once_comes_back_from_the_folder() -> anyhow::Result<()> {
    let mut platform = platform_with_app().await?;
    let workers = platform.worker_pids()?;
    platform.kill_control().await?;
    for worker in workers {
        platform.kill(worker)?;
    }
    platform.start_control().await?;
    until("the app answers again", Duration::from_secs(20), || platform.get_ok("wat", "/")).await?;
    let shown = platform.ok(&["apps"]).await?;
    ensure!(shown.contains("wat") && shown.contains("started"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn an_orderly_stop_ends_with_code_zero_and_leaves_no_process() -> anyhow::Result<()> {
    let mut platform = platform_with_app().await?;
    ensure!(platform.stop().await? == Some(0), "{}", platform.log_tail());
    until("no workers", Duration::from_secs(10), || async {
        let left = platform.worker_pids()?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await
}
