//! What every handler and job has at hand.

use crate::{RateLimits, builds::BuildNudge, jobs::JobNudge, rate_limit::Limiter};
use std::{ops::Deref, sync::Arc};
use tokio_util::task::TaskTracker;
use virga_blobstore::Blobstore;
use virga_broker::{Brokers, Polling};
use virga_contract::{
    logs::{LogCache, LogSink},
    scheduling::Scheduler,
    staging::Stager,
};
use virga_model::Timestamp;
use virga_serve::Clock;
use virga_store::{Store, row::cut_to_micros};

/// What an installation's controller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerConfig {
    /// The system domain, such as `virga.localhost`. No route may take one of its host names.
    pub system_domain: String,
    /// The first shared domain, such as `apps.virga.localhost`.
    pub apps_domain: String,
    /// The shared domain of service discovery, `apps.internal`.
    pub internal_domain: String,
    /// Names besides the system domain's at which the platform answers; routes cannot take them either.
    pub external_names: Vec<String>,
    /// Whether the platform has services of its own, which are registered at its start.
    pub own_services: bool,
    /// Limits and defaults.
    pub limits: ControllerLimits,
}

/// Limits and defaults of the v3 API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerLimits {
    /// Memory of an app instance when none is asked for, MB (default 256).
    pub default_app_memory_mb: u64,
    /// Disk of an app instance when none is asked for, MB (default 1,024).
    pub default_app_disk_mb: u64,
    /// Most disk of an app instance, MB (default 2,048).
    pub maximum_app_disk_mb: u64,
    /// Memory of a staging, MB (default 1,024).
    pub staging_memory_mb: u64,
    /// Disk of a staging, MB (default 4,096).
    pub staging_disk_mb: u64,
    /// Wall time of a staging, seconds (default 900).
    pub staging_timeout_seconds: u64,
    /// Stagings at a time (default 2); more wait.
    pub concurrent_stagings: usize,
    /// Most bytes of an uploaded package (default 1 GiB).
    pub maximum_package_bytes: u64,
    /// Days that audit events and finished jobs are kept (default 31).
    pub keep_events_days: u32,
    /// Requests of one caller (off by default).
    pub rate: RateLimits,
}

impl Default for ControllerLimits {
    fn default() -> Self {
        Self {
            default_app_memory_mb: 256,
            default_app_disk_mb: 1024,
            maximum_app_disk_mb: 2048,
            staging_memory_mb: 1024,
            staging_disk_mb: 4096,
            staging_timeout_seconds: 900,
            concurrent_stagings: 2,
            maximum_package_bytes: 1 << 30,
            keep_events_days: 31,
            rate: RateLimits::default(),
        }
    }
}

/// What the controller works with. Everything but rows and blobs is reached through a trait of `contract`.
pub struct Parts {
    /// Rows.
    pub store: Store,
    /// Bits.
    pub blobs: Blobstore,
    /// Makes droplets of packages.
    pub stager: Arc<dyn Stager>,
    /// Makes desired instances real.
    pub scheduler: Arc<dyn Scheduler>,
    /// Takes `API` and `STG` lines.
    pub logs: Arc<dyn LogSink>,
    /// Answers `/api/v1/read`.
    pub log_cache: Arc<dyn LogCache>,
    /// Speaks to service brokers.
    pub brokers: Brokers,
    /// How often brokers are asked how far they are.
    pub polling: Polling,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// What it is told.
    pub config: ControllerConfig,
}

/// The Cloud Controller. Cheap to clone; derefs to its [`Parts`]. It is the state of every handler
/// (`State<Controller>`) and the first argument of every job.
#[derive(Clone)]
pub struct Controller(Arc<Inner>);

struct Inner {
    parts: Parts,
    jobs: JobNudge,
    builds: BuildNudge,
    background: TaskTracker,
    limiter: Limiter,
}

impl Controller {
    /// A controller of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let limiter = Limiter::new(parts.config.limits.rate.clone());
        let (jobs, builds, background) = (JobNudge::default(), BuildNudge::default(), TaskTracker::new());
        Self(Arc::new(Inner { parts, jobs, builds, background, limiter }))
    }

    /// Now, as precise as the database keeps it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        cut_to_micros(self.clock.now())
    }

    /// Wakes whoever runs jobs; to be rung after the commit of a transaction that wrote one. Forgetting it only delays.
    pub fn nudge_jobs(&self) {
        self.0.jobs.notify_one();
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    pub(crate) fn job_nudge(&self) -> &JobNudge {
        &self.0.jobs
    }

    /// Wakes whoever stages builds, as [`Controller::nudge_jobs`].
    pub(crate) fn nudge_builds(&self) {
        self.0.builds.notify_one();
    }

    pub(crate) fn build_nudge(&self) -> &BuildNudge {
        &self.0.builds
    }

    /// Does work that nobody waits for and that may be lost with the process (a cache); [`crate::jobs::run`] waits for it at
    /// the end.
    pub(crate) fn background(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.background.spawn(work));
    }

    /// Ends once everything in the background is done.
    pub(crate) async fn background_done(&self) {
        self.0.background.close();
        self.0.background.wait().await;
    }
}

impl Deref for Controller {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}
