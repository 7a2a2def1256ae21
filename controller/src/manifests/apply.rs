//! Making one app what a manifest says.

use super::{
    document::{AppManifest, ManifestService},
    processes, routes,
};
use crate::{
    Access, Controller, Result,
    apps::{
        self, NewApp, change,
        request::{Lifecycle, LifecycleData},
    },
    jobs::{self, Outcome},
    metadata::MetadataPatch,
    service_credential_bindings::{NewBinding, begin_binding, bind},
    service_instances::check_parameters,
    service_operations::{is_under_way, was_never_made},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use virga_contract::ApiError;
use virga_model::{
    JobGuid, OrgGuid, ServiceCredentialBindingGuid, SpaceGuid,
    service::{OperationKind, OperationState, ServiceInstanceKind},
};
use virga_store::{
    Connection,
    apps::{self as rows, AppRow},
    jobs::JobRow,
    service_credential_bindings, service_instance_shares, service_instances,
};

/// Applies a manifest in the order of the Cloud Controller: features, processes, the app itself, routes, environment,
/// services. The app is made where it is not there.
///
/// # Errors
/// 422 for everything the manifest's own text could not show to be wrong.
pub(super) async fn app(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    space: SpaceGuid,
    organization: OrgGuid,
    manifest: &AppManifest,
) -> Result<(AppRow, Vec<ServiceCredentialBindingGuid>)> {
    let mut app = match rows::find_by_name(db, space, &manifest.name).await? {
        Some(app) => app,
        None => {
            let new = NewApp { name: manifest.name.clone(), ..NewApp::default() };
            let app = apps::insert(controller, db, access, space, organization, new).await?;
            crate::audit_events::say(controller, app.guid, format!("Created app with guid {}", app.guid));
            app
        }
    };
    let features = manifest.features.iter().map(|(name, enabled)| (name.as_str(), *enabled));
    apps::set_features(controller, db, &mut app, features).await?;
    processes::apply(controller, db, access, organization, &app, &manifest.processes).await?;
    change::lifecycle(db, &mut app, lifecycle(manifest)).await?;
    let metadata = MetadataPatch { labels: Some(manifest.labels.clone()), annotations: Some(manifest.annotations.clone()) };
    metadata.apply(&mut app.metadata)?;
    let variables = manifest.env.iter().map(|(name, value)| (name.clone(), value.clone().map_or(Value::Null, Value::String)));
    app.environment = change::environment(&app.environment, variables.collect())?;
    rows::update(db, &mut app, controller.now()).await?;
    routes::apply(controller, db, access, organization, &app, manifest).await?;
    let mut awaited = Vec::new();
    for service in &manifest.services {
        let bound = bind_service(controller, db, access, &app, service).await;
        awaited.extend(bound.map_err(|error| error.with_details(|detail| format!("For service '{}': {detail}", service.name)))?);
    }
    Ok((app, awaited))
}

/// The input of the job: bindings that brokers are still making.
#[derive(Debug, Serialize, Deserialize)]
struct Awaited {
    bindings: Vec<ServiceCredentialBindingGuid>,
}

/// The job of an applied manifest: done with the transaction, or when brokers have made these bindings.
///
/// # Errors
/// Those of the database.
pub(super) async fn job(
    controller: &Controller,
    db: &mut Connection,
    space: SpaceGuid,
    bindings: Vec<ServiceCredentialBindingGuid>,
) -> Result<JobGuid> {
    const OPERATION: &str = "space.apply_manifest";
    if bindings.is_empty() {
        return jobs::done(db, controller.now(), OPERATION, space).await;
    }
    let payload = serde_json::to_value(Awaited { bindings }).map_err(ApiError::internal)?;
    jobs::start(db, controller.now(), OPERATION, space, payload).await
}

/// Waits for the bindings, so that an app that is started next has them.
///
/// # Errors
/// 422 for a binding that could not be made; those of the database.
pub(crate) async fn work(controller: &Controller, job: &JobRow) -> Result<Outcome> {
    let Awaited { bindings } = serde_json::from_value(job.payload.clone()).map_err(ApiError::internal)?;
    let mut db = controller.store.read().await?;
    for guid in bindings {
        let binding = service_credential_bindings::find(&mut db, guid).await?;
        let binding =
            binding.ok_or_else(|| ApiError::unprocessable("A service binding of the manifest was deleted before it was made."))?;
        let name = service_instances::find(&mut db, binding.instance).await?.map(|instance| instance.name).unwrap_or_default();
        match binding.last_operation.state {
            OperationState::Succeeded => {}
            OperationState::Failed => {
                let detail = format!("For service '{name}': {}", binding.last_operation.description);
                return Err(ApiError::unprocessable(detail).into());
            }
            OperationState::Initial | OperationState::InProgress => {
                return Ok(Outcome::Again { payload: job.payload.clone(), at: controller.now() + controller.polling.wait_for_jobs() });
            }
        }
    }
    Ok(Outcome::Done(Vec::new()))
}

/// Binds the app to an instance of its space, or one that is shared with it, unless it is bound to it. Other bindings stay. Gives the
/// binding where a broker is still to make it.
async fn bind_service(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    app: &AppRow,
    service: &ManifestService,
) -> Result<Option<ServiceCredentialBindingGuid>> {
    let missing = || ApiError::unprocessable(format!("Service instance '{}' not found", service.name));
    let instance = match service_instances::find_by_name(db, app.space, &service.name).await? {
        Some(instance) => instance,
        None => {
            let shared = service_instance_shares::names_in_space(db, app.space).await?;
            let (guid, _) = shared.into_iter().find(|(_, name)| *name == service.name).ok_or_else(missing)?;
            service_instances::find(db, guid).await?.ok_or_else(missing)?
        }
    };
    let is_managed = instance.kind == ServiceInstanceKind::Managed;
    if service.parameters.is_some() && !is_managed {
        return Err(ApiError::unprocessable("Binding parameters are not supported for user-provided service instances").into());
    }
    let there = service_credential_bindings::list_between(db, app.guid, instance.guid).await?.pop();
    if let Some(there) = &there
        && is_under_way(&there.last_operation)
        && there.last_operation.kind == OperationKind::Create
    {
        return Ok(Some(there.guid));
    }
    if there.is_none_or(|there| was_never_made(&there.last_operation)) {
        let parameters = service.parameters.clone().unwrap_or_default();
        let new = NewBinding { name: service.binding_name.clone(), by_manifest: true, parameters, ..NewBinding::default() };
        if is_managed {
            check_parameters(Some(&new.parameters))?;
            return Ok(Some(begin_binding(controller, db, access, app, &instance, new).await?));
        }
        bind(controller, db, access, app, &instance, new).await?;
    }
    Ok(None)
}

fn lifecycle(manifest: &AppManifest) -> Lifecycle {
    let data = LifecycleData { buildpacks: manifest.buildpacks.clone().map(Some), stack: manifest.stack.clone() };
    Lifecycle { kind: None, data: Some(data) }
}
