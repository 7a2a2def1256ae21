//! The README's first command: a platform with a sample that answers.

use anyhow::{Context as _, ensure};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[tokio::test]
async fn up_with_sample_prints_a_url_that_answers() -> anyhow::Result<()> {
    let binary = std::env::current_exe()?.ancestors().nth(2).context("no target folder")?.join("virga");
    let data = tempfile::tempdir()?;
    let mut child = tokio::process::Command::new(std::env::var("TESTED_VIRGA").map_or(binary, Into::into))
        .args(["up", "--sample", "--output", "json", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data.path())
        .env_remove("VIRGA_ADMIN_PASSWORD")
        .env_remove("VIRGA_TEST_POSTGRES_URL")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let line = lines.next_line().await?.context("it ended before it was ready")?;
    let ready: serde_json::Value = serde_json::from_str(&line)?;
    let sample = ready["sample_url"].as_str().with_context(|| format!("no sample_url in {ready}"))?;
    let listen = ready["listen"].as_str().with_context(|| format!("no listen in {ready}"))?;
    ensure!(ready["password"].as_str().is_some_and(|password| password.len() >= 16), "no generated password in {ready}");

    let host = sample.trim_start_matches("http://").trim_end_matches('/');
    let answer = reqwest::Client::builder().no_proxy().build()?.get(format!("http://{listen}/")).header("host", host).send().await?;
    ensure!(answer.status() == 200, "the sample answers {}", answer.status());

    let pid = i32::try_from(child.id().context("ended")?)?;
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).context("pid")?, rustix::process::Signal::TERM)?;
    ensure!(child.wait().await?.code() == Some(0));
    Ok(())
}
