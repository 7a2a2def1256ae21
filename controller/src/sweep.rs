//! Clears away what is kept for some days only: audit events, usage events, jobs that have ended.

use crate::{Controller, Result};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use virga_model::Timestamp;
use virga_store::{app_usage_events, audit_events, jobs, service_usage_events};

/// How often it is looked for what is old enough.
const PERIOD: Duration = Duration::from_secs(3600);
const SECONDS_OF_A_DAY: i64 = 86_400;

/// Clears at once and then every hour, until `draining` rings.
pub(crate) async fn run(controller: &Controller, draining: CancellationToken) {
    while !draining.is_cancelled() {
        if let Err(error) = sweep(controller).await {
            tracing::warn!(%error, context = error.api().context, "old events and jobs could not be deleted; trying again");
        }
        tokio::select! {
            () = draining.cancelled() => break,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// Deletes what is older than `keep_events_days`; how many rows.
///
/// # Errors
/// Those of the database.
pub(crate) async fn sweep(controller: &Controller) -> Result<u64> {
    let kept = i64::from(controller.config.limits.keep_events_days).saturating_mul(SECONDS_OF_A_DAY);
    let before = Timestamp::from_second(controller.now().as_second().saturating_sub(kept)).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut tx = controller.store.begin().await?;
    let deleted = audit_events::delete_older(&mut tx, before).await?
        + app_usage_events::delete_older(&mut tx, before).await?
        + service_usage_events::delete_older(&mut tx, before).await?
        + jobs::delete_finished(&mut tx, before).await?;
    tx.commit().await?;
    Ok(deleted)
}
