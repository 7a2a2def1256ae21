//! Changing and deleting service instances.

use super::{
    body::{Check, check_members, check_parameters, name_taken},
    create::record,
    managed::{
        self,
        update::{Begun, Change},
    },
    read::permitted,
    view::{plan_of, view},
};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    metadata::MetadataPatch,
    processes::request::present,
    request::ToOne,
    service_credential_bindings as bindings,
    service_operations::{Order, Provider},
    service_route_bindings,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{
    AppGuid, ServiceInstanceGuid, SpaceGuid,
    service::{HOST_HELD, LastOperation, OperationKind, ServiceInstanceKind, vcap_services},
    service_files,
};
use virga_serve::{
    Base, Json, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, StoreError, Transaction, apps, service_credential_bindings as binding_rows, service_instance_shares,
    service_instances::{self, ServiceInstanceRow, place_of_credentials},
    service_route_bindings as route_binding_rows, service_usage_events,
};

/// Bytes of an app's `VCAP_SERVICES`.
const MAX_SERVICES_BYTES: usize = 256 << 10;
/// Apps whose credentials are in memory at a time.
const APPS_AT_ONCE: usize = 20;

/// Body of `PATCH /v3/service_instances/:guid`. What is null goes back to nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateServiceInstance {
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    tags: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "present")]
    credentials: Option<Option<Map<String, Value>>>,
    #[serde(default, deserialize_with = "present")]
    syslog_drain_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    route_service_url: Option<Option<String>>,
    parameters: Option<Map<String, Value>>,
    maintenance_info: Option<MaintenanceVersion>,
    relationships: Option<UpdateRelationships>,
    metadata: Option<MetadataPatch>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaintenanceVersion {
    version: String,
    /// Clients send it along; what counts is the plan's.
    #[serde(rename = "description")]
    _description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateRelationships {
    service_plan: Option<ToOne>,
}

impl UpdateServiceInstance {
    fn check(&self, kind: ServiceInstanceKind) -> Result<()> {
        let members = [
            ("credentials", self.credentials.is_some(), ServiceInstanceKind::UserProvided),
            ("syslog_drain_url", self.syslog_drain_url.is_some(), ServiceInstanceKind::UserProvided),
            ("route_service_url", self.route_service_url.is_some(), ServiceInstanceKind::UserProvided),
            ("parameters", self.parameters.is_some(), ServiceInstanceKind::Managed),
            ("maintenance_info", self.maintenance_info.is_some(), ServiceInstanceKind::Managed),
            ("relationships", self.relationships.is_some(), ServiceInstanceKind::Managed),
        ];
        check_members(kind, &members)?;
        check_parameters(self.parameters.as_ref())?;
        let mut check = Check::default();
        if let Some(name) = &self.name {
            check.name(name);
        }
        check.tags(self.tags.as_ref().and_then(Option::as_deref).unwrap_or_default());
        check.credentials(self.credentials.as_ref().and_then(Option::as_ref).unwrap_or(&Map::new()));
        check.syslog_drain_url(self.syslog_drain_url.as_ref().and_then(Option::as_deref).unwrap_or_default());
        check.route_service_url(self.route_service_url.as_ref().and_then(Option::as_deref).unwrap_or_default());
        check.end()
    }
}

impl UpdateServiceInstance {
    fn of_managed(self) -> Result<Change> {
        let unseen = "Invalid service plan. Ensure that the service plan exists, is available, and you have access to it.";
        let plan = self.relationships.and_then(|relationships| relationships.service_plan);
        let plan = plan.map(|plan| plan.parsed().ok_or_else(|| ApiError::unprocessable(unseen))).transpose()?;
        Ok(Change {
            name: self.name,
            tags: self.tags.map(Option::unwrap_or_default),
            metadata: self.metadata,
            plan,
            parameters: self.parameters,
            version: self.maintenance_info.map(|info| info.version),
        })
    }
}

/// `PATCH /v3/service_instances/:guid`; a job where a broker has to be asked. Apps see new credentials once they are restarted.
///
/// # Errors
/// 404, 403, 409 while something else is done to the instance, 422 for a name that is taken and for what breaks a rule.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceInstanceGuid>,
    Json(body): Json<UpdateServiceInstance>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut instance, organization) = permitted(&mut tx, &access, SpaceRight::Write, guid).await?;
    body.check(instance.kind)?;
    if instance.kind == ServiceInstanceKind::Managed {
        return match managed::update::begin(&controller, &mut tx, &access, instance, body.of_managed()?).await? {
            Begun::Done(instance) => {
                let bindings = binding_rows::list_of_instance(&mut tx, guid).await?;
                fits(&controller, &mut tx, &bindings.into_iter().filter_map(|binding| binding.app).collect::<Vec<_>>()).await?;
                let plan = plan_of(&mut tx, &instance).await?;
                tx.commit().await?;
                Ok(answer::ok(view(&base, &instance, plan.as_ref())))
            }
            Begun::Job(job) => {
                tx.commit().await?;
                controller.nudge_jobs();
                Ok(answer::job(&base, job))
            }
        };
    }
    let now = controller.now();
    let is_renamed = body.name.as_ref().is_some_and(|name| *name != instance.name);
    let mut request = Map::new();
    if let Some(name) = body.name {
        request.insert("name".to_owned(), json!(name));
        instance.name = name;
    }
    let are_tagged = body.tags.is_some();
    if let Some(tags) = body.tags {
        instance.tags = tags.unwrap_or_default();
        request.insert("tags".to_owned(), json!(instance.tags));
    }
    let is_led_elsewhere = body.route_service_url.is_some();
    if let Some(url) = body.route_service_url {
        instance.route_service_url = url;
    }
    let drain = body.syslog_drain_url.is_some();
    if let Some(url) = body.syslog_drain_url {
        instance.syslog_drain_url = url;
    }
    let credentials = body.credentials.map(Option::unwrap_or_default);
    if let Some(credentials) = &credentials {
        instance.credentials = Some(controller.store.seal(place_of_credentials(guid), &json!(credentials).to_string())?);
        request.insert("credentials".to_owned(), json!("[PRIVATE DATA HIDDEN]"));
    }
    if let Some(patch) = body.metadata {
        patch.apply(&mut instance.metadata)?;
    }
    instance.last_operation = LastOperation::done(OperationKind::Update, now);
    service_instances::update(&mut tx, &mut instance, now).await.map_err(|error| name_taken(error, &instance.name))?;
    if is_renamed {
        service_usage_events::note(&mut tx, &instance, "UPDATED", now).await?;
    }
    if is_led_elsewhere {
        service_route_bindings::hand_on(&controller, &mut tx, &access, &instance).await?;
    }
    if credentials.is_some() || drain {
        hand_on(&controller, &mut tx, &instance, credentials.as_ref()).await?;
    } else if is_renamed || are_tagged {
        let bindings = binding_rows::list_of_instance(&mut tx, instance.guid).await?;
        fits(&controller, &mut tx, &bindings.into_iter().filter_map(|binding| binding.app).collect::<Vec<_>>()).await?;
    }
    record(&controller, &mut tx, &access, "update", &instance, organization, json!({ "request": request })).await?;
    tx.commit().await?;
    // Names and what the platform holds change without a restart.
    controller.scheduler.nudge();
    Ok(answer::ok(view(&base, &instance, None)))
}

/// Gives every binding of an instance what the instance has now.
async fn hand_on(
    controller: &Controller,
    db: &mut Connection,
    instance: &ServiceInstanceRow,
    credentials: Option<&Map<String, Value>>,
) -> Result<()> {
    let mut apps = Vec::new();
    for mut binding in binding_rows::list_of_instance(db, instance.guid).await? {
        binding.syslog_drain_url.clone_from(&instance.syslog_drain_url);
        if let Some(credentials) = credentials {
            let place = binding_rows::place_of_credentials(binding.guid);
            binding.credentials = Some(controller.store.seal(place, &json!(credentials).to_string())?);
            binding.is_host_held = credentials.contains_key(HOST_HELD);
        }
        apps.extend(binding.app);
        binding_rows::update(db, &mut binding, controller.now()).await?;
    }
    fits(controller, db, &apps).await
}

/// Refuses what one of these apps could not be given.
async fn fits(controller: &Controller, db: &mut Connection, bound: &[AppGuid]) -> Result<()> {
    match unfit(controller, db, bound).await? {
        None => Ok(()),
        Some((app, detail)) => Err(ApiError::unprocessable(format!("{detail} (app {app} is bound to it)")).into()),
    }
}

/// The first of these apps whose services would no longer fit into its environment, or be the files that it asks for, and what is to be said of it.
///
/// # Errors
/// Those of the database.
pub(crate) async fn unfit(controller: &Controller, db: &mut Connection, bound: &[AppGuid]) -> Result<Option<(AppGuid, String)>> {
    for some in bound.chunks(APPS_AT_ONCE) {
        for (app, services) in binding_rows::bound(&controller.store, db, some).await? {
            let bytes = vcap_services(&services).to_string().len();
            if bytes > MAX_SERVICES_BYTES {
                let detail =
                    format!("The services of an app must not exceed {MAX_SERVICES_BYTES} bytes in VCAP_SERVICES; they would have {bytes}");
                return Ok(Some((app, detail)));
            }
            let features = apps::find(db, app).await?.map(|row| row.features).unwrap_or_default();
            if let Err(error) = service_files::files(&features, &vcap_services(&services)) {
                return Ok(Some((app, error.to_string())));
            }
        }
    }
    Ok(None)
}

/// Parameters of `DELETE /v3/service_instances/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteQuery {
    /// Without asking a broker. A user-provided instance has none, and goes alike.
    #[serde(default)]
    purge: bool,
}

/// `DELETE /v3/service_instances/:guid`, with its bindings; where a broker made it, a job. Apps that run keep what they were started
/// with.
///
/// # Errors
/// 404, 403 (also for `purge=true`, but for administrators and, where the broker is one of the space, its developers), 409 while
/// something else is done to it, 422 while it is shared.
pub async fn delete(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceInstanceGuid>,
    Query(query): Query<DeleteQuery>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (instance, organization) = permitted(&mut tx, &access, SpaceRight::Write, guid).await?;
    if instance.kind == ServiceInstanceKind::Managed {
        return delete_managed(&controller, tx, &access, &base, instance, query.purge).await;
    }
    // Bindings come before this or find no instance.
    service_instances::hold(&mut tx, &instance).await?;
    for binding in binding_rows::list_of_instance(&mut tx, guid).await? {
        bindings::remove(&controller, &mut tx, &access, &binding).await?;
    }
    for binding in route_binding_rows::list_of_instance(&mut tx, guid).await? {
        service_route_bindings::remove(&controller, &mut tx, &access, &binding).await?;
    }
    service_usage_events::note(&mut tx, &instance, "DELETED", controller.now()).await?;
    service_instances::delete(&mut tx, guid).await?;
    record(&controller, &mut tx, &access, "delete", &instance, organization, json!({ "request": {} })).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::no_content())
}

async fn delete_managed(
    controller: &Controller,
    mut tx: Transaction,
    access: &Access,
    base: &Base,
    instance: ServiceInstanceRow,
    is_purge: bool,
) -> Result<Response> {
    if is_purge {
        if Provider::of(&mut tx, &instance).await?.broker.space.is_none() {
            access.admin()?;
        }
        managed::purge(controller, &mut tx, access, &instance).await?;
        tx.commit().await?;
        controller.scheduler.nudge();
        return Ok(answer::no_content());
    }
    if !managed::delete::may_begin(&instance) {
        return Err(managed::busy(&instance));
    }
    if !service_instance_shares::list_of_instance(&mut tx, instance.guid).await?.is_empty() {
        let detail = format!(
            "Service instances must be unshared before they can be deleted. Unsharing {} will automatically delete any bindings that \
             have been made to applications in other spaces.",
            instance.name
        );
        return Err(ApiError::new(ErrorCode::ServiceInstanceDeletionSharesExists, detail).into());
    }
    let job = managed::delete::begin(controller, &mut tx, &Order::plain(access), instance).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::job(base, job))
}

/// Deletes every user-provided instance of a space with its bindings, when the space goes. Those that brokers made are gone by then.
///
/// # Errors
/// That another was quicker, where there is one that a broker made; those of the database.
pub(crate) async fn delete_everything(controller: &Controller, db: &mut Connection, space: SpaceGuid) -> Result<()> {
    for instance in service_instances::list_of_space(db, space).await? {
        if instance.kind == ServiceInstanceKind::Managed {
            return Err(StoreError::Conflict.into());
        }
        service_instances::hold(db, &instance).await?;
        for binding in binding_rows::list_of_instance(db, instance.guid).await? {
            binding_rows::delete(db, binding.guid).await?;
        }
        for binding in route_binding_rows::list_of_instance(db, instance.guid).await? {
            route_binding_rows::delete(db, binding.guid).await?;
        }
        service_usage_events::note(db, &instance, "DELETED", controller.now()).await?;
        service_instances::delete(db, instance.guid).await?;
    }
    Ok(())
}
