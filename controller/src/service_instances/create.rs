//! Making service instances.

use super::{
    body::{Check, check_members, check_parameters, name_taken},
    managed::{self, create::NewInstance},
    view::view,
};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::{self, Event},
    metadata::MetadataPatch,
    request::{ToOne, require_feature},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use virga_contract::ApiError;
use virga_model::{
    OrgGuid, ServiceInstanceGuid, SpaceGuid,
    service::{LastOperation, OperationKind, ServiceInstanceKind},
};
use virga_serve::{
    Base, Json,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    service_instances::{self, ServiceInstanceRow, place_of_credentials},
    service_usage_events,
};

/// Body of `POST /v3/service_instances`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateServiceInstance {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    tags: Option<Vec<String>>,
    credentials: Option<Map<String, Value>>,
    syslog_drain_url: Option<String>,
    route_service_url: Option<String>,
    parameters: Option<Map<String, Value>>,
    relationships: InstanceRelationships,
    metadata: Option<MetadataPatch>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceRelationships {
    space: ToOne,
    service_plan: Option<ToOne>,
}

impl CreateServiceInstance {
    /// The kind, where the members are those of its kind.
    fn checked(&self) -> Result<ServiceInstanceKind> {
        let must = || ApiError::unprocessable("Type must be one of 'managed', 'user-provided'");
        let kind: ServiceInstanceKind = self.kind.parse().map_err(|_| must())?;
        let members = [
            ("credentials", self.credentials.is_some(), ServiceInstanceKind::UserProvided),
            ("syslog_drain_url", self.syslog_drain_url.is_some(), ServiceInstanceKind::UserProvided),
            ("route_service_url", self.route_service_url.is_some(), ServiceInstanceKind::UserProvided),
            ("parameters", self.parameters.is_some(), ServiceInstanceKind::Managed),
            ("relationships.service_plan", self.relationships.service_plan.is_some(), ServiceInstanceKind::Managed),
        ];
        check_members(kind, &members)?;
        let mut check = Check::default();
        check.name(&self.name);
        check.tags(self.tags.as_deref().unwrap_or_default());
        check.credentials(self.credentials.as_ref().unwrap_or(&Map::new()));
        check.syslog_drain_url(self.syslog_drain_url.as_deref().unwrap_or_default());
        check.route_service_url(self.route_service_url.as_deref().unwrap_or_default());
        check.end()?;
        check_parameters(self.parameters.as_ref())?;
        Ok(kind)
    }
}

/// `POST /v3/service_instances`; for an instance of a plan, a job.
///
/// # Errors
/// 403 for who does not develop in the space and while the flag `service_instance_creation` is off; 422 for a space or plan that is
/// not there, a name that is taken, and for what breaks a rule.
pub async fn create(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Json(body): Json<CreateServiceInstance>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    require_feature(&mut tx, &access, "service_instance_creation").await?;
    let kind = body.checked()?;
    let no_space = || ApiError::unprocessable("Invalid space. Ensure that the space exists and you have access to it.");
    let space: SpaceGuid = body.relationships.space.parsed().ok_or_else(no_space)?;
    if !access.has_in_space(&mut tx, SpaceRight::See, space).await? {
        return Err(no_space().into());
    }
    let organization = access.in_space(&mut tx, SpaceRight::Write, space, "Space").await?.organization;
    if kind == ServiceInstanceKind::Managed {
        let new = NewInstance {
            name: body.name,
            tags: body.tags.unwrap_or_default(),
            plan: body.relationships.service_plan.as_ref().and_then(ToOne::parsed),
            parameters: body.parameters.unwrap_or_default(),
            metadata: MetadataPatch::create(body.metadata)?,
        };
        let job = managed::create::begin(&controller, &mut tx, &access, space, new).await?;
        tx.commit().await?;
        controller.nudge_jobs();
        return Ok(answer::job(&base, job));
    }
    let now = controller.now();
    let guid = ServiceInstanceGuid::random();
    let credentials = Value::Object(body.credentials.unwrap_or_default()).to_string();
    let instance = ServiceInstanceRow {
        guid,
        created_at: now,
        updated_at: now,
        name: body.name,
        space,
        kind,
        tags: body.tags.unwrap_or_default(),
        credentials: Some(controller.store.seal(place_of_credentials(guid), &credentials)?),
        syslog_drain_url: body.syslog_drain_url,
        route_service_url: body.route_service_url,
        plan: None,
        dashboard_url: None,
        maintenance_info: None,
        last_operation: LastOperation::done(OperationKind::Create, now),
        metadata: MetadataPatch::create(body.metadata)?,
    };
    service_instances::insert(&mut tx, &instance).await.map_err(|error| name_taken(error, &instance.name))?;
    service_usage_events::note(&mut tx, &instance, "CREATED", now).await?;
    // URLs may hold a password, as credentials do.
    let request = json!({ "type": kind, "name": instance.name, "tags": instance.tags, "credentials": "[PRIVATE DATA HIDDEN]" });
    record(&controller, &mut tx, &access, "create", &instance, organization, json!({ "request": request })).await?;
    tx.commit().await?;
    Ok(answer::created(view(&base, &instance, None)))
}

/// Records what was done to a user-provided instance: `create`, `update`, `delete`, `show`.
pub(super) async fn record(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    verb: &str,
    instance: &ServiceInstanceRow,
    organization: OrgGuid,
    data: Value,
) -> Result<()> {
    let event = Event {
        kind: &format!("audit.user_provided_service_instance.{verb}"),
        target_kind: "user_provided_service_instance",
        target: instance.guid.to_string(),
        target_name: &instance.name,
        data,
        space: Some(instance.space),
        organization: Some(organization),
    };
    audit_events::record(controller, db, access, event).await
}
