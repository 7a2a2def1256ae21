//! Steps 9 to 12 of a push: build, with the app's staging output followed until it ends.

use crate::{
    cli::{logs::now_ns, ui::Ui},
    client::{
        Client, Poll,
        log_cache::Tail,
        resources::{App, Build, BuildStep},
    },
};
use anyhow::bail;
use serde_json::json;
use std::time::{Duration, Instant};

/// A build that made a droplet.
#[derive(Debug)]
pub struct Staged {
    /// The droplet's guid.
    pub droplet: String,
    /// The steps, as the server measured them.
    pub steps: Vec<BuildStep>,
}

fn timeout() -> Duration {
    let minutes = std::env::var("CF_STAGING_TIMEOUT").ok().and_then(|text| text.trim_end_matches('m').parse().ok()).unwrap_or(15);
    Duration::from_secs(60 * minutes)
}

/// Stages a package; the build's own output is printed while it runs.
pub async fn stage(client: &Client, ui: Ui, app: &App, package: &str) -> anyhow::Result<Staged> {
    ui.line("Staging app and tracing logs...")?;
    let since = now_ns(Duration::from_secs(1));
    let build: Build = client.post("/v3/builds", &json!({"package": {"guid": package}})).await?;
    let finished = follow(client, ui, app, &build.guid, since).await?;
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
    Ok(Staged { droplet: droplet.guid, steps: finished.virga.steps })
}

/// Prints the build's output until it ends. The log is read after the state, so that a finished build's output is whole.
async fn follow(client: &Client, ui: Ui, app: &App, build: &str, since: i64) -> anyhow::Result<Build> {
    let (began, mut poll) = (Instant::now(), Poll::new());
    let mut tail = Tail::new(client, &app.guid, since);
    loop {
        let now: Build = client.get(&format!("/v3/builds/{build}")).await?;
        match tail.news().await {
            Ok(lines) => {
                for line in lines.iter().filter(|line| line.source_type == "STG") {
                    ui.line(format!("   {}", line.text))?;
                }
            }
            Err(error) => tracing::warn!(%error, "the staging output cannot be followed"),
        }
        if now.state != "STAGING" {
            return Ok(now);
        }
        if began.elapsed() > timeout() {
            bail!("Staging timed out after {} minutes", timeout().as_secs() / 60);
        }
        poll.wait().await;
    }
}
