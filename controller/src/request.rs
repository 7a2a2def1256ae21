//! What bodies of requests share: relationships, names, flags of the whole platform.

use crate::{Access, Result};
use serde::Deserialize;
use std::str::FromStr;
use virga_contract::{ApiError, ErrorCode};
use virga_store::{Connection, feature_flags};

/// `{"guid": …}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuidRef {
    /// As written; it may be no guid at all.
    pub guid: String,
}

/// `{"data": {"guid": …}}` or `{"data": null}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToOne {
    /// The one, if any. The Python client writes none as `{"guid": null}`.
    #[serde(default, deserialize_with = "one_or_none")]
    pub data: Option<GuidRef>,
}

fn one_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<GuidRef>, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Data {
        guid: Option<String>,
    }
    let data = Option::<Data>::deserialize(deserializer)?;
    Ok(data.and_then(|data| data.guid).map(|guid| GuidRef { guid }))
}

/// `{"data": [{"guid": …}]}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToMany {
    /// The many.
    pub data: Vec<GuidRef>,
}

impl GuidRef {
    /// The guid, if it is one; what is none names nothing.
    #[must_use]
    pub fn parsed<G: FromStr>(&self) -> Option<G> {
        self.guid.parse().ok()
    }
}

impl ToOne {
    /// The guid of the one, if there is one and it is a guid.
    #[must_use]
    pub fn parsed<G: FromStr>(&self) -> Option<G> {
        self.data.as_ref().and_then(GuidRef::parsed)
    }
}

/// Passes for what may be the name of an organization, space, app, quota.
///
/// # Errors
/// 422 with Cloud Foundry's sentences.
pub fn check_name(name: &str) -> Result<()> {
    const MAX_CHARS: usize = 255;
    if name.trim().is_empty() {
        return Err(ApiError::unprocessable("Name can't be blank").into());
    }
    if name.chars().count() > MAX_CHARS {
        return Err(ApiError::unprocessable(format!("Name is too long (maximum is {MAX_CHARS} characters)")).into());
    }
    if name.chars().any(char::is_control) {
        return Err(ApiError::unprocessable("Name must contain only printable characters").into());
    }
    Ok(())
}

/// Every feature flag of Cloud Foundry with its default.
pub const FEATURE_FLAGS: &[(&str, bool)] = &[
    ("app_bits_upload", true),
    ("app_scaling", true),
    ("diego_cnb", false),
    ("diego_docker", false),
    ("env_var_visibility", true),
    ("hash_based_routing", false),
    ("hide_marketplace_from_unauthenticated_users", false),
    ("private_domain_creation", true),
    ("resource_matching", true),
    ("route_creation", true),
    ("route_sharing", false),
    ("service_instance_creation", true),
    ("service_instance_sharing", false),
    ("set_roles_by_username", true),
    ("space_developer_env_var_visibility", true),
    ("space_scoped_private_broker_creation", true),
    ("task_creation", true),
    ("unset_roles_by_username", true),
    ("user_org_creation", false),
];

/// Whether a feature is on.
///
/// # Errors
/// Those of the database.
pub async fn is_enabled(db: &mut Connection, flag: &str) -> Result<bool> {
    let default = FEATURE_FLAGS.iter().any(|(name, default)| *name == flag && *default);
    Ok(feature_flags::find(db, flag).await?.map_or(default, |set| set.enabled))
}

/// Passes where a feature is on; administrators are no exception.
///
/// # Errors
/// 403 `FeatureDisabled` with the operator's own message or the flag's name.
pub async fn require_flag(db: &mut Connection, flag: &str) -> Result<()> {
    if is_enabled(db, flag).await? {
        return Ok(());
    }
    let message = feature_flags::find(db, flag).await?.and_then(|set| set.custom_error_message).unwrap_or_else(|| flag.to_owned());
    Err(ApiError::new(ErrorCode::FeatureDisabled, format!("Feature Disabled: {message}")).into())
}

/// Passes where a feature is on, and for administrators always.
///
/// # Errors
/// 403 `FeatureDisabled` with the operator's own message or the flag's name.
pub async fn require_feature(db: &mut Connection, access: &Access, flag: &str) -> Result<()> {
    if access.is_admin() { Ok(()) } else { require_enabled(db, flag).await }
}

/// Passes where a feature is on, whoever asks.
///
/// # Errors
/// As [`require_feature`].
pub async fn require_enabled(db: &mut Connection, flag: &str) -> Result<()> {
    if is_enabled(db, flag).await? {
        return Ok(());
    }
    let message = feature_flags::find(db, flag).await?.and_then(|set| set.custom_error_message).unwrap_or_else(|| flag.to_owned());
    Err(ApiError::new(ErrorCode::FeatureDisabled, format!("Feature Disabled: {message}")).into())
}
