//! Steps 9 to 12 of a push: build, with the app's staging output followed until it ends.

use crate::{
    cli::{logs::now_ns, ui::Ui},
    client::{
        Client, Poll,
        resources::{App, Build},
    },
};
use anyhow::bail;
use serde_json::json;
use std::time::{Duration, Instant};

/// How long the last lines of a finished build may take to arrive.
const LAST_LINES: Duration = Duration::from_millis(300);

/// A build that made a droplet.
#[derive(Debug)]
pub struct Staged {
    /// The droplet's guid.
    pub droplet: String,
    /// Milliseconds of each step, as the server measured them; empty for a server that does not say.
    pub steps: Vec<(String, u64)>,
}

/// The annotation in which a build says how long each step took: a JSON list of `[step, milliseconds]`.
const STEPS: &str = "virga.dev/steps";

fn timeout() -> Duration {
    let minutes = std::env::var("CF_STAGING_TIMEOUT").ok().and_then(|text| text.trim_end_matches('m').parse().ok()).unwrap_or(15);
    Duration::from_secs(60 * minutes)
}

/// Stages a package; the build's own output is printed while it runs.
pub async fn stage(client: &Client, ui: Ui, app: &App, package: &str) -> anyhow::Result<Staged> {
    ui.line("Staging app and tracing logs...")?;
    let since = now_ns(Duration::from_secs(1));
    let build: Build = client.post("/v3/builds", &json!({"package": {"guid": package}})).await?;
    let mut written = Ok(());
    let tail = client.tail_logs(&app.guid, since, |line| {
        if line.source_type == "STG" && written.is_ok() {
            written = ui.line(format!("   {}", line.text));
        }
    });
    let finished = {
        let end = finished(client, &build.guid);
        tokio::pin!(tail, end);
        let mut tailing = true;
        loop {
            tokio::select! {
                result = &mut tail, if tailing => {
                    tailing = false;
                    if let Err(error) = result {
                        tracing::warn!(%error, "the staging output cannot be followed");
                    }
                }
                build = &mut end => {
                    let build = build?;
                    if tailing {
                        // The last lines travel through the log cache and may be a moment behind the build's state; the
                        // tail never ends by itself, so this always runs into its time.
                        tokio::time::timeout(LAST_LINES, &mut tail).await.ok();
                    }
                    break build;
                }
            }
        }
    };
    written?;
    ui.blank()?;
    if finished.state == "FAILED" {
        let error = finished.error.unwrap_or_default();
        let tip = if error.contains("NoAppDetectedError") {
            "\n\nTIP: The app was not recognised. Use '-b' with one of the buildpacks of 'virga curl /v3/buildpacks', or push a folder that holds a \
             package.json, requirements.txt, Staticfile or .wasm file."
        } else {
            ""
        };
        bail!("Error staging application: {error}{tip}");
    }
    let Some(droplet) = finished.droplet else { bail!("The build is {} but has no droplet", finished.state) };
    let steps = finished.metadata.annotations.get(STEPS).cloned().flatten().and_then(|json| serde_json::from_str(&json).ok());
    Ok(Staged { droplet: droplet.guid, steps: steps.unwrap_or_default() })
}

async fn finished(client: &Client, build: &str) -> anyhow::Result<Build> {
    let (began, mut poll) = (Instant::now(), Poll::new());
    loop {
        let now: Build = client.get(&format!("/v3/builds/{build}")).await?;
        if now.state != "STAGING" {
            return Ok(now);
        }
        if began.elapsed() > timeout() {
            bail!("Staging timed out after {} minutes", timeout().as_secs() / 60);
        }
        poll.wait().await;
    }
}
