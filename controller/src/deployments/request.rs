//! Requests about deployments.

use crate::{apps::request::OfApp, metadata::MetadataPatch, request::GuidRef};
use serde::Deserialize;

/// `POST /v3/deployments`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateDeployment {
    /// What is deployed; the app's current droplet where absent.
    #[serde(default)]
    pub droplet: Option<GuidRef>,
    /// A revision to go back to.
    #[serde(default)]
    pub revision: Option<GuidRef>,
    /// `rolling` or `canary`.
    #[serde(default)]
    pub strategy: Option<String>,
    /// How fast, and with what.
    #[serde(default)]
    pub options: Option<DeploymentOptions>,
    /// The app.
    pub relationships: OfApp,
    /// Labels and annotations.
    #[serde(default)]
    pub metadata: Option<MetadataPatch>,
}

/// `options`; the CLI sends null for what is not set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeploymentOptions {
    /// Instances started at a time.
    pub max_in_flight: Option<i64>,
    /// Steps of a canary.
    pub canary: Option<CanaryOptions>,
    /// Instances of the new web process.
    pub web_instances: Option<i64>,
    /// Its memory.
    pub memory_in_mb: Option<i64>,
    /// Its disk.
    pub disk_in_mb: Option<i64>,
    /// Its log limit.
    pub log_rate_limit_in_bytes_per_second: Option<i64>,
}

/// `options.canary`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CanaryOptions {
    /// Its steps; one instance and then the rest where there are none.
    pub steps: Option<Vec<CanaryStep>>,
}

/// One of `options.canary.steps`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanaryStep {
    /// Percent of the instances that run what is deployed, 1 to 100.
    pub instance_weight: i64,
}
