//! Runs stagings: every build that is STAGING, a few at a time, woken by a nudge and by a timer.
//!
//! Not a job like others: a staging takes minutes and much memory, so it has a queue of its own that holds up nothing else.

use super::stage::stage;
use crate::{Controller, Result};
use std::{collections::HashSet, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use virga_model::{BuildGuid, state::BuildState};
use virga_store::{
    builds::{self, BuildFilter},
    select::{Listing, Visible},
};

/// Wakes the runner; carries no data.
pub(crate) type BuildNudge = tokio::sync::Notify;

/// How often the table is looked at without a nudge.
const PERIOD: Duration = Duration::from_secs(5);

/// Runs stagings until `draining` rings. What is being staged then is dropped: its build stays STAGING and is staged anew by
/// the next process, because a drain may not wait for a build of many minutes.
pub(crate) async fn run(controller: &Controller, draining: CancellationToken) {
    let mut running: JoinSet<BuildGuid> = JoinSet::new();
    let mut begun = HashSet::new();
    while !draining.is_cancelled() {
        match due(controller).await {
            Ok(due) => {
                for guid in due {
                    if running.len() < controller.config.limits.concurrent_stagings.max(1) && begun.insert(guid) {
                        let controller = controller.clone();
                        running.spawn(async move {
                            stage(&controller, guid).await;
                            guid
                        });
                    }
                }
            }
            Err(error) => tracing::error!(%error, context = error.api().context, "builds could not be read; trying again"),
        }
        tokio::select! {
            () = draining.cancelled() => break,
            () = controller.build_nudge().notified() => {}
            () = tokio::time::sleep(PERIOD) => {}
            Some(ended) = running.join_next(), if !running.is_empty() => match ended {
                Ok(guid) => drop(begun.remove(&guid)),
                // Its guid stays in `begun`: a build that brings its task down is not tried again before the next start.
                Err(error) => tracing::error!(%error, "a staging panicked"),
            },
        }
    }
    running.shutdown().await;
}

async fn due(controller: &Controller) -> Result<Vec<BuildGuid>> {
    let filter = BuildFilter { states: Some(vec![BuildState::Staging.to_string()]), ..BuildFilter::default() };
    let listing = Listing { per_page: 1_000, ..Listing::everything() };
    let page = builds::list(&mut *controller.store.read().await?, &filter, Visible::All, &listing).await?;
    Ok(page.rows.into_iter().map(|build| build.guid).collect())
}
