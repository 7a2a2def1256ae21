//! Deployments: the replacement of an app's web process by a new one, step by step.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::{Columns as _, json},
    select::{Listing, OfApps, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{
    AppGuid, DeploymentGuid, DropletGuid, ProcessGuid, RevisionGuid, Timestamp,
    state::{DeploymentState, DeploymentStrategy},
};

/// One deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentRow {
    /// Its guid.
    pub guid: DeploymentGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Its app.
    pub app: AppGuid,
    /// How far it is.
    pub state: DeploymentState,
    /// How it goes about it.
    pub strategy: DeploymentStrategy,
    /// Instances started at a time.
    pub max_in_flight: u32,
    /// What is deployed.
    pub droplet: DropletGuid,
    /// What ran before; a cancelled deployment goes back to it.
    pub previous_droplet: Option<DropletGuid>,
    /// Scaled down.
    pub old_web_process: ProcessGuid,
    /// Scaled up.
    pub new_web_process: ProcessGuid,
    /// Instances the app had before; a cancelled deployment goes back to them.
    pub original_instances: u32,
    /// What was asked of the new process.
    pub asked: AskedOfWeb,
    /// Weights of a canary's steps, percent; `None` where none were named.
    pub canary_steps: Option<Vec<u8>>,
    /// The step a canary is at, from 1.
    pub canary_step: Option<u32>,
    /// What is deployed as a revision, with its number.
    pub revision: Option<(RevisionGuid, u32)>,
    /// When an instance of the new process was last seen to become healthy.
    pub last_healthy_at: Option<Timestamp>,
    /// When `state` last changed.
    pub status_changed_at: Timestamp,
    /// Why it does not get on.
    pub error: Option<String>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

/// Sizes that a deployment gives the new web process; `None` leaves one as it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AskedOfWeb {
    /// Instances.
    pub instances: Option<u32>,
    /// Megabytes.
    pub memory_in_mb: Option<u64>,
    /// Megabytes.
    pub disk_in_mb: Option<u64>,
    /// Bytes per second; -1 is unlimited.
    pub log_rate_limit_in_bytes_per_second: Option<i64>,
}

/// Instances at one step of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanaryStep {
    /// Of the new process.
    pub new: u32,
    /// Of the old one.
    pub old: u32,
}

impl DeploymentRow {
    /// Instances the new process shall have in the end.
    #[must_use]
    pub fn target(&self) -> u32 {
        self.asked.instances.unwrap_or(self.original_instances)
    }

    /// How many steps a canary has.
    #[must_use]
    pub fn total_steps(&self) -> u32 {
        self.canary_steps.as_ref().map_or(1, |steps| u32::try_from(steps.len()).unwrap_or(u32::MAX)).max(1)
    }

    /// Instances at the step a canary is at: its share of the new process, and of the old one what is left and one more,
    /// so that no step serves with fewer than before.
    #[must_use]
    pub fn canary(&self) -> CanaryStep {
        let place = self.canary_step.unwrap_or(1).saturating_sub(1);
        let weights = self.canary_steps.iter().flatten().copied();
        let Some(weight) = weights.clone().nth(usize::try_from(place).unwrap_or(usize::MAX)).or(weights.last()) else {
            return CanaryStep { new: self.target().min(1), old: self.original_instances };
        };
        let share = |of: u32| u32::try_from((u64::from(of) * u64::from(weight) + 50) / 100).unwrap_or(of).max(1);
        let old = if weight >= 100 { 0 } else { (self.original_instances + 1).saturating_sub(share(self.original_instances)) };
        CanaryStep { new: share(self.target()).min(self.target()), old }
    }
}

impl Record for DeploymentRow {
    record::head!(DeploymentGuid);
    const TABLE: &'static str = "deployments";
    const FIXED: &'static [&'static str] = &[
        "app_guid",
        "strategy",
        "max_in_flight",
        "droplet_guid",
        "previous_droplet_guid",
        "old_web_process_guid",
        "new_web_process_guid",
        "original_instances",
        "web_instances",
        "memory_in_mb",
        "disk_in_mb",
        "log_rate_limit_in_bytes_per_second",
        "canary_steps",
        "revision_guid",
        "revision_version",
    ];

    fn values(&self) -> Result<Values> {
        Values::new()
            .word("app_guid", self.app)
            .set("state", self.state.as_str())
            .set("strategy", self.strategy.as_str())
            .set("max_in_flight", self.max_in_flight)
            .word("droplet_guid", self.droplet)
            .opt_word("previous_droplet_guid", self.previous_droplet)
            .word("old_web_process_guid", self.old_web_process)
            .word("new_web_process_guid", self.new_web_process)
            .set("original_instances", self.original_instances)
            .set("web_instances", self.asked.instances.map(i64::from))
            .set("memory_in_mb", self.asked.memory_in_mb.map(u64::cast_signed))
            .set("disk_in_mb", self.asked.disk_in_mb.map(u64::cast_signed))
            .set("log_rate_limit_in_bytes_per_second", self.asked.log_rate_limit_in_bytes_per_second)
            .set("canary_steps", self.canary_steps.as_ref().map(|steps| json("canary_steps", steps)).transpose()?)
            .set("canary_current_step", self.canary_step.map(i64::from))
            .opt_word("revision_guid", self.revision.map(|(guid, _)| guid))
            .set("revision_version", self.revision.map(|(_, version)| i64::from(version)))
            .set("last_healthy_at", self.last_healthy_at)
            .set("status_changed_at", self.status_changed_at)
            .set("error", self.error.clone())
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            app: row.parsed("app_guid")?,
            state: row.parsed("state")?,
            strategy: row.parsed("strategy")?,
            max_in_flight: row.count("max_in_flight")?,
            droplet: row.parsed("droplet_guid")?,
            previous_droplet: row.opt_parsed("previous_droplet_guid")?,
            old_web_process: row.parsed("old_web_process_guid")?,
            new_web_process: row.parsed("new_web_process_guid")?,
            original_instances: row.count("original_instances")?,
            asked: AskedOfWeb {
                instances: row.opt_count("web_instances")?,
                memory_in_mb: row.opt_count("memory_in_mb")?,
                disk_in_mb: row.opt_count("disk_in_mb")?,
                log_rate_limit_in_bytes_per_second: row.opt_int("log_rate_limit_in_bytes_per_second")?,
            },
            canary_steps: row.opt_json("canary_steps")?,
            canary_step: row.opt_count("canary_current_step")?,
            revision: row.opt_parsed("revision_guid")?.zip(row.opt_count("revision_version")?),
            last_healthy_at: row.opt_time("last_healthy_at")?,
            status_changed_at: row.time("status_changed_at")?,
            error: row.opt_text("error")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(DeploymentRow);
record::of_app!(DeploymentRow);

/// The app's deployment that is still on its way, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn find_active(db: &mut Connection, app: AppGuid) -> Result<Option<DeploymentRow>> {
    let rest =
        "WHERE app_guid = $1 AND state IN ('DEPLOYING', 'PREPAUSED', 'PAUSED', 'CANCELING') ORDER BY created_at DESC, guid DESC LIMIT 1";
    record::first(db, rest, [app.to_string().into()]).await
}

/// Every deployment that is still on its way, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_active(db: &mut Connection) -> Result<Vec<DeploymentRow>> {
    record::all(db, "WHERE state IN ('DEPLOYING', 'PREPAUSED', 'PAUSED', 'CANCELING') ORDER BY created_at, guid", []).await
}

/// Which deployments a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentFilter {
    /// In these states.
    pub states: Option<Vec<String>>,
    /// Of these apps.
    pub of: OfApps,
}

/// A page of deployments.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &DeploymentFilter, visible: Visible, listing: &Listing) -> Result<Page<DeploymentRow>> {
    let mut select = Select::new("t.*", "deployments t JOIN apps a ON a.guid = t.app_guid");
    select.and_in_if("t.state", filter.states.as_deref()).and_of_apps(&filter.of, visible).and_listing(listing);
    select.page(db, listing, DeploymentRow::from_row).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(original: u32, target: Option<u32>, steps: Option<&[u8]>, step: u32) -> (u32, u32) {
        let now = Timestamp::UNIX_EPOCH;
        let row = DeploymentRow {
            guid: DeploymentGuid::random(),
            created_at: now,
            updated_at: now,
            app: AppGuid::random(),
            state: DeploymentState::Prepaused,
            strategy: DeploymentStrategy::Canary,
            max_in_flight: 1,
            droplet: DropletGuid::random(),
            previous_droplet: None,
            old_web_process: ProcessGuid::random(),
            new_web_process: ProcessGuid::random(),
            original_instances: original,
            asked: AskedOfWeb { instances: target, ..AskedOfWeb::default() },
            canary_steps: steps.map(<[u8]>::to_vec),
            canary_step: Some(step),
            revision: None,
            last_healthy_at: None,
            status_changed_at: now,
            error: None,
            metadata: Metadata::default(),
        };
        let CanaryStep { new, old } = row.canary();
        (new, old)
    }

    #[test]
    fn the_steps_of_a_canary_are_shares_of_what_runs() {
        let steps: Option<&[u8]> = Some(&[1, 20, 45, 100]);
        let at = |step| canary(10, None, steps, step);
        assert_eq!([at(1), at(2), at(3), at(4)], [(1, 10), (2, 9), (5, 6), (10, 0)]);
        assert_eq!(canary(10, None, None, 1), (1, 10));
        assert_eq!(canary(1, None, Some(&[50]), 1), (1, 1));
    }

    #[test]
    fn a_canary_that_is_also_scaled_takes_its_shares_of_both() {
        assert_eq!(canary(4, Some(10), Some(&[50]), 1), (5, 3));
        assert_eq!(canary(10, Some(2), Some(&[10]), 1), (1, 10));
        assert_eq!(canary(0, None, None, 1), (0, 0));
    }
}
