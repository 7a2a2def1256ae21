//! The rules of a process's own fields, alike for requests and manifests.

use super::request::{HealthCheckPatch, ScaleProcess};
use crate::{Controller, Result};
use virga_contract::ApiError;
use virga_model::process::{HealthCheck, HealthCheckType};
use virga_store::processes::ProcessRow;

/// Most instances of a process.
const MAX_INSTANCES: u32 = 10_000;
/// Most memory of an app instance: sixteen wasm instances of what a 32-bit guest can address.
const MAX_MEMORY_MB: u64 = 65_536;
/// Longest start-up, seconds.
const MAX_TIMEOUT_SECONDS: u32 = 180;
/// Longest probe and longest pause between probes, seconds.
const MAX_PROBE_SECONDS: u32 = 3_600;
/// Longest command, characters.
const MAX_COMMAND_CHARS: usize = 4_096;

/// Puts new numbers into a process.
///
/// # Errors
/// 422 with every number that is out of bounds.
pub(crate) fn scale(controller: &Controller, process: &mut ProcessRow, request: &ScaleProcess) -> Result<()> {
    let mut problems = Vec::new();
    let mut within = |value: Option<i64>, name: &str, least: u64, most: u64| {
        let number = u64::try_from(value?).ok().filter(|number| *number >= least && *number <= most);
        if number.is_none() {
            problems.push(format!("{name} must be between {least} and {most}"));
        }
        number
    };
    if let Some(instances) = within(request.instances, "Instances", 0, u64::from(MAX_INSTANCES)) {
        process.instances = u32::try_from(instances).unwrap_or(MAX_INSTANCES);
    }
    if let Some(memory) = within(request.memory_in_mb, "Memory in mb", 1, MAX_MEMORY_MB) {
        process.memory_in_mb = memory;
    }
    if let Some(disk) = within(request.disk_in_mb, "Disk in mb", 1, controller.config.limits.maximum_app_disk_mb) {
        process.disk_in_mb = disk;
    }
    if let Some(rate) = request.log_rate_limit_in_bytes_per_second {
        if rate < -1 {
            problems.push("Log rate limit in bytes per second must be greater than or equal to -1".to_owned());
        }
        process.log_rate_limit_in_bytes_per_second = rate;
    }
    if problems.is_empty() { Ok(()) } else { Err(ApiError::unprocessable_all(problems).into()) }
}

/// Puts a command into a process; `None` goes back to the droplet's.
///
/// # Errors
/// 422 for an empty or endless one.
pub(crate) fn command(process: &mut ProcessRow, command: Option<String>) -> Result<()> {
    if let Some(command) = &command {
        if command.is_empty() {
            return Err(ApiError::unprocessable("Command must not be empty").into());
        }
        if command.chars().count() > MAX_COMMAND_CHARS {
            return Err(ApiError::unprocessable(format!("Command must be between 1 and {MAX_COMMAND_CHARS} characters")).into());
        }
    }
    process.command = command;
    Ok(())
}

/// Passes for the one user there is.
///
/// # Errors
/// 422 for any other.
pub(crate) fn check_user(user: Option<&str>) -> Result<()> {
    match user {
        None | Some("vcap") => Ok(()),
        Some(other) => Err(ApiError::unprocessable(format!("User must be one of: 'vcap' ('{other}' is not)")).into()),
    }
}

/// Puts a change into a health check. Another type begins with that type's defaults, as in the Cloud Controller.
///
/// # Errors
/// 422 with everything that is wrong.
pub(crate) fn health_check(check: &mut HealthCheck, patch: HealthCheckPatch, readiness: bool) -> Result<()> {
    let subject = if readiness { "Readiness health check" } else { "Health check" };
    let mut problems = Vec::new();
    let mut new = check.clone();
    if let Some(word) = patch.kind {
        match word.parse::<HealthCheckType>() {
            Ok(kind) if kind == new.kind => {}
            Ok(kind) => new = HealthCheck { timeout_seconds: new.timeout_seconds, ..HealthCheck::of(kind) },
            Err(_) => problems.push(format!("{subject} type must be \"port\", \"process\", or \"http\"")),
        }
    }
    let data = patch.data.unwrap_or_default();
    let mut seconds = |target: &mut Option<u32>, value: Option<Option<i64>>, name: &str, most: u32| match value {
        None => {}
        Some(None) => *target = None,
        Some(Some(number)) => match u32::try_from(number).ok().filter(|number| (1..=most).contains(number)) {
            Some(number) => *target = Some(number),
            None => problems.push(format!("{subject} {name} must be between 1 and {most}")),
        },
    };
    if readiness && data.timeout.is_some() {
        return Err(ApiError::unprocessable("Unknown field(s): 'timeout'").into());
    }
    seconds(&mut new.timeout_seconds, data.timeout, "timeout", MAX_TIMEOUT_SECONDS);
    seconds(&mut new.invocation_timeout_seconds, data.invocation_timeout, "invocation timeout", MAX_PROBE_SECONDS);
    seconds(&mut new.interval_seconds, data.interval, "interval", MAX_PROBE_SECONDS);
    match data.endpoint {
        None => {}
        Some(None) => new.endpoint = None,
        Some(Some(_)) if new.kind != HealthCheckType::Http => {
            problems.push(format!("{subject} type must be \"http\" to set a health check HTTP endpoint"));
        }
        Some(Some(path)) if !path.starts_with('/') || path.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            problems.push(format!("{subject} endpoint must be a valid URI path"));
        }
        Some(Some(path)) => new.endpoint = Some(path),
    }
    if !problems.is_empty() {
        return Err(ApiError::unprocessable_all(problems).into());
    }
    *check = new;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(check: &HealthCheck, json: &str) -> Result<HealthCheck> {
        let mut check = check.clone();
        health_check(&mut check, serde_json::from_str(json).unwrap(), false)?;
        Ok(check)
    }

    #[test]
    fn another_type_forgets_what_belonged_to_the_old_one() {
        let http = patched(
            &HealthCheck::of(HealthCheckType::Port),
            r#"{"type":"http","data":{"endpoint":"/up","timeout":90,"invocation_timeout":2}}"#,
        )
        .unwrap();
        assert_eq!((http.endpoint.as_deref(), http.timeout_seconds), (Some("/up"), Some(90)));
        let port = patched(&http, r#"{"type":"port"}"#).unwrap();
        assert_eq!((port.endpoint, port.timeout_seconds, port.invocation_timeout_seconds), (None, Some(90), None));
        assert_eq!(patched(&http, r#"{"data":{"timeout":null}}"#).unwrap().timeout_seconds, None);
    }

    #[test]
    fn what_cannot_be_is_refused_whole() {
        let port = HealthCheck::of(HealthCheckType::Port);
        for bad in [r#"{"type":"tcp"}"#, r#"{"data":{"endpoint":"/x"}}"#, r#"{"data":{"timeout":181}}"#, r#"{"data":{"interval":0}}"#] {
            assert!(patched(&port, bad).is_err(), "{bad}");
        }
        let http = HealthCheck::of(HealthCheckType::Http);
        for bad in [r#"{"data":{"endpoint":"x"}}"#, r#"{"data":{"endpoint":"/a b"}}"#, r#"{"data":{"endpoint":"/a\r\nHost: x"}}"#] {
            assert!(patched(&http, bad).is_err(), "{bad}");
        }
    }
}
