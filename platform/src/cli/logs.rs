//! `virga logs`.

use super::{args::Logs, target::targeted, ui::Ui};
use crate::client::{Client, log_cache::Tail};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the epoch, `back` ago.
pub fn now_ns(back: Duration) -> i64 {
    let time = SystemTime::now().checked_sub(back).unwrap_or(UNIX_EPOCH);
    i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(i64::MAX)
}

/// `virga logs APP_NAME [--recent]`
pub async fn run(client: &Client, ui: Ui, args: Logs) -> anyhow::Result<()> {
    let target = targeted(client)?;
    let app = target.app(client, &args.name).await?;
    ui.line(format!("Retrieving logs for app {} in {}...\n", app.name, target.place()))?;
    if args.recent {
        for line in client.recent_logs(&app.guid).await? {
            ui.line(line.render())?;
        }
        return Ok(());
    }
    let tail = Tail::new(client, &app.guid, now_ns(Duration::from_secs(1)));
    tokio::select! {
        result = tail.follow(|line| ui.line(line.render())) => result,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}
