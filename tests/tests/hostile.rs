//! Guests that mean harm are bounded and named, and their neighbours do not notice.

use anyhow::ensure;
use std::time::Duration;
use virga_tests::{Platform, Push, until};

/// Pushes a hostile sample beside a good one, hits it, and looks for `named` in its own log while the good one answers.
async fn is_bounded(sample: &str, named: &str) -> anyhow::Result<()> {
    // One write of the flood has more lines than the log queue takes, however quickly it is emptied.
    let limits = [("VIRGA_CELL_LIMITS__REQUEST_CPU_MS", "1000"), ("VIRGA_CELL_LIMITS__LOG_QUEUE_ENVELOPES", "32")];
    let platform = Platform::start_with(2, limits.map(|(name, value)| (name, value.to_owned())).to_vec()).await?;
    platform.login().await?;
    platform.push("good", "wat-hello", Push::default()).await?;
    platform.push("bad", &format!("hostile/{sample}"), Push { flags: &["-m", "64M", "-u", "process"] }).await?;
    let bad = async {
        for _ in 0..4 {
            let answer = platform.get("bad", "/").await?;
            ensure!(answer.status() != 404, "{sample} is not routed");
        }
        anyhow::Ok(())
    };
    let good = async {
        for _ in 0..40 {
            platform.get_ok("good", "/").await?;
        }
        anyhow::Ok(())
    };
    let (bad, good) = tokio::join!(bad, good);
    bad?;
    good?;
    until("the limit named in the app's log", Duration::from_secs(20), || async {
        let logs = platform.ok(&["logs", "bad", "--recent"]).await?;
        ensure!(logs.contains(named), "'{named}' is not in\n{logs}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_endless_loop_ends_at_its_cpu_limit() -> anyhow::Result<()> {
    is_bounded("endless-loop", "exceeded its limit request_cpu_ms").await
}

#[tokio::test]
async fn a_memory_bomb_stops_at_its_memory_limit() -> anyhow::Result<()> {
    is_bounded("memory-bomb", "memory").await
}

#[tokio::test]
async fn a_trap_is_told_to_the_owner() -> anyhow::Result<()> {
    is_bounded("trap", "unreachable").await
}

#[tokio::test]
async fn a_flood_of_output_is_counted_not_felt() -> anyhow::Result<()> {
    is_bounded("stdout-flood", "dropped").await
}

#[tokio::test]
async fn a_missing_import_fails_the_push_by_name() -> anyhow::Result<()> {
    let platform = Platform::start(1).await?;
    platform.login().await?;
    let folder = virga_tests::platform::sample_folder("hostile/missing-import");
    let output = platform.virga(&["push", "bad", "-p", &folder.to_string_lossy()]).await?;
    ensure!(output.code != Some(0), "{}", output.text);
    ensure!(output.text.contains("import"), "{}", output.text);
    Ok(())
}
