//! What is asked of a broker.

use crate::catalog::MaintenanceInfo;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use virga_model::{AppGuid, OrgGuid, ServiceCredentialBindingGuid, ServiceInstanceGuid, SpaceGuid};

/// A plan and its offering, by the ids that the broker gave them in its catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanIds {
    /// The offering's id.
    pub service: String,
    /// The plan's id.
    pub plan: String,
}

/// A binding and the instance it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindingIds {
    /// The instance.
    pub instance: ServiceInstanceGuid,
    /// The binding.
    pub binding: ServiceCredentialBindingGuid,
}

/// Where an instance lives, as a broker is told. Annotations are those with a prefix only; the caller chooses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The organization.
    pub organization: OrgGuid,
    /// Its name.
    pub organization_name: String,
    /// Its annotations.
    pub organization_annotations: BTreeMap<String, String>,
    /// The space.
    pub space: SpaceGuid,
    /// Its name.
    pub space_name: String,
    /// Its annotations.
    pub space_annotations: BTreeMap<String, String>,
    /// Name of the instance: told when an instance is made or changed.
    pub instance_name: Option<String>,
    /// Annotations of the instance: told when it is made.
    pub instance_annotations: Option<BTreeMap<String, String>>,
}

impl Context {
    pub(crate) fn to_json(&self) -> Value {
        let mut context = json!({
            "platform": crate::exchange::PLATFORM,
            "organization_guid": self.organization.to_string(),
            "space_guid": self.space.to_string(),
            "organization_name": self.organization_name,
            "space_name": self.space_name,
            "organization_annotations": self.organization_annotations,
            "space_annotations": self.space_annotations,
        });
        if let Some(object) = context.as_object_mut() {
            object.extend(self.instance_name.as_ref().map(|name| ("instance_name".to_owned(), json!(name))));
            object.extend(self.instance_annotations.as_ref().map(|annotations| ("instance_annotations".to_owned(), json!(annotations))));
        }
        context
    }
}

/// Make an instance.
#[derive(Debug, Clone)]
pub struct ProvisionRequest {
    /// The instance's guid, chosen by the platform: asking twice for the same makes one.
    pub instance: ServiceInstanceGuid,
    /// Of what plan.
    pub plan: PlanIds,
    /// For whom.
    pub context: Context,
    /// What the user gave; not sent when empty.
    pub parameters: Map<String, Value>,
    /// Version of the plan, where the plan has one.
    pub maintenance_info: Option<MaintenanceInfo>,
    /// Whether the broker may answer before it is done.
    pub accepts_incomplete: bool,
}

/// What an instance was before a change. Absent fields are not sent.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PreviousValues {
    /// The plan's id in the broker's catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    /// The offering's id in the broker's catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// The organization.
    #[serde(rename = "organization_id", skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The space.
    #[serde(rename = "space_id", skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// Version of the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_info: Option<MaintenanceInfo>,
}

/// Change an instance: its plan, its parameters, its name, the version of its plan.
#[derive(Debug, Clone)]
pub struct UpdateRequest {
    /// The instance.
    pub instance: ServiceInstanceGuid,
    /// The plan it is to have; its present one when that does not change.
    pub plan: PlanIds,
    /// For whom.
    pub context: Context,
    /// What the user gave. `None` is not sent; an empty object is.
    pub parameters: Option<Map<String, Value>>,
    /// What it was.
    pub previous: PreviousValues,
    /// Version of the plan it is to have.
    pub maintenance_info: Option<MaintenanceInfo>,
    /// Whether the broker may answer before it is done.
    pub accepts_incomplete: bool,
}

/// Delete an instance.
#[derive(Debug, Clone)]
pub struct DeprovisionRequest {
    /// The instance.
    pub instance: ServiceInstanceGuid,
    /// Its plan.
    pub plan: PlanIds,
    /// Whether the broker may answer before it is done.
    pub accepts_incomplete: bool,
}

/// What a binding is for.
#[derive(Debug, Clone)]
pub enum BindResource {
    /// An app.
    App {
        /// The app.
        app: AppGuid,
        /// The app's space: another than the instance's if that is shared.
        space: SpaceGuid,
        /// The app's annotations with a prefix.
        annotations: BTreeMap<String, String>,
    },
    /// A person or program outside, with a key.
    Key,
    /// A route, `host.domain/path`: the broker answers with the URL of a route service.
    Route(String),
}

impl BindResource {
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::App { app, space, annotations } => {
                json!({"app_guid": app.to_string(), "space_guid": space.to_string(), "app_annotations": annotations})
            }
            Self::Key => json!({}),
            Self::Route(route) => json!({ "route": route }),
        }
    }
}

/// Make a binding.
#[derive(Debug, Clone)]
pub struct BindRequest {
    /// The instance and the binding's own guid, chosen by the platform: asking twice for the same makes one.
    pub ids: BindingIds,
    /// The instance's plan.
    pub plan: PlanIds,
    /// For whom.
    pub context: Context,
    /// For what.
    pub resource: BindResource,
    /// What the user gave; not sent when empty.
    pub parameters: Map<String, Value>,
    /// The binding that this one is to follow (`binding_rotatable`).
    pub predecessor: Option<ServiceCredentialBindingGuid>,
    /// What `bind_resource` and the offering's `requires` allow in the answer; see [`crate::catalog::Service::requires`].
    pub requires: Vec<String>,
    /// Whether the broker may answer before it is done.
    pub accepts_incomplete: bool,
}

/// Delete a binding.
#[derive(Debug, Clone)]
pub struct UnbindRequest {
    /// The binding.
    pub ids: BindingIds,
    /// The instance's plan.
    pub plan: PlanIds,
    /// Whether the broker may answer before it is done.
    pub accepts_incomplete: bool,
}

/// Ask how far an operation is.
#[derive(Debug, Clone)]
pub struct LastOperationRequest {
    /// The instance.
    pub instance: ServiceInstanceGuid,
    /// Its binding, if the operation is one of a binding.
    pub binding: Option<ServiceCredentialBindingGuid>,
    /// The instance's plan.
    pub plan: PlanIds,
    /// What the broker called the operation when it began.
    pub operation: Option<String>,
}
