//! The Cloud Controller: what users want, over the v3 API. It validates, authorises, writes rows and starts jobs; it runs
//! no app itself.
//!
//! The way of a request: [`routes`] (the one table of endpoints) → the handler in the folder of its resource (parses,
//! authorises through [`Access`]) → action (decides, in one transaction of the store) → the store's SQL → the resource's
//! `view` (JSON). Conventions:
//!
//! - A handler is `async fn name(State(controller): State<Controller>, access: Access, base: Base, …) -> Result<Response>`
//!   with extractors of `serve` (`Path`, `Json` with `deny_unknown_fields` structs) and [`list::ListRequest`]; it answers
//!   with [`answer`]. `?` turns errors of store, blobstore and contract into the right answer ([`error::Error`]).
//! - The transaction is taken first (`controller.store.begin()`), rights are asked inside it, so that nothing changes in
//!   between; reads use `controller.store.read()`.
//! - Follow-up work is a job ([`jobs::start`], or [`jobs::done`] where the transaction did it all) of a line in
//!   `jobs/table.rs`. One that waits for somebody else asks to be called again (`jobs::Outcome::Again`). After the commit: `controller.nudge_jobs()`, `controller.scheduler.nudge()` where desired state changed.
//! - What happened is recorded by [`audit_events::record`] in the same transaction.
//! - Times come from [`Controller::now`].

pub mod access;
mod again;
pub mod answer;
pub mod bootstrap;
mod controller;
mod dialect;
mod endpoint;
pub mod error;
mod fields;
pub mod jobs;
mod label_selector;
pub mod list;
pub mod metadata;
mod openapi;
mod rate_limit;
pub mod request;
pub mod routes;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

mod absent;
pub mod apps;
pub mod audit_events;
mod blobs;
mod buildpacks;
mod builds;
mod deployments;
pub mod domains;
mod droplets;
mod environment_variable_groups;
mod feature_flags;
mod isolation_segments;
mod log_cache;
pub mod manifests;
mod network_policies;
mod organization_quotas;
pub mod organizations;
pub mod packages;
mod processes;
mod quotas;
mod resource_matches;
mod retention;
mod revisions;
pub mod roles;
mod root;
mod router_groups;
pub mod routing;
mod security_groups;
mod service_brokers;
mod service_credential_bindings;
mod service_instances;
mod service_offerings;
mod service_operations;
mod service_plans;
mod service_route_bindings;
mod sidecars;
mod space_quotas;
pub mod spaces;
pub mod stacks;
mod sweep;
mod tasks;
mod usage_events;
pub mod users;

pub use access::{Access, OrgRight, SpaceRight};
pub use bootstrap::{Bootstrap, bootstrap};
pub use controller::{Controller, ControllerConfig, ControllerLimits, Parts};
pub use endpoint::{Endpoint, Who};
pub use error::{Error, Result};
pub use rate_limit::RateLimits;
