//! Requests about packages, builds and droplets.

use crate::{
    apps::request::{Lifecycle, OfApp},
    metadata::MetadataPatch,
    request::GuidRef,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// `POST /v3/packages`; a copy (`?source_guid=`) has no type.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreatePackage {
    /// `bits`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Settings of other types.
    #[serde(default)]
    pub data: Option<Value>,
    /// Its app.
    pub relationships: OfApp,
    /// Labels and annotations.
    #[serde(default)]
    pub metadata: Option<MetadataPatch>,
}

/// `PATCH` of packages, builds, droplets and deployments, of which only labels and annotations can be changed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateMetadata {
    /// Labels and annotations.
    #[serde(default)]
    pub metadata: Option<MetadataPatch>,
}

/// `POST /v3/builds`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateBuild {
    /// What is staged.
    pub package: GuidRef,
    /// Buildpacks and stack, over the app's.
    #[serde(default)]
    pub lifecycle: Option<Lifecycle>,
    /// Memory of staging.
    #[serde(default)]
    pub staging_memory_in_mb: Option<i64>,
    /// Disk of staging.
    #[serde(default)]
    pub staging_disk_in_mb: Option<i64>,
    /// Log of staging; accepted, and not limited further than any app's log is.
    #[serde(default)]
    pub staging_log_rate_limit_bytes_per_second: Option<i64>,
    /// Labels and annotations.
    #[serde(default)]
    pub metadata: Option<MetadataPatch>,
}

/// `POST /v3/droplets`; a copy (`?source_guid=`) has no process types.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateDroplet {
    /// Its app.
    pub relationships: OfApp,
    /// Process types and commands, over those in the archive.
    #[serde(default)]
    pub process_types: Option<BTreeMap<String, String>>,
    /// Labels and annotations.
    #[serde(default)]
    pub metadata: Option<MetadataPatch>,
}

/// `POST /v3/resource_matches`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchResources {
    /// Files the client could leave out; each is sent back as it came.
    pub resources: Vec<Value>,
}
