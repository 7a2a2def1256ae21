//! Bodies of requests.

use crate::Result;
use serde::{Deserialize, Deserializer};
use virga_contract::ApiError;
use virga_model::QuotaGuid;
use virga_store::{
    Connection,
    quotas::{self, QuotaKind, QuotaLimits},
};

/// Most characters of a name.
const MAX_NAME_CHARS: usize = 250;
/// Names of those in the way that an error lists.
const NAMED_IN_THE_WAY: usize = 2;

/// A limit in a request: not named (stays), `null` (unlimited), or a number.
pub(crate) type Limit = Option<Option<i64>>;

pub(crate) fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Limit, D::Error> {
    Option::<i64>::deserialize(deserializer).map(Some)
}

/// `apps`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AppLimits {
    #[serde(deserialize_with = "named")]
    total_memory_in_mb: Limit,
    #[serde(deserialize_with = "named")]
    per_process_memory_in_mb: Limit,
    #[serde(deserialize_with = "named")]
    total_instances: Limit,
    #[serde(deserialize_with = "named")]
    per_app_tasks: Limit,
    #[serde(deserialize_with = "named")]
    log_rate_limit_in_bytes_per_second: Limit,
}

/// `services`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServiceLimits {
    paid_services_allowed: Option<bool>,
    #[serde(deserialize_with = "named")]
    total_service_instances: Limit,
    #[serde(deserialize_with = "named")]
    total_service_keys: Limit,
}

/// `routes`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RouteLimits {
    #[serde(deserialize_with = "named")]
    total_routes: Limit,
    #[serde(deserialize_with = "named")]
    total_reserved_ports: Limit,
}

/// Sets a limit that was named, and says what is wrong with it.
pub(crate) fn set(what: &str, name: &str, wanted: Limit, current: &mut Option<i64>, most: i64) -> Option<String> {
    match wanted {
        None => None,
        Some(None) => {
            *current = None;
            None
        }
        Some(Some(number)) if (0..=most).contains(&number) => {
            *current = Some(number);
            None
        }
        Some(Some(number)) if number < 0 => Some(format!("{what} {name} must be greater than or equal to 0")),
        Some(Some(_)) => Some(format!("{what} {name} must be less than or equal to {most}")),
    }
}

/// Puts what was named into the limits, and says everything that is wrong with it.
pub(crate) fn put_limits(limits: &mut QuotaLimits, apps: &AppLimits, services: &ServiceLimits, routes: &RouteLimits) -> Vec<String> {
    const MAX_INT: i64 = i32::MAX as i64;
    let wrong = [
        set("Apps", "total memory in mb", apps.total_memory_in_mb, &mut limits.total_memory_in_mb, MAX_INT),
        set("Apps", "per process memory in mb", apps.per_process_memory_in_mb, &mut limits.per_process_memory_in_mb, MAX_INT),
        set("Apps", "total instances", apps.total_instances, &mut limits.total_instances, MAX_INT),
        set("Apps", "per app tasks", apps.per_app_tasks, &mut limits.per_app_tasks, MAX_INT),
        set(
            "Apps",
            "log rate limit in bytes per second",
            apps.log_rate_limit_in_bytes_per_second,
            &mut limits.log_rate_limit_in_bytes_per_second,
            i64::MAX,
        ),
        set("Services", "total service instances", services.total_service_instances, &mut limits.total_service_instances, MAX_INT),
        set("Services", "total service keys", services.total_service_keys, &mut limits.total_service_keys, MAX_INT),
        set("Routes", "total routes", routes.total_routes, &mut limits.total_routes, MAX_INT),
        set("Routes", "total reserved ports", routes.total_reserved_ports, &mut limits.total_reserved_ports, MAX_INT),
    ];
    limits.paid_services_allowed = services.paid_services_allowed.unwrap_or(limits.paid_services_allowed);
    let mut wrong: Vec<String> = wrong.into_iter().flatten().collect();
    if let (Some(ports), Some(routes)) = (limits.total_reserved_ports, limits.total_routes)
        && ports > routes
    {
        wrong.push("Routes total reserved ports must be less than or equal to total routes".to_owned());
    }
    wrong
}

/// Passes for what may be the name of a quota.
///
/// # Errors
/// 422.
pub(crate) fn check_name(name: &str) -> Result<()> {
    crate::request::check_name(name)?;
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(ApiError::unprocessable(format!("Name is too long (maximum is {MAX_NAME_CHARS} characters)")).into());
    }
    Ok(())
}

/// Passes unless the quota limits logs while it holds for processes that have no limit on theirs.
///
/// # Errors
/// 422 naming the organizations or spaces in the way.
pub(crate) async fn unlimited_logs(db: &mut Connection, kind: QuotaKind, quota: QuotaGuid, limits: &QuotaLimits) -> Result<()> {
    if limits.log_rate_limit_in_bytes_per_second.is_none() {
        return Ok(());
    }
    let names = quotas::with_unlimited_logs(db, kind, quota).await?;
    let word = match kind {
        QuotaKind::Organization => "org",
        QuotaKind::Space => "space",
    };
    let listed = names.iter().take(NAMED_IN_THE_WAY).map(|name| format!("'{name}'")).collect::<Vec<_>>();
    let where_to = match names.len() {
        0 => return Ok(()),
        1 => format!("{word} {} which contains", listed.concat()),
        2 => format!("{word}s {} which contain", listed.join(", ")),
        more => format!("{word}s {} and {} other {word}s which contain", listed.join(", "), more - NAMED_IN_THE_WAY),
    };
    Err(ApiError::unprocessable(format!(
        "Current usage exceeds new quota values. This quota is applied to {where_to} apps running with an unlimited log rate limit."
    ))
    .into())
}
