//! Service instances and their bindings: the words of their kinds and operations, and `VCAP_SERVICES`.

use crate::{ServiceCredentialBindingGuid, ServiceInstanceGuid, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt};

crate::words! {
    /// Who made what is behind a service instance.
    ServiceInstanceKind { Managed = "managed", UserProvided = "user-provided", }
    /// Whom a credential binding is for.
    BindingKind { App = "app", Key = "key", }
    /// What was last done to a service instance or binding.
    OperationKind { Create = "create", Update = "update", Delete = "delete", }
    /// How far that is.
    OperationState { Initial = "initial", InProgress = "in progress", Succeeded = "succeeded", Failed = "failed", }
    /// What is being done to a service broker.
    BrokerState {
        Synchronizing = "SYNCHRONIZING",
        SynchronizationFailed = "SYNCHRONIZATION_FAILED",
        Available = "AVAILABLE",
        DeleteInProgress = "DELETE_IN_PROGRESS",
    }
    /// Who sees a service plan.
    PlanVisibility { Public = "public", Admin = "admin", Organization = "organization", Space = "space", }
}

/// The label of user-provided instances in `VCAP_SERVICES`, where others have the name of their offering.
pub const USER_PROVIDED_LABEL: &str = "user-provided";

/// The domain under which apps reach the platform's own services that they are bound to: `<name>.services.internal`.
pub const SERVICES_DOMAIN: &str = "services.internal";

/// A name as a label of a host name (RFC 1123), in lower case; none where it has other letters than a host may have.
#[must_use]
pub fn host_label(name: &str) -> Option<String> {
    const MAX_BYTES: usize = 63;
    let is_label = (1..=MAX_BYTES).contains(&name.len())
        && name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    is_label.then(|| name.to_ascii_lowercase())
}

/// `last_operation` of a service instance or binding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastOperation {
    /// What is done.
    #[serde(rename = "type")]
    pub kind: OperationKind,
    /// How far it is.
    pub state: OperationState,
    /// More about it, for people.
    pub description: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When that was last heard of.
    pub updated_at: Timestamp,
}

impl LastOperation {
    /// One that was done at once.
    #[must_use]
    pub fn done(kind: OperationKind, now: Timestamp) -> Self {
        Self { kind, state: OperationState::Succeeded, description: "Operation succeeded".to_owned(), created_at: now, updated_at: now }
    }
}

/// The member of a user-provided instance's credentials that apps use without seeing it.
pub const HOST_HELD: &str = "host-held";

/// Credentials that stay with the platform: an app sends its requests to `http://<name>.services.internal`, the platform sends them on to `url`, with `headers`
/// that the app never had.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostHeld {
    /// Where requests go; their path is below its.
    pub url: String,
    /// What is added to each, in the place of what the app wrote there.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl fmt::Debug for HostHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostHeld")
    }
}

impl HostHeld {
    /// What credentials hold of it.
    ///
    /// # Errors
    /// When that is something else.
    pub fn of(credentials: &Map<String, Value>) -> Result<Option<Self>, serde_json::Error> {
        credentials.get(HOST_HELD).map(Self::deserialize).transpose()
    }
}

/// One binding of an app as the app sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundService {
    /// Name of the offering, [`USER_PROVIDED_LABEL`] without one.
    pub label: String,
    /// Name of the plan, for an instance that has one.
    pub plan: Option<String>,
    /// The offering, where it is one of the platform's own.
    pub own_offering: Option<String>,
    /// Words by which frameworks recognise a kind of service.
    pub tags: Vec<String>,
    /// The instance.
    pub instance: ServiceInstanceGuid,
    /// Its name.
    pub instance_name: String,
    /// The binding.
    pub binding: ServiceCredentialBindingGuid,
    /// Its name, where it has one.
    pub binding_name: Option<String>,
    /// Whether its credentials have a member [`HOST_HELD`] for the platform alone.
    pub is_host_held: bool,
    /// The secret: where the service is and how to enter.
    pub credentials: Map<String, Value>,
    /// Where the app's log lines go.
    pub syslog_drain_url: Option<String>,
    /// File systems of the service.
    pub volume_mounts: Vec<Value>,
}

impl BoundService {
    /// What the app may see of the credentials.
    fn shown_credentials(&self) -> Map<String, Value> {
        let mut shown = self.credentials.clone();
        if self.is_host_held {
            shown.remove(HOST_HELD);
            shown.insert("url".to_owned(), json!(format!("http://{}.{SERVICES_DOMAIN}", self.binding)));
        }
        shown
    }

    fn to_json(&self) -> Value {
        let mut service = json!({
            "label": self.label,
            "name": self.binding_name.as_ref().unwrap_or(&self.instance_name),
            "tags": self.tags,
            "instance_guid": self.instance,
            "instance_name": self.instance_name,
            "binding_guid": self.binding,
            "binding_name": self.binding_name,
            "credentials": self.shown_credentials(),
            "syslog_drain_url": self.syslog_drain_url,
            "volume_mounts": self.volume_mounts,
        });
        if let (Some(plan), Value::Object(service)) = (&self.plan, &mut service) {
            // A field of the first version of the broker protocol, which clients may look for; always null.
            service.insert("provider".to_owned(), Value::Null);
            service.insert("plan".to_owned(), json!(plan));
        }
        service
    }
}

/// The value of `VCAP_SERVICES`: the bindings by label, each label's in the order given. `{}` for none.
#[must_use]
pub fn vcap_services(bound: &[BoundService]) -> Value {
    let mut services = Map::new();
    for service in bound {
        let entry = services.entry(service.label.as_str()).or_insert_with(|| json!([]));
        if let Some(entries) = entry.as_array_mut() {
            entries.push(service.to_json());
        }
    }
    Value::Object(services)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(name: &str, binding_name: Option<&str>) -> BoundService {
        BoundService {
            label: USER_PROVIDED_LABEL.into(),
            plan: None,
            own_offering: None,
            is_host_held: false,
            tags: vec!["t".into()],
            instance: ServiceInstanceGuid::from_u128(1),
            instance_name: name.into(),
            binding: ServiceCredentialBindingGuid::from_u128(2),
            binding_name: binding_name.map(Into::into),
            credentials: Map::from_iter([("uri".to_owned(), json!("x://y"))]),
            syslog_drain_url: None,
            volume_mounts: vec![],
        }
    }

    #[test]
    fn what_the_host_holds_is_not_shown() {
        let held = json!({ "url": "https://api.example.com", "headers": { "authorization": "Bearer secret" } });
        let credentials = Map::from_iter([(HOST_HELD.to_owned(), held), ("region".to_owned(), json!("eu"))]);
        assert_eq!(HostHeld::of(&credentials).unwrap().unwrap().headers["authorization"], "Bearer secret");
        let service = BoundService { is_host_held: true, credentials, ..bound("api", None) };
        let expected = json!({ "region": "eu", "url": "http://00000000-0000-0000-0000-000000000002.services.internal" });
        assert_eq!(vcap_services(&[service])["user-provided"][0]["credentials"], expected);
    }

    #[test]
    fn vcap_services_is_grouped_by_label_and_a_bindings_own_name_wins() {
        assert_eq!(vcap_services(&[]), json!({}));
        let value =
            vcap_services(&[bound("db", None), bound("cache", Some("fast")), BoundService { label: "redis".into(), ..bound("r", None) }]);
        assert_eq!(value["redis"][0]["label"], "redis");
        let own = value["user-provided"].as_array().unwrap();
        assert_eq!(own.iter().map(|entry| entry["name"].as_str().unwrap()).collect::<Vec<_>>(), ["db", "fast"]);
        assert_eq!(
            own[1],
            json!({
                "label": "user-provided",
                "name": "fast",
                "tags": ["t"],
                "instance_guid": "00000000-0000-0000-0000-000000000001",
                "instance_name": "cache",
                "binding_guid": "00000000-0000-0000-0000-000000000002",
                "binding_name": "fast",
                "credentials": { "uri": "x://y" },
                "syslog_drain_url": null,
                "volume_mounts": [],
            })
        );
    }
}
