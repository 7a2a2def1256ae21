//! Whether what was just written still fits. Every function here is called after the rows are written and before the commit,
//! and lets one transaction at a time decide about an organization.

use crate::Result;
use virga_contract::ApiError;
use virga_model::{AppGuid, OrgGuid, SpaceGuid};
use virga_store::{
    Connection, organization_quotas, organizations,
    quotas::{self, Promised, QuotaLimits, QuotaScope},
    space_quotas, spaces,
};

/// A quota and what it holds for.
struct Held {
    /// `space` or `organization`.
    word: &'static str,
    /// Name of the space or organization.
    name: String,
    scope: QuotaScope,
    limits: QuotaLimits,
}

/// The quotas that hold for a space: its own, if it has one, then the organization's.
async fn held(db: &mut Connection, space: SpaceGuid) -> Result<Vec<Held>> {
    let row = spaces::find(db, space).await?.ok_or_else(|| ApiError::not_found("Space"))?;
    let organization = row.organization;
    quotas::lock(db, organization).await?;
    let mut held = Vec::new();
    if let Some(quota) = space_quotas::of_space(db, space).await? {
        held.push(Held { word: "space", name: row.name, scope: QuotaScope::Space(space), limits: quota.limits });
    }
    if let Some(quota) = organization_quotas::of_organization(db, organization).await? {
        let name = name_of(db, organization).await?;
        held.push(Held { word: "organization", name, scope: QuotaScope::Organization(organization), limits: quota.limits });
    }
    Ok(held)
}

async fn name_of(db: &mut Connection, organization: OrgGuid) -> Result<String> {
    Ok(organizations::find(db, organization).await?.map(|organization| organization.name).unwrap_or_default())
}

fn over(limit: Option<i64>, used: u64) -> bool {
    limit.is_some_and(|limit| i64::try_from(used).map_or(true, |used| used > limit))
}

impl Held {
    fn is_space(&self) -> bool {
        matches!(self.scope, QuotaScope::Space(_))
    }

    /// What is promised here: to processes, and to tasks.
    async fn promised(&self, db: &mut Connection) -> Result<(Promised, Promised)> {
        Ok((quotas::processes(db, self.scope).await?, quotas::tasks(db, self.scope).await?))
    }

    fn over_memory(&self, (processes, tasks): &(Promised, Promised)) -> bool {
        over(self.limits.total_memory_in_mb, processes.memory_in_mb.saturating_add(tasks.memory_in_mb))
    }

    /// What the limit on logs says of something that has itself no limit, or one that all together are measured by.
    fn log_problems(&self, is_unlimited: bool, (processes, tasks): &(Promised, Promised)) -> Vec<String> {
        let Some(limit) = self.limits.log_rate_limit_in_bytes_per_second else { return Vec::new() };
        if is_unlimited {
            return vec![format!("log_rate_limit cannot be unlimited in {} '{}'.", self.word, self.name)];
        }
        let rate = processes.log_rate_limit_in_bytes_per_second.saturating_add(tasks.log_rate_limit_in_bytes_per_second);
        if rate > limit { vec![format!("log_rate_limit exceeds {} log rate quota", self.word)] } else { Vec::new() }
    }
}

/// Passes while the app's started processes fit into the quotas of its space and organization.
///
/// # Errors
/// 422 in the Cloud Controller's words.
pub(crate) async fn check_app(db: &mut Connection, app: AppGuid, space: SpaceGuid) -> Result<()> {
    let mut problems: [Vec<String>; 4] = std::array::from_fn(|_| Vec::new());
    let (largest, is_unlimited) = quotas::of_app(db, app).await?;
    for held in held(db, space).await? {
        let promised = held.promised(db).await?;
        let prefix = if held.is_space() { "space_" } else { "" };
        let [memory, instance_memory, instances, logs] = &mut problems;
        if held.over_memory(&promised) {
            memory.push(format!("memory {prefix}quota_exceeded"));
        }
        if over(held.limits.per_process_memory_in_mb, largest) {
            instance_memory.push(format!("memory {prefix}instance_memory_limit_exceeded"));
        }
        if over(held.limits.total_instances, promised.0.count) {
            instances.push(format!("app_instance_limit {prefix}app_instance_limit_exceeded"));
        }
        logs.extend(held.log_problems(is_unlimited, &promised));
    }
    refuse(problems.concat())
}

/// Passes while a task that was just written fits.
///
/// # Errors
/// 422 in the Cloud Controller's words.
pub(crate) async fn check_task(db: &mut Connection, space: SpaceGuid, memory_in_mb: u64, log_rate_limit: i64) -> Result<()> {
    let mut problems = Vec::new();
    for held in held(db, space).await?.into_iter().rev() {
        let promised = held.promised(db).await?;
        let word = held.word;
        if held.over_memory(&promised) {
            problems.push(format!("memory_in_mb exceeds {word} memory quota"));
        }
        if over(held.limits.per_process_memory_in_mb, memory_in_mb) {
            problems.push(format!("memory_in_mb exceeds {word} instance memory quota"));
        }
        problems.extend(held.log_problems(log_rate_limit < 0, &promised));
        if over(held.limits.per_app_tasks, promised.1.count) {
            problems.push("app_task_limit quota exceeded".to_owned());
        }
    }
    refuse(problems)
}

/// Passes while the routes of a space fit.
///
/// # Errors
/// 422 naming the space or organization.
pub(crate) async fn check_routes(db: &mut Connection, space: SpaceGuid) -> Result<()> {
    for held in held(db, space).await? {
        let used = quotas::routes(db, held.scope).await?;
        let (word, name) = (held.word, &held.name);
        if over(held.limits.total_routes, used.routes) {
            return Err(ApiError::unprocessable(format!("Routes quota exceeded for {word} '{name}'.")).into());
        }
        if over(held.limits.total_reserved_ports, used.reserved_ports) {
            return Err(ApiError::unprocessable(format!("Reserved route ports quota exceeded for {word} '{name}'.")).into());
        }
    }
    Ok(())
}

/// Passes while the instances of service plans of a space fit, one of them of a plan that costs money or not.
///
/// # Errors
/// 422 in the Cloud Controller's words.
pub(crate) async fn check_service_instances(db: &mut Connection, space: SpaceGuid, is_paid: bool) -> Result<()> {
    for held in held(db, space).await? {
        if is_paid && !held.limits.paid_services_allowed {
            let place = if held.is_space() { " for your space" } else { "" };
            let detail = format!("The service instance cannot be created because paid service plans are not allowed{place}.");
            return Err(ApiError::unprocessable(detail).into());
        }
        if over(held.limits.total_service_instances, quotas::service_instances(db, held.scope).await?) {
            return Err(ApiError::unprocessable(format!("You have exceeded your {}'s services limit.", held.word)).into());
        }
    }
    Ok(())
}

/// Passes while the service keys of a space fit.
///
/// # Errors
/// 422 in the Cloud Controller's words.
pub(crate) async fn check_service_keys(db: &mut Connection, space: SpaceGuid) -> Result<()> {
    for held in held(db, space).await? {
        if over(held.limits.total_service_keys, quotas::service_keys(db, held.scope).await?) {
            return Err(ApiError::unprocessable(format!("You have exceeded your {}'s limit for service keys.", held.word)).into());
        }
    }
    Ok(())
}

fn refuse(problems: Vec<String>) -> Result<()> {
    if problems.is_empty() { Ok(()) } else { Err(ApiError::unprocessable(problems.join(", ")).into()) }
}
