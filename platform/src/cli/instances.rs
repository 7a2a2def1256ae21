//! Waiting for instances: ends with the truth, never with a guess.

use super::ui::Ui;
use crate::client::{
    Client, Poll,
    resources::{Process, Stats, StatsPage},
};
use std::time::{Duration, Instant};

/// How long instances may take to come up; `CF_STARTUP_TIMEOUT` (minutes) is honoured as by `cf`.
fn start_timeout() -> Duration {
    let minutes = std::env::var("CF_STARTUP_TIMEOUT").ok().and_then(|text| text.trim_end_matches('m').parse().ok()).unwrap_or(5);
    Duration::from_secs(60 * minutes)
}

/// How many are up.
pub fn running(stats: &[Stats]) -> usize {
    stats.iter().filter(|instance| instance.state == "RUNNING").count()
}

/// When an app's instances reached each stage, counted from the start of the wait.
#[derive(Debug, Default, Clone, Copy)]
pub struct Stages {
    /// First instance placed on a cell.
    pub placed: Option<Duration>,
    /// First instance healthy.
    pub healthy: Option<Duration>,
    /// First instance known to every router.
    pub routable: Option<Duration>,
}

/// Whether a process has reached its end of waiting.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Waiting,
    Up,
    Crashed(String),
}

/// `cf`'s rule: done with no instances wanted or one running, failed when every instance has crashed. A web process
/// with a route is done only when requests reach it.
fn outcome(stats: &[Stats], wants_route: bool) -> Outcome {
    let up = stats.iter().any(|i| i.state == "RUNNING" && (!wants_route || i.routable.unwrap_or(true)));
    if stats.is_empty() || up {
        return Outcome::Up;
    }
    if stats.iter().all(|instance| instance.state == "CRASHED") {
        let reason = stats.iter().find_map(|instance| instance.details.clone()).unwrap_or_default();
        return Outcome::Crashed(reason);
    }
    Outcome::Waiting
}

/// Waits until every process of the app (with `web_only`, the web process) runs.
pub async fn wait(client: &Client, ui: Ui, app_name: &str, app: &str, web_only: bool) -> anyhow::Result<Stages> {
    let (began, deadline) = (Instant::now(), Instant::now() + start_timeout());
    let routed = !client.list::<crate::client::resources::Resource>(&format!("/v3/apps/{app}/routes?per_page=1")).await?.is_empty();
    let spinner = ui.spinner("Instances starting...");
    let (mut poll, mut stages) = (Poll::new(), Stages::default());
    loop {
        let processes: Vec<Process> = client.list(&format!("/v3/apps/{app}/processes")).await?;
        let mut waiting = false;
        for process in processes.iter().filter(|process| !web_only || process.kind == "web") {
            let stats: StatsPage = client.get(&format!("/v3/processes/{}/stats", process.guid)).await?;
            if process.kind == "web" {
                stages.note(&stats.resources, began.elapsed());
            }
            match outcome(&stats.resources, process.kind == "web" && routed) {
                Outcome::Up => {}
                Outcome::Waiting => waiting = true,
                Outcome::Crashed(reason) => {
                    spinner.finish_and_clear();
                    return Err(start_failed(client, ui, app_name, app, &reason).await);
                }
            }
        }
        if !waiting {
            spinner.finish_and_clear();
            return Ok(stages);
        }
        if Instant::now() > deadline {
            spinner.finish_and_clear();
            let error = start_failed(client, ui, app_name, app, "").await;
            return Err(error
                .context(format!("Start app timeout: app {app_name} was not running after {} minutes", start_timeout().as_secs() / 60)));
        }
        poll.wait().await;
    }
}

impl Stages {
    fn note(&mut self, stats: &[Stats], at: Duration) {
        if stats.iter().any(|i| matches!(i.state.as_str(), "STARTING" | "RUNNING" | "CRASHED")) {
            self.placed.get_or_insert(at);
        }
        if stats.iter().any(|i| i.state == "RUNNING") {
            self.healthy.get_or_insert(at);
        }
        if stats.iter().any(|i| i.state == "RUNNING" && i.routable.unwrap_or(true)) {
            self.routable.get_or_insert(at);
        }
    }
}

/// Why an app does not start, with the end of its own log.
async fn start_failed(client: &Client, ui: Ui, name: &str, app: &str, reason: &str) -> anyhow::Error {
    const SHOWN: usize = 20;
    match client.recent_logs(app).await {
        Ok(lines) => {
            let _ = ui.line("\nRecent logs:");
            for line in lines.iter().skip(lines.len().saturating_sub(SHOWN)) {
                let _ = ui.line(line.render());
            }
        }
        Err(error) => tracing::warn!(%error, "the app's log could not be read"),
    }
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    anyhow::anyhow!("Start unsuccessful{because}\n\nTIP: use 'virga logs {name} --recent' for more information")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(state: &str, routable: bool) -> Stats {
        serde_json::from_value(serde_json::json!({"index": 0, "state": state, "routable": routable, "details": "exit 1"})).unwrap()
    }

    #[test]
    fn one_routable_instance_ends_the_wait_and_only_a_full_crash_fails_it() {
        assert_eq!(outcome(&[], true), Outcome::Up);
        assert_eq!(outcome(&[instance("RUNNING", false)], true), Outcome::Waiting);
        assert_eq!(outcome(&[instance("RUNNING", false)], false), Outcome::Up);
        assert_eq!(outcome(&[instance("CRASHED", false), instance("RUNNING", true)], true), Outcome::Up);
        assert_eq!(outcome(&[instance("CRASHED", false), instance("STARTING", false)], true), Outcome::Waiting);
        assert_eq!(outcome(&[instance("CRASHED", false)], true), Outcome::Crashed("exit 1".into()));
    }
}
