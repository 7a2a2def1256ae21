//! Whether one wasm instance of an app serves thousands of requests: each answered right, none by another, without growing.

use crate::{Platform, Push, host_of};
use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Requests of each of two halves. The first is also the warm-up: what an interpreter's heap grows to, it has grown to then.
pub const HALF: usize = 2_500;
/// Every so manieth request asks for the count.
const COUNTED: usize = 10;
/// What is sent to be given back.
const BODY_BYTES: usize = 1 << 10;
/// The other app, see [`memory`].
const WITNESS: &str = "witness";
/// Bytes that may come on top in the second half, as a heap grows in steps of a MiB or two: a leak of 2 KiB a request is more.
const GROWTH: u64 = 4 << 20;

/// Settings of a platform whose app instances have one wasm instance, which requests wait for as long as it takes: what serves the
/// next request is the same again, however busy the machine is.
#[must_use]
pub fn settings() -> Vec<(&'static str, String)> {
    vec![
        ("VIRGA_CELL_LIMITS__WASM_INSTANCES_PER_APP_INSTANCE", "1".to_owned()),
        ("VIRGA_CELL_LIMITS__QUEUE_WAIT_MS", "60000".to_owned()),
        ("VIRGA_CELL_LIMITS__POOLED_IDLE_MS", "3600000".to_owned()),
    ]
}

/// How many requests one wasm instance serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// One: each has its own.
    One,
    /// As many as come.
    All,
    /// At least so many, until the pool puts another in its place.
    AtLeast(usize),
}

/// Asks a sample of the table that runs in one instance twice [`HALF`] times, and gives its count.
///
/// # Errors
/// With the first answer that is not as it should be, or the memory that was taken.
pub async fn lasts(platform: &Platform, app: &str, says: &str, serves: Serves) -> anyhow::Result<u64> {
    platform.push(WITNESS, "wat-hello", Push::default()).await?;
    let counted = half(platform, app, says, serves, 0).await?;
    let before = memory(platform, app).await?;
    let counted = half(platform, app, says, serves, counted).await?;
    let after = memory(platform, app).await?;
    platform.ok(&["delete", WITNESS, "-f"]).await?;
    // Of one that is replaced for its growth the other instance may be the larger one.
    ensure!(
        after <= before + GROWTH || matches!(serves, Serves::AtLeast(_)),
        "its memory grew from {before} to {after} bytes in {HALF} requests"
    );
    Ok(counted)
}

async fn half(platform: &Platform, app: &str, says: &str, serves: Serves, mut count: u64) -> anyhow::Result<u64> {
    let sent: String = ('a'..='p').cycle().take(BODY_BYTES).collect();
    let echo = format!("{}/echo", platform.api());
    let host = host_of(app);
    for number in 0..HALF {
        let right = match number % COUNTED {
            0 => {
                let counted: u64 = platform.get_ok(app, "/count").await?.trim().parse().context("GET /count")?;
                let is_replaced = matches!(serves, Serves::AtLeast(least) if counted == 1 && count >= (least / COUNTED) as u64);
                count = if serves == Serves::One || is_replaced { 1 } else { count + 1 };
                (counted == count).then_some(()).ok_or_else(|| format!("GET /count says {counted} where {count} was next"))
            }
            3 | 6 | 9 => {
                let request = platform.http().post(&echo).header("host", &host).header("content-type", "text/plain").body(sent.clone());
                let answer = request.send().await?;
                let (status, back) = (answer.status(), answer.text().await?);
                (status == 200 && back == sent).then_some(()).ok_or_else(|| format!("POST /echo: {status} {back}"))
            }
            5 => {
                let answer = platform.get(app, "/env/NOT_SET").await?;
                (answer.status() == 404).then_some(()).ok_or_else(|| format!("GET /env/NOT_SET: {}", answer.status()))
            }
            _ => {
                let hello = platform.get_ok(app, "/").await?;
                hello.starts_with(says).then_some(()).ok_or_else(|| format!("GET / says {hello}"))
            }
        };
        right.map_err(|wrong| anyhow::anyhow!("request {number} of {HALF}: {wrong}"))?;
    }
    Ok(count)
}

/// Bytes of the only instance. The report that tells that another app's instance runs was made after whatever was asked before, and
/// has this one's memory in it.
async fn memory(platform: &Platform, app: &str) -> anyhow::Result<u64> {
    platform.ok(&["restart", WITNESS]).await?;
    let found: Value = serde_json::from_str(&platform.ok(&["curl", &format!("/v3/apps?names={app}")]).await?)?;
    let guid = found.pointer("/resources/0/guid").and_then(Value::as_str).context("no app")?;
    let stats: Value = serde_json::from_str(&platform.ok(&["curl", &format!("/v3/apps/{guid}/processes/web/stats")]).await?)?;
    stats.pointer("/resources/0/usage/mem").and_then(Value::as_u64).with_context(|| stats.to_string())
}
