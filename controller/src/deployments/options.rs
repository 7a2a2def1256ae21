//! What a deployment may be asked for.

use super::request::{CreateDeployment, DeploymentOptions};
use crate::Result;
use virga_contract::ApiError;
use virga_model::state::DeploymentStrategy;
use virga_store::deployments::AskedOfWeb;

/// Most instances started at a time.
const MAX_IN_FLIGHT: u32 = 1_000;
/// Most steps of a canary.
const MAX_STEPS: usize = 100;

/// Checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) strategy: DeploymentStrategy,
    pub(super) max_in_flight: u32,
    pub(super) canary_steps: Option<Vec<u8>>,
    pub(super) asked: AskedOfWeb,
}

/// Checks what was asked, with every problem named.
///
/// # Errors
/// 422.
pub(super) fn check(request: &CreateDeployment) -> Result<Options> {
    let mut problems = Vec::new();
    let strategy = match request.strategy.as_deref() {
        None | Some("rolling") => DeploymentStrategy::Rolling,
        Some("canary") => DeploymentStrategy::Canary,
        Some(other) => {
            problems.push(format!("Strategy '{other}' is not a supported deployment strategy"));
            DeploymentStrategy::Rolling
        }
    };
    if request.revision.is_some() && request.droplet.is_some() {
        problems.push("Droplet Cannot set both fields 'droplet' and 'revision'".to_owned());
    }
    let options = request.options.clone().unwrap_or_default();
    let max_in_flight = number(options.max_in_flight, 1, u64::from(MAX_IN_FLIGHT));
    if options.max_in_flight.is_some() && max_in_flight.is_none() {
        problems.push(format!("Max in flight must be an integer between 1 and {MAX_IN_FLIGHT}"));
    }
    let instances = number(options.web_instances, 1, u64::from(u32::MAX));
    if options.web_instances.is_some() && instances.is_none() {
        problems.push("Web instances must be an integer greater than 0".to_owned());
    }
    let mut size = |value: Option<i64>, name: &str| {
        // How large it may be is the process's rule.
        let size = number(value, 1, u64::MAX);
        if value.is_some() && size.is_none() {
            problems.push(format!("{name} must be greater than 0"));
        }
        size
    };
    let (memory_in_mb, disk_in_mb) = (size(options.memory_in_mb, "Memory in mb"), size(options.disk_in_mb, "Disk in mb"));
    let canary_steps = canary_steps(&options, strategy, &mut problems);
    if !problems.is_empty() {
        return Err(ApiError::unprocessable_all(problems).into());
    }
    Ok(Options {
        strategy,
        max_in_flight: max_in_flight.and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
        canary_steps,
        asked: AskedOfWeb {
            instances: instances.and_then(|count| u32::try_from(count).ok()),
            memory_in_mb,
            disk_in_mb,
            log_rate_limit_in_bytes_per_second: options.log_rate_limit_in_bytes_per_second,
        },
    })
}

fn number(value: Option<i64>, least: u64, most: u64) -> Option<u64> {
    u64::try_from(value?).ok().filter(|number| (least..=most).contains(number))
}

fn canary_steps(options: &DeploymentOptions, strategy: DeploymentStrategy, problems: &mut Vec<String>) -> Option<Vec<u8>> {
    let canary = options.canary.as_ref()?;
    if strategy != DeploymentStrategy::Canary {
        problems.push("Options.canary are only valid for Canary deployments".to_owned());
        return None;
    }
    let steps = canary.steps.as_ref()?;
    let weight = |weight: i64| u8::try_from(weight).ok().filter(|weight| (1..=100).contains(weight));
    let Some(weights) = steps.iter().map(|step| weight(step.instance_weight)).collect::<Option<Vec<u8>>>() else {
        problems.push("Options.canary.steps.instance weight must be an Integer between 1-100 (inclusive)".to_owned());
        return None;
    };
    if !weights.is_sorted() {
        problems.push("Options.canary.steps.instance weight must be sorted in ascending order".to_owned());
    }
    if weights.len() > MAX_STEPS {
        problems.push(format!("Options.canary.steps must be at most {MAX_STEPS}"));
    }
    (!weights.is_empty()).then_some(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(body: &str) -> Result<Options, String> {
        let body = format!(r#"{{"relationships":{{"app":{{"data":{{"guid":"x"}}}}}},{body}}}"#);
        check(&serde_json::from_str(&body).unwrap()).map_err(|error| error.api().problems.iter().map(|(_, text)| text.as_str()).collect())
    }

    #[test]
    fn a_canary_has_steps_in_ascending_order() {
        let canary = |steps: &str| checked(&format!(r#""strategy":"canary","options":{{"canary":{{"steps":{steps}}}}}"#));
        let steps = canary(r#"[{"instance_weight":1},{"instance_weight":50},{"instance_weight":100}]"#).unwrap();
        assert_eq!((steps.strategy, steps.canary_steps), (DeploymentStrategy::Canary, Some(vec![1, 50, 100])));
        assert_eq!(canary("[]").unwrap().canary_steps, None);
        assert!(canary(r#"[{"instance_weight":0}]"#).unwrap_err().contains("between 1-100"));
        assert!(canary(r#"[{"instance_weight":101}]"#).unwrap_err().contains("between 1-100"));
        assert!(canary(r#"[{"instance_weight":2},{"instance_weight":1}]"#).unwrap_err().contains("ascending"));
        let rolling = r#""strategy":"rolling","options":{"canary":{"steps":[{"instance_weight":1}]}}"#;
        assert!(checked(rolling).unwrap_err().contains("only valid for Canary"));
    }

    #[test]
    fn sizes_that_are_null_stay() {
        let body = r#""options":{"max_in_flight":3,"web_instances":null,"memory_in_mb":null,"disk_in_mb":null,"log_rate_limit_in_bytes_per_second":null}"#;
        let options = checked(body).unwrap();
        assert_eq!((options.max_in_flight, options.asked), (3, AskedOfWeb::default()));
        assert!(checked(r#""options":{"max_in_flight":0}"#).is_err() && checked(r#""options":{"web_instances":0}"#).is_err());
        assert!(checked(r#""strategy":"recreate""#).unwrap_err().contains("not a supported"));
        assert!(checked(r#""droplet":{"guid":"a"},"revision":{"guid":"b"}"#).unwrap_err().contains("both fields"));
    }
}
