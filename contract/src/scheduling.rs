//! What the controller asks of the scheduler.

use crate::cell::InstanceUsage;
use serde::{Deserialize, Serialize};
use virga_model::{InstanceGuid, ProcessGuid, Timestamp, state::InstanceState};

/// One actual instance, as `GET /v3/processes/:guid/stats` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceStats {
    /// 0-based.
    pub index: u32,
    /// `None` for a DOWN filler.
    pub instance: Option<InstanceGuid>,
    /// What it is doing.
    pub state: InstanceState,
    /// Whether every live router sends requests to it.
    pub routable: bool,
    /// Crash reason or placement error.
    pub details: Option<String>,
    /// When it entered this state.
    pub since: Timestamp,
    /// Measured use, where known.
    pub usage: Option<InstanceUsage>,
}

/// The scheduler as the controller sees it. The rows in `store` are the truth; this only hurries and tells.
#[async_trait::async_trait]
pub trait Scheduler: Send + Sync + 'static {
    /// "Look now": rows changed. Carries no data; forgetting it only delays.
    fn nudge(&self);

    /// What is known of the instances of each of these processes, one entry per desired index, sorted by index. Each comes with
    /// how many instances it should have: of a process that is not to run now, all are DOWN.
    async fn stats_of(&self, processes: &[(ProcessGuid, u32)]) -> Result<Vec<Vec<InstanceStats>>, crate::ApiError>;

    /// The same of one.
    async fn stats(&self, process: ProcessGuid, instances: u32) -> Result<Vec<InstanceStats>, crate::ApiError> {
        Ok(self.stats_of(&[(process, instances)]).await?.pop().unwrap_or_default())
    }

    /// Stops one instance and starts it anew under the same index; false when there is none.
    async fn restart_instance(&self, process: ProcessGuid, index: u32) -> Result<bool, crate::ApiError>;
}
