//! All SQL, migrations and transactions of Virga: the Cloud Controller's, the UAA's and the scheduler's tables, in SQLite
//! (one box, the default) or PostgreSQL (many), with one SQL text for both.
//!
//! Conventions, the same in every resource's file:
//!
//! - A file per resource holds `pub struct XRow` (typed fields: guids of `model`, [`virga_model::Timestamp`], state words,
//!   [`metadata::Metadata`]), its [`record::Record`] over [`row::Columns`], and the functions whose SQL is peculiar to it.
//! - Every function takes `db: &mut Connection` first. A read passes [`Store::read`]'s connection, a change passes the
//!   [`Transaction`] of [`Store::begin`]; both deref to [`Connection`], so reads work inside a transaction too.
//! - SQL texts are constants with `$1` placeholders. Types on the wire to the database are TEXT and BIGINT only: bind guids
//!   and words as `to_string()`, times as [`row::micros`], truth as [`row::truth`]. Both databases must run every text:
//!   no `RETURNING *` tricks, `CAST(SUM(x) AS BIGINT)` around sums, never a boolean expression as a column.
//! - A miss is `Ok(None)` (or `Ok(false)` for an update or delete by guid), never an error.
//! - Lists are assembled with [`select::Select`], which counts and pages and takes label selectors.
//! - What a resource's labels are must be written through [`metadata::index_labels`] too, in the same transaction.
//!
//! Nothing here decides anything: rules live in the rooms above.

pub mod error;
pub mod metadata;
pub mod record;
pub mod row;
pub mod sealing;
pub mod select;
mod start;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub mod app_usage_events;
pub mod apps;
pub mod audit_events;
pub mod buildpacks;
pub mod builds;
pub mod deployments;
pub mod domain_shares;
pub mod domains;
pub mod droplets;
pub mod environment_variable_groups;
pub mod feature_flags;
pub mod isolation_segments;
pub mod jobs;
pub mod network_policies;
pub mod organization_quotas;
pub mod organizations;
pub mod packages;
pub mod processes;
pub mod quotas;
pub mod resources;
pub mod revisions;
pub mod roles;
pub mod route_destinations;
pub mod route_shares;
pub mod router_groups;
pub mod routes;
pub mod scheduling;
pub mod security_groups;
pub mod service_brokers;
pub mod service_credential_bindings;
pub mod service_instance_shares;
pub mod service_instances;
pub mod service_offerings;
pub mod service_plans;
pub mod service_route_bindings;
pub mod service_usage_events;
pub mod space_quotas;
pub mod spaces;
pub mod stacks;
pub mod tasks;
pub mod uaa;
pub mod users;

pub use error::StoreError;
pub use sealing::{Sealed, SealingKey};
pub use store::{ReadConnection, Store, StoreOptions, Transaction};

/// A connection to either database. Functions of the resources' files take it by `&mut`.
pub type Connection = sqlx::AnyConnection;

/// Shorthand of this room.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
