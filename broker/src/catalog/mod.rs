//! A broker's catalog: what it offers. Only a catalog that keeps every rule becomes a [`Catalog`].

mod schema;
mod semver;
mod validate;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Everything a broker offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    /// The offerings, at least one; ids and names are unique.
    pub services: Vec<Service>,
}

/// An offering.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// The broker's id of it.
    pub id: String,
    /// Its name in the marketplace.
    pub name: String,
    /// What it is, at most 10,000 characters.
    pub description: String,
    /// Whether instances can be bound, where the plan says nothing else.
    pub bindable: bool,
    /// Words by which frameworks recognise a kind of service; together at most 2,048 characters.
    pub tags: Vec<String>,
    /// `syslog_drain`, `route_forwarding`, `volume_mount`: what bindings may give beyond credentials.
    pub requires: Vec<String>,
    /// For people and front ends, kept as it came.
    pub metadata: Option<Map<String, Value>>,
    /// The client of single sign-on for its dashboards.
    pub dashboard_client: Option<DashboardClient>,
    /// Whether an instance may change its plan, where the plan says nothing else.
    pub plan_updateable: bool,
    /// Whether an instance can be fetched with its parameters.
    pub instances_retrievable: bool,
    /// Whether a binding can be fetched; asynchronous bindings need it.
    pub bindings_retrievable: bool,
    /// Whether the broker wants to hear of a new name of an instance.
    pub allow_context_updates: bool,
    /// The plans, at least one; ids are unique in the catalog, names in the offering.
    pub plans: Vec<Plan>,
}

impl Service {
    /// Whether instances may be shared with other spaces (`metadata.shareable`).
    #[must_use]
    pub fn shareable(&self) -> bool {
        self.metadata.as_ref().and_then(|metadata| metadata.get("shareable")).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Where its manual is (`metadata.documentationUrl`).
    #[must_use]
    pub fn documentation_url(&self) -> Option<&str> {
        self.metadata.as_ref()?.get("documentationUrl")?.as_str()
    }
}

/// A plan of an offering. Its costs and bullets are in its metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The broker's id of it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is, at most 10,000 characters.
    pub description: String,
    /// Whether it costs nothing.
    pub free: bool,
    /// Whether instances can be bound; `None`: as the offering says.
    pub bindable: Option<bool>,
    /// Whether an instance may change from this plan to another; `None`: as the offering says.
    pub plan_updateable: Option<bool>,
    /// Whether bindings can be followed by others (`binding_rotatable`).
    pub binding_rotatable: bool,
    /// For people and front ends, kept as it came: `costs`, `bullets` and more.
    pub metadata: Option<Map<String, Value>>,
    /// The version of what is behind it.
    pub maintenance_info: Option<MaintenanceInfo>,
    /// Seconds after which an operation that is still in progress has failed.
    pub maximum_polling_duration: Option<u64>,
    /// JSON schemas of parameters.
    pub schemas: Schemas,
}

/// The version of what is behind a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceInfo {
    /// A semantic version.
    pub version: String,
    /// What is new in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Schemas of what users may give as parameters; each at most 64 KiB of JSON, without references to elsewhere.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schemas {
    /// When an instance is made.
    pub instance_create: Option<Map<String, Value>>,
    /// When an instance is changed.
    pub instance_update: Option<Map<String, Value>>,
    /// When a binding is made.
    pub binding_create: Option<Map<String, Value>>,
}

/// The client with which a dashboard logs its visitors in.
#[derive(Clone, PartialEq, Eq)]
pub struct DashboardClient {
    /// Id of the client.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Where visitors go back to.
    pub redirect_uri: String,
}

impl std::fmt::Debug for DashboardClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DashboardClient").field("id", &self.id).finish_non_exhaustive()
    }
}
