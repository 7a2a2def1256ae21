//! Requests about apps.

use crate::{metadata::MetadataPatch, processes::request::present, request::ToOne};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// `POST /v3/apps`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateApp {
    /// Unique in its space.
    pub name: String,
    /// Its space.
    pub relationships: AppRelationships,
    /// Buildpacks and stack.
    #[serde(default)]
    pub lifecycle: Option<Lifecycle>,
    /// The user's own environment.
    #[serde(default)]
    pub environment_variables: Option<BTreeMap<String, Value>>,
    /// Labels and annotations.
    #[serde(default)]
    pub metadata: Option<MetadataPatch>,
}

/// Where an app belongs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppRelationships {
    /// Its space.
    pub space: ToOne,
}

/// `{"app":{"data":{"guid":…}}}`, as packages, droplets and deployments have it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfApp {
    /// The app.
    pub app: ToOne,
}

/// `lifecycle` of apps and builds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// `buildpack`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Its settings.
    #[serde(default)]
    pub data: Option<LifecycleData>,
}

/// `lifecycle.data`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifecycleData {
    /// Names; an empty list asks for detection, and so does null.
    #[serde(default, deserialize_with = "present")]
    pub buildpacks: Option<Option<Vec<String>>>,
    /// Name.
    #[serde(default)]
    pub stack: Option<String>,
}

/// `PATCH /v3/apps/:guid`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateApp {
    /// A new name.
    #[serde(default)]
    pub name: Option<String>,
    /// Other buildpacks or another stack.
    #[serde(default)]
    pub lifecycle: Option<Lifecycle>,
    /// Labels and annotations.
    #[serde(default)]
    pub metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/apps/:guid/environment_variables`; null removes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateEnvironment {
    /// The variables.
    pub var: BTreeMap<String, Value>,
}

/// `PATCH /v3/apps/:guid/features/:name`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateFeature {
    /// On or off.
    pub enabled: bool,
}
