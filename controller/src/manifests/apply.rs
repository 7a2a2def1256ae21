//! Making one app what a manifest says.

use super::{document::AppManifest, processes, routes};
use crate::{
    Access, Controller, Result,
    apps::{
        self, NewApp, change,
        request::{Lifecycle, LifecycleData},
    },
    metadata::MetadataPatch,
};
use serde_json::Value;
use virga_contract::ApiError;
use virga_model::{OrgGuid, SpaceGuid};
use virga_store::{
    Connection,
    apps::{self as rows, AppRow},
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
    if let Some(service) = manifest.services.first() {
        return Err(ApiError::unprocessable(format!("For service '{service}': Service instance '{service}' not found")).into());
    }
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
    Ok(app)
}

fn lifecycle(manifest: &AppManifest) -> Lifecycle {
    let data = LifecycleData { buildpacks: manifest.buildpacks.clone().map(Some), stack: manifest.stack.clone() };
    Lifecycle { kind: None, data: Some(data) }
}
