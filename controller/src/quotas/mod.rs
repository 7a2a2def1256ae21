//! What quotas of organizations and of spaces share: their bodies, how they are shown, and whether something still fits.

mod body;
mod check;
mod usage;
mod view;

pub(crate) use body::{AppLimits, Limit, RouteLimits, ServiceLimits, check_name, named, put_limits, set, unlimited_logs};
pub(crate) use check::{check_app, check_routes, check_service_instances, check_service_keys, check_task};
pub use usage::{of_organization, of_platform, of_space};
pub(crate) use view::head;
