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
    metadata::MetadataPatch,
    service_credential_bindings::{NewBinding, bind},
};
use serde_json::Value;
use virga_contract::ApiError;
use virga_model::{OrgGuid, SpaceGuid};
use virga_store::{
    Connection,
    apps::{self as rows, AppRow},
    service_credential_bindings, service_instances,
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
) -> Result<AppRow> {
    let mut app = match rows::find_by_name(db, space, &manifest.name).await? {
        Some(app) => app,
        None => {
            let new = NewApp { name: manifest.name.clone(), ..NewApp::default() };
            let app = apps::insert(controller, db, access, space, organization, new).await?;
            crate::audit_events::say(controller, app.guid, format!("Created app with guid {}", app.guid));
            app
        }
    };
    for (name, enabled) in &manifest.features {
        apps::set_feature(&mut app, name, *enabled)?;
    }
    processes::apply(controller, db, access, organization, &app, &manifest.processes).await?;
    change::lifecycle(db, &mut app, lifecycle(manifest)).await?;
    let metadata = MetadataPatch { labels: Some(manifest.labels.clone()), annotations: Some(manifest.annotations.clone()) };
    metadata.apply(&mut app.metadata)?;
    let variables = manifest.env.iter().map(|(name, value)| (name.clone(), value.clone().map_or(Value::Null, Value::String)));
    app.environment = change::environment(&app.environment, variables.collect())?;
    rows::update(db, &mut app, controller.now()).await?;
    routes::apply(controller, db, access, organization, &app, manifest).await?;
    for service in &manifest.services {
        let bound = bind_service(controller, db, access, organization, &app, service).await;
        bound.map_err(|error| error.with_details(|detail| format!("For service '{}': {detail}", service.name)))?;
    }
    Ok(app)
}

/// Binds the app to an instance of its space, unless it is bound to it. Other bindings stay.
async fn bind_service(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    organization: OrgGuid,
    app: &AppRow,
    service: &ManifestService,
) -> Result<()> {
    let missing = || ApiError::unprocessable(format!("Service instance '{}' not found", service.name));
    let instance = service_instances::find_by_name(db, app.space, &service.name).await?.ok_or_else(missing)?;
    if service.has_parameters {
        return Err(ApiError::unprocessable("Binding parameters are not supported for user-provided service instances").into());
    }
    if service_credential_bindings::find_between(db, app.guid, instance.guid).await?.is_none() {
        let new = NewBinding { name: service.binding_name.clone(), by_manifest: true, ..NewBinding::default() };
        bind(controller, db, access, organization, app, &instance, new).await?;
    }
    Ok(())
}

fn lifecycle(manifest: &AppManifest) -> Lifecycle {
    let data = LifecycleData { buildpacks: manifest.buildpacks.clone().map(Some), stack: manifest.stack.clone() };
    Lifecycle { kind: None, data: Some(data) }
}
