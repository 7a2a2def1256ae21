//! What breaks and what must not be felt: killed workers, killed control processes, restarts, orderly stops.

use anyhow::{Context as _, ensure};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use virga_tests::{Platform, Push, until};

/// More than the sockets between client and server can hold.
const BIG_FILE_BYTES: usize = 32 << 20;

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

#[tokio::test]
async fn an_answer_in_flight_survives_an_orderly_stop() -> anyhow::Result<()> {
    let mut platform = Platform::start(2).await?;
    platform.login().await?;
    let site = tempfile::tempdir()?;
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(BIG_FILE_BYTES)
    .collect();
    std::fs::write(site.path().join("index.html"), "Hello")?;
    std::fs::write(site.path().join("noise.bin"), &noise)?;
    platform.ok(&["push", "site", "-p", &site.path().to_string_lossy()]).await?;

    let mut client = TcpStream::connect(platform.listen()).await?;
    let request = format!("GET /noise.bin HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", virga_tests::platform::host_of("site"));
    client.write_all(request.as_bytes()).await?;
    let mut answer = vec![0; 4096];
    client.read_exact(&mut answer).await?;
    // The rest is read only when the stop is under way: nobody takes new connections any more.
    let listen = platform.listen().to_owned();
    let (stopped, rest) = tokio::join!(platform.stop(), async {
        until("a closed port", Duration::from_secs(5), || async {
            ensure!(TcpStream::connect(&listen).await.is_err());
            Ok(())
        })
        .await?;
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await?;
        anyhow::Ok(rest)
    });
    ensure!(stopped? == Some(0), "the stop was not orderly");
    answer.extend(rest?);
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("no head")?;
    ensure!(answer[head + 4..] == noise[..], "{} of {BIG_FILE_BYTES} bytes arrived", answer.len() - head - 4);
    Ok(())
}
