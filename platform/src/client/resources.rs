//! The members of v3 resources that the command line reads; everything else is ignored.

use super::error::ErrorItem;
use serde::Deserialize;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub struct Page<T> {
    /// Links to other pages.
    pub pagination: Pagination,
    /// What is on this one.
    pub resources: Vec<T>,
}

/// Links of a page.
#[derive(Debug, Deserialize)]
pub struct Pagination {
    /// The next page.
    pub next: Option<Link>,
}

/// A link.
#[derive(Debug, Deserialize)]
pub struct Link {
    /// Where it leads.
    pub href: String,
}

/// A background job.
#[derive(Debug, Deserialize)]
pub struct Job {
    /// `PROCESSING`, `POLLING`, `COMPLETE`, `FAILED`.
    pub state: String,
    /// Why it failed.
    #[serde(default)]
    pub errors: Vec<ErrorItem>,
}

/// Organization, space or anything else of which only guid and name matter.
#[derive(Debug, Clone, Deserialize)]
pub struct Resource {
    /// Its guid.
    pub guid: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// An app.
#[derive(Debug, Clone, Deserialize)]
pub struct App {
    /// Its guid.
    pub guid: String,
    /// Its name.
    pub name: String,
    /// `STARTED` or `STOPPED`.
    pub state: String,
    /// How it is staged.
    pub lifecycle: Lifecycle,
}

/// The lifecycle of an app.
#[derive(Debug, Clone, Deserialize)]
pub struct Lifecycle {
    /// Its settings.
    pub data: LifecycleData,
}

/// Settings of the buildpack lifecycle.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LifecycleData {
    /// The stack.
    pub stack: Option<String>,
}

/// A process.
#[derive(Debug, Clone, Deserialize)]
pub struct Process {
    /// Its guid.
    pub guid: String,
    /// `web`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Desired instances.
    pub instances: u32,
    /// Memory of one instance.
    pub memory_in_mb: u64,
    /// Start command; hidden in lists.
    pub command: Option<String>,
    /// The app it belongs to.
    #[serde(default)]
    pub relationships: Relationships,
}

/// What a resource belongs to; to-one, to-many and null members, of which only the first kind is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Relationships(serde_json::Value);

impl Relationships {
    /// The guid of a to-one relationship.
    pub fn guid(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.get("data")?.get("guid")?.as_str()
    }
}

/// A bare guid.
#[derive(Debug, Clone, Deserialize)]
pub struct Guid {
    /// The guid.
    pub guid: String,
}

/// The answer of `…/stats`, which is not paged.
#[derive(Debug, Deserialize)]
pub struct StatsPage {
    /// One per index.
    pub resources: Vec<Stats>,
}

/// One instance.
#[derive(Debug, Clone, Deserialize)]
pub struct Stats {
    /// 0-based.
    pub index: u32,
    /// `RUNNING`, `STARTING`, `CRASHED`, `DOWN`, `STOPPING`.
    pub state: String,
    /// Whether every router knows it.
    #[serde(default)]
    pub routable: Option<bool>,
    /// Seconds in this state.
    #[serde(default)]
    pub uptime: u64,
    /// Memory limit, bytes.
    #[serde(default)]
    pub mem_quota: Option<u64>,
    /// Disk limit, bytes.
    #[serde(default)]
    pub disk_quota: Option<u64>,
    /// Log rate limit, bytes per second; -1 is unlimited.
    #[serde(default)]
    pub log_rate_limit: Option<i64>,
    /// Crash reason or placement error.
    #[serde(default)]
    pub details: Option<String>,
    /// Measured use.
    #[serde(default)]
    pub usage: Usage,
}

/// Measured use of one instance.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// 1.0 is one core.
    pub cpu: f64,
    /// 1.0 is all the instance is entitled to.
    pub cpu_entitlement: Option<f64>,
    /// Bytes.
    pub mem: u64,
    /// Bytes.
    pub disk: u64,
    /// Bytes per second.
    pub log_rate: u64,
}

/// A route.
#[derive(Debug, Clone, Deserialize)]
pub struct Route {
    /// Its guid.
    pub guid: String,
    /// First label.
    #[serde(default)]
    pub host: String,
    /// Path, may be empty.
    #[serde(default)]
    pub path: String,
    /// `http` or `tcp`.
    #[serde(default)]
    pub protocol: String,
    /// Host, domain and path together.
    pub url: String,
    /// Where it leads.
    #[serde(default)]
    pub destinations: Vec<Destination>,
    /// Domain and space.
    #[serde(default)]
    pub relationships: Relationships,
}

/// Where a route leads.
#[derive(Debug, Clone, Deserialize)]
pub struct Destination {
    /// The app.
    pub app: Guid,
    /// Protocol towards it.
    #[serde(default)]
    pub protocol: Option<String>,
}

/// A package of source bits.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// Its guid.
    pub guid: String,
    /// `AWAITING_UPLOAD`, `PROCESSING_UPLOAD`, `READY`, `FAILED`, `EXPIRED`.
    pub state: String,
    /// Why it failed.
    #[serde(default)]
    pub data: PackageData,
}

/// Details of a package.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PackageData {
    /// Why it failed.
    pub error: Option<String>,
}

/// One staging.
#[derive(Debug, Clone, Deserialize)]
pub struct Build {
    /// Its guid.
    pub guid: String,
    /// `STAGING`, `STAGED`, `FAILED`.
    pub state: String,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
    /// What came out.
    #[serde(default)]
    pub droplet: Option<Guid>,
    /// What only Virga says.
    #[serde(default)]
    pub virga: BuildTimes,
}

/// How long the steps of a staging took; empty for a server that does not say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BuildTimes {
    /// In order.
    pub steps: Vec<BuildStep>,
}

/// One step of a staging.
#[derive(Debug, Clone, Deserialize)]
pub struct BuildStep {
    /// `fetch`, `detect`, `build`, `package`, `compile`.
    pub name: String,
    /// Milliseconds.
    pub duration_ms: u64,
}

/// A droplet.
#[derive(Debug, Clone, Deserialize)]
pub struct Droplet {
    /// When it was made.
    pub created_at: String,
    /// Who built it.
    #[serde(default)]
    pub buildpacks: Option<Vec<UsedBuildpack>>,
    /// The stack.
    #[serde(default)]
    pub stack: Option<String>,
}

/// A buildpack that took part.
#[derive(Debug, Clone, Deserialize)]
pub struct UsedBuildpack {
    /// Name on the platform.
    pub name: String,
    /// Name it gives itself.
    #[serde(default)]
    pub buildpack_name: Option<String>,
    /// What detection said.
    #[serde(default)]
    pub detect_output: Option<String>,
    /// Its version.
    #[serde(default)]
    pub version: Option<String>,
}

/// A deployment.
#[derive(Debug, Clone, Deserialize)]
pub struct Deployment {
    /// Its guid.
    pub guid: String,
    /// What it is doing.
    pub status: DeploymentStatus,
}

/// What a deployment is doing.
#[derive(Debug, Clone, Deserialize)]
pub struct DeploymentStatus {
    /// `ACTIVE` or `FINALIZED`.
    pub value: String,
    /// `DEPLOYING`, `PAUSED`, `DEPLOYED`, `CANCELED`, `SUPERSEDED`.
    pub reason: String,
}
