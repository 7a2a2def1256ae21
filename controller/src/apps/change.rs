//! The rules of an app's own fields, alike for requests and manifests.

use super::request::Lifecycle;
use crate::{Error, Result, buildpacks};
use serde_json::Value;
use std::collections::BTreeMap;
use virga_contract::{ApiError, ErrorCode};
use virga_model::environment::is_reserved;
use virga_store::{Connection, StoreError, apps::AppRow};

/// The one stack; clients that know Cloud Foundry send this name.
pub(crate) const STACK: &str = "cflinuxfs4";
/// Bytes of an app's own environment, names and values together.
const MAX_ENVIRONMENT_BYTES: usize = 256 << 10;

/// The error of a name that another app of the space has, in the words clients match.
pub(crate) fn name_taken(error: StoreError, name: &str) -> Error {
    if error.is_unique("apps_space_guid_name") {
        return ApiError::new(ErrorCode::UniquenessError, format!("App with the name '{name}' already exists.")).into();
    }
    error.into()
}

/// Puts a lifecycle into an app.
///
/// # Errors
/// 422 for another type than `buildpack`, an unknown buildpack or stack.
pub(crate) async fn lifecycle(db: &mut Connection, app: &mut AppRow, lifecycle: Lifecycle) -> Result<()> {
    match lifecycle.kind.as_deref() {
        None | Some("buildpack") => {}
        Some("docker") => return Err(ApiError::new(ErrorCode::DockerDisabled, "Docker support has not been enabled.").into()),
        Some(other) => {
            return Err(ApiError::unprocessable(format!("Lifecycle type is not included in the list: buildpack ('{other}' is not)")).into());
        }
    }
    let data = lifecycle.data.unwrap_or_default();
    if let Some(names) = data.buildpacks {
        app.buildpacks = buildpacks::known(db, names.unwrap_or_default()).await?;
    }
    if let Some(stack) = data.stack {
        if stack != STACK {
            return Err(ApiError::unprocessable(format!("Stack must be an existing stack: '{STACK}' is the one there is")).into());
        }
        app.stack = stack;
    }
    Ok(())
}

/// The environment after a change: null removes.
///
/// # Errors
/// 422 for names that are the platform's, for values that are no strings, and for more than the limit.
pub(crate) fn environment(old: &BTreeMap<String, String>, change: BTreeMap<String, Value>) -> Result<BTreeMap<String, String>> {
    let mut new = old.clone();
    let mut problems = Vec::new();
    for (name, value) in change {
        if name.is_empty() || name.contains(['=', '\0']) {
            problems.push("Environment variable names must not be empty and must not contain '='".to_owned());
        } else if is_reserved(&name) {
            problems.push(format!("cannot set {name}: it belongs to the platform (PORT, VCAP_*, VMC_*)"));
        }
        match value {
            Value::Null => drop(new.remove(&name)),
            Value::String(text) if text.contains('\0') => problems.push(format!("the value of '{name}' must not contain a NUL byte")),
            Value::String(text) => drop(new.insert(name, text)),
            other => problems.push(format!("Non-string value in environment variable for key '{name}', value '{other}'")),
        }
    }
    if new.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_ENVIRONMENT_BYTES {
        problems.push(format!("environment variables must not exceed {MAX_ENVIRONMENT_BYTES} bytes together"));
    }
    if problems.is_empty() { Ok(new) } else { Err(ApiError::unprocessable_all(problems).into()) }
}
