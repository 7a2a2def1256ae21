//! What an organization's quota allows its started apps together.

use crate::Result;
use virga_contract::ApiError;
use virga_model::OrgGuid;
use virga_store::{Connection, organization_quotas, processes};

/// Passes while everything that should run fits into the quota; called after the rows are written, before the commit.
///
/// # Errors
/// 422 in the Cloud Controller's words.
pub(crate) async fn check(db: &mut Connection, organization: OrgGuid) -> Result<()> {
    let Some(quota) = organization_quotas::of_organization(db, organization).await? else { return Ok(()) };
    let reserved = processes::reserved_in_organization(db, organization).await?;
    let over = |limit: Option<i64>, used: u64| limit.is_some_and(|limit| u64::try_from(limit).is_ok_and(|limit| used > limit));
    let mut problems = Vec::new();
    if over(quota.total_memory_in_mb, reserved.memory_in_mb) {
        problems.push("memory quota_exceeded".to_owned());
    }
    if over(quota.total_instances, reserved.instances) {
        problems.push("app_instance_limit app_instance_limit_exceeded".to_owned());
    }
    if over(quota.per_process_memory_in_mb, reserved.largest_memory_in_mb) {
        problems.push("memory instance_memory_limit_exceeded".to_owned());
    }
    if let Some(limit) = quota.log_rate_limit_in_bytes_per_second.filter(|limit| *limit >= 0) {
        if reserved.unlimited_log_processes > 0 {
            problems.push("log_rate_limit cannot be unlimited in organization with a log rate limit quota".to_owned());
        } else if reserved.log_rate_limit_in_bytes_per_second > limit {
            problems.push("log_rate_limit exceeds organization log rate quota".to_owned());
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(ApiError::unprocessable_all(problems).into()) }
}
