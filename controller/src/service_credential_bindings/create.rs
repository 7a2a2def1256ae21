//! `POST /v3/service_credential_bindings`.

use super::{
    bind::{NewBinding, bind},
    managed::{self, Whom},
    view::view,
};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    apps::lookup,
    metadata::MetadataPatch,
    request::ToOne,
    service_instances::{check_parameters, permitted, permitted_or_shared},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use virga_contract::ApiError;
use virga_model::{
    ServiceInstanceGuid,
    service::{BindingKind, ServiceInstanceKind},
};
use virga_serve::{
    Base, Json,
    axum::{extract::State, response::Response},
};
use virga_store::{Connection, service_instances::ServiceInstanceRow};

/// Body of `POST /v3/service_credential_bindings`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateBinding {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    /// `multiple` where the app may be bound to the instance already.
    strategy: Option<String>,
    parameters: Option<Map<String, Value>>,
    relationships: BindingRelationships,
    metadata: Option<MetadataPatch>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BindingRelationships {
    service_instance: ToOne,
    app: Option<ToOne>,
}

/// Binds an app to a service instance, or makes a key of it; where a broker does it, a job. The app sees it once it is restarted.
///
/// # Errors
/// 422 for an instance or app that is not there or in another space, and for one that is bound already; 403 for
/// who may not manage apps in the space.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(body): Json<CreateBinding>) -> Result<Response> {
    let kind: BindingKind = body.kind.parse().map_err(|_| ApiError::unprocessable("Type must be one of 'key', 'app'"))?;
    if !matches!(body.strategy.as_deref(), None | Some("single" | "multiple")) {
        return Err(ApiError::unprocessable("Strategy must be 'single' or 'multiple'").into());
    }
    let mut tx = controller.store.begin().await?;
    let instance = visible_instance(&mut tx, &access, &body.relationships.service_instance).await?;
    let is_managed = instance.kind == ServiceInstanceKind::Managed;
    if body.parameters.is_some() && !is_managed {
        return Err(ApiError::unprocessable("Binding parameters are not supported for user-provided service instances").into());
    }
    check_parameters(body.parameters.as_ref())?;
    let new = NewBinding {
        name: body.name,
        metadata: MetadataPatch::create(body.metadata)?,
        by_manifest: false,
        is_one_more: body.strategy.as_deref() == Some("multiple"),
        parameters: body.parameters.unwrap_or_default(),
    };
    if kind == BindingKind::Key {
        permitted(&mut tx, &access, SpaceRight::Write, instance.guid).await?;
        if !is_managed {
            let detail = "Service credential bindings of type 'key' are not supported for user-provided service instances.";
            return Err(ApiError::unprocessable(detail).into());
        }
        let (_, job) = managed::begin(&controller, &mut tx, &access, Whom::Key, &instance, new).await?;
        tx.commit().await?;
        controller.nudge_jobs();
        return Ok(answer::job(&base, job));
    }
    let wanted = body.relationships.app.and_then(|app| app.data).map(|app| app.guid);
    let wanted = wanted.ok_or_else(|| ApiError::unprocessable("Relationships App can't be blank"))?;
    let missing = format!("The app could not be found: '{wanted}'");
    let (app, _) = lookup::named(&mut tx, &access, SpaceRight::Manage, Some(&wanted), &missing).await?;
    if is_managed {
        let (_, job) = managed::begin(&controller, &mut tx, &access, Whom::App(&app), &instance, new).await?;
        tx.commit().await?;
        controller.nudge_jobs();
        return Ok(answer::job(&base, job));
    }
    let binding = bind(&controller, &mut tx, &access, &app, &instance, new).await?;
    tx.commit().await?;
    // What the platform holds is in reach at once.
    controller.scheduler.nudge();
    Ok(answer::created(view(&base, &binding)))
}

async fn visible_instance(db: &mut Connection, access: &Access, wanted: &ToOne) -> Result<ServiceInstanceRow> {
    let named = wanted.data.as_ref().map(|data| data.guid.as_str()).unwrap_or_default();
    let missing = || ApiError::unprocessable(format!("The service instance could not be found: '{named}'"));
    let guid: ServiceInstanceGuid = wanted.parsed().ok_or_else(missing)?;
    match permitted_or_shared(db, access, guid).await {
        Ok(instance) => Ok(instance),
        Err(error) if error.api().status() == StatusCode::NOT_FOUND => Err(missing().into()),
        Err(error) => Err(error),
    }
}
