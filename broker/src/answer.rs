//! What a broker's answers mean: the protocol's status codes, one table per request.

use serde_json::{Map, Value};
use std::time::Duration;
use virga_model::service::OperationState;

/// Whether what was asked for is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is.
    Done,
    /// It goes on at the broker; ask [`crate::BrokerClient::last_operation`].
    InProgress {
        /// The broker's name for it, to be sent back when asking. At most 10,000 characters.
        operation: Option<String>,
    },
}

/// An instance was made, or is being made.
#[derive(Debug, Clone, PartialEq)]
pub struct Provisioned {
    /// How far.
    pub progress: Progress,
    /// The broker had this very instance already (200 instead of 201).
    pub existed: bool,
    /// Where people administer it.
    pub dashboard_url: Option<String>,
    /// What the broker says of the instance (`metadata`): `labels` and `attributes`, as it sent them.
    pub metadata: Option<Map<String, Value>>,
}

/// An instance was changed, or is being changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Updated {
    /// How far.
    pub progress: Progress,
    /// Where people administer it, if that is new.
    pub dashboard_url: Option<String>,
    /// What the broker says of the instance, if that is new.
    pub metadata: Option<Map<String, Value>>,
}

/// An instance or binding was deleted, or is being deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// How far.
    pub progress: Progress,
    /// The broker had none of this guid (410): as good as deleted.
    pub was_gone: bool,
}

/// What a binding gives.
#[derive(Clone, PartialEq, Default)]
pub struct Binding {
    /// The secret.
    pub credentials: Map<String, Value>,
    /// Where logs of the app go.
    pub syslog_drain_url: Option<String>,
    /// Where requests of the route go; https always.
    pub route_service_url: Option<String>,
    /// Volumes, as the broker sent them.
    pub volume_mounts: Vec<Value>,
    /// When the binding ends (`metadata.expires_at`), as the broker sent it.
    pub expires_at: Option<String>,
    /// When it should have been followed by another (`metadata.renew_before`), as the broker sent it.
    pub renew_before: Option<String>,
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URLs hold secrets as often as the credentials do.
        f.debug_struct("Binding").field("volume_mounts", &self.volume_mounts.len()).finish_non_exhaustive()
    }
}

/// A binding was made, or is being made.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// How far.
    pub progress: Progress,
    /// The broker had this very binding already (200 instead of 201).
    pub existed: bool,
    /// What it gives. Empty while in progress: fetch it when it is done.
    pub binding: Binding,
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationStatus {
    /// In progress, succeeded or failed. A broker that knows neither instance nor binding (410) has ended a deletion:
    /// `Succeeded` with [`Self::is_gone`]; after anything else than a deletion the caller has to take that as a failure.
    pub state: OperationState,
    /// The broker's words, without control characters, at most 10,000 characters.
    pub description: Option<String>,
    /// When the broker wants to be asked again. Not yet limited; [`crate::Polling`] does that.
    pub retry_after: Option<Duration>,
    /// The broker answered 410.
    pub is_gone: bool,
    /// After a failed change or deletion: whether the instance still works.
    pub instance_usable: Option<bool>,
    /// After a failed change: whether it makes sense to try it again.
    pub update_repeatable: Option<bool>,
}

/// What a broker knows of an instance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchedInstance {
    /// The parameters it was made or changed with.
    pub parameters: Map<String, Value>,
    /// Where people administer it.
    pub dashboard_url: Option<String>,
    /// Its offering's id.
    pub service_id: Option<String>,
    /// Its plan's id.
    pub plan_id: Option<String>,
    /// What the broker says of it.
    pub metadata: Option<Map<String, Value>>,
}

/// What a broker knows of a binding.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchedBinding {
    /// The parameters it was made with.
    pub parameters: Map<String, Value>,
    /// What it gives.
    pub binding: Binding,
}
