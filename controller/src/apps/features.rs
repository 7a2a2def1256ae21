//! App features: those of Cloud Foundry. `ssh` cannot be switched on, and says so.

use super::{environment, lookup, request::UpdateFeature};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::record,
    list::{ListRequest, ListSpec},
};
use serde_json::{Map, Value, json};
use virga_contract::ApiError;
use virga_model::{
    AppGuid,
    service_files::{self, BINDING_FOLDERS_FEATURE, VCAP_FILE_FEATURE},
};
use virga_serve::{
    Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    apps::{self, AppRow},
};

struct Feature {
    name: &'static str,
    description: &'static str,
    /// Whether it is there at all.
    is_available: bool,
    /// Whether it is on unless switched off.
    is_default: bool,
}

const FEATURES: [Feature; 4] = [
    Feature { name: "ssh", description: "Enable SSHing into the app.", is_available: false, is_default: false },
    Feature { name: "revisions", description: "Enable versioning of an application", is_available: true, is_default: true },
    Feature {
        name: BINDING_FOLDERS_FEATURE,
        description: "Enable k8s service bindings for the app",
        is_available: true,
        is_default: false,
    },
    Feature {
        name: VCAP_FILE_FEATURE,
        description: "Enable file-based VCAP service bindings for the app",
        is_available: true,
        is_default: false,
    },
];
const SPEC: ListSpec = ListSpec::new(&[]).without_labels();

fn view(app: &AppRow, feature: &Feature) -> Value {
    json!({ "name": feature.name, "description": feature.description, "enabled": has(app, feature.name) })
}

fn find(name: &str) -> Result<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name).ok_or_else(|| ApiError::not_found("Feature").into())
}

/// Whether the app has a feature.
pub(crate) fn has(app: &AppRow, name: &str) -> bool {
    let default = FEATURES.iter().any(|feature| feature.name == name && feature.is_default);
    app.features.get(name).copied().unwrap_or(default)
}

/// Every feature with whether the app has it, as manifests write them.
pub(crate) fn features_of(app: &AppRow) -> Value {
    FEATURES.iter().map(|feature| (feature.name.to_owned(), Value::Bool(has(app, feature.name)))).collect::<Map<_, _>>().into()
}

/// Switches features of the app on or off.
///
/// # Errors
/// 404 for an unknown feature, 422 for switching on one that is not there, for two that exclude each other, and where the app's services cannot be the files
/// that it then has.
pub(crate) async fn set<'a>(
    controller: &Controller,
    db: &mut Connection,
    app: &mut AppRow,
    features: impl IntoIterator<Item = (&'a str, bool)>,
) -> Result<()> {
    for (name, enabled) in features {
        let feature = find(name)?;
        if enabled && !feature.is_available {
            return Err(ApiError::unprocessable(format!("The app feature '{name}' is not available on this platform")).into());
        }
        if enabled == feature.is_default {
            app.features.remove(name);
        } else {
            app.features.insert(name.to_owned(), enabled);
        }
    }
    if has(app, VCAP_FILE_FEATURE) && has(app, BINDING_FOLDERS_FEATURE) {
        let detail = format!("The app features '{VCAP_FILE_FEATURE}' and '{BINDING_FOLDERS_FEATURE}' cannot be enabled at the same time");
        return Err(ApiError::unprocessable(detail).into());
    }
    if has(app, BINDING_FOLDERS_FEATURE) {
        let services = environment::services(controller, db, app.guid).await?;
        service_files::files(&app.features, &services).map_err(|error| ApiError::unprocessable(error.to_string()))?;
    }
    Ok(())
}

/// `GET /v3/apps/:guid/features`.
///
/// # Errors
/// 404 `App not found`.
pub async fn list_features(
    State(controller): State<Controller>,
    access: Access,
    request: ListRequest,
    Path(guid): Path<AppGuid>,
) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    let (app, _) = lookup::app(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    Ok(answer::ok(query.slice(FEATURES.iter().map(|feature| view(&app, feature)).collect())))
}

/// `GET /v3/apps/:guid/features/:name`.
///
/// # Errors
/// 404 `App not found`, `Feature not found`.
pub async fn show_feature(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, name)): Path<(AppGuid, String)>,
) -> Result<Response> {
    let (app, _) = lookup::app(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    Ok(answer::ok(view(&app, find(&name)?)))
}

/// `PATCH /v3/apps/:guid/features/:name`.
///
/// # Errors
/// As [`show_feature`]; 403; 422 for switching on one that is not there, or that cannot be with another one or with the services bound.
pub async fn update_feature(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, name)): Path<(AppGuid, String)>,
    Json(request): Json<UpdateFeature>,
) -> Result<Response> {
    let right = if name == "revisions" { SpaceRight::Manage } else { SpaceRight::Write };
    let mut tx = controller.store.begin().await?;
    let (mut app, organization) = lookup::app(&mut tx, &access, right, guid).await?;
    set(&controller, &mut tx, &mut app, [(name.as_str(), request.enabled)]).await?;
    apps::update(&mut tx, &mut app, controller.now()).await?;
    let data = json!({ "request": { "features": { name.as_str(): request.enabled } } });
    record(&controller, &mut tx, &access, lookup::event("audit.app.update", &app, organization, data)).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&app, find(&name)?)))
}

/// `GET /v3/apps/:guid/ssh_enabled`.
///
/// # Errors
/// 404 `App not found`.
pub async fn ssh_enabled(State(controller): State<Controller>, access: Access, Path(guid): Path<AppGuid>) -> Result<Response> {
    lookup::app(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    Ok(answer::ok(json!({ "enabled": false, "reason": "ssh is disabled globally" })))
}
