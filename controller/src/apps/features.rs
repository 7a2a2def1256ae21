//! App features. None of Cloud Foundry's four can be switched on yet; each says so.

use super::{lookup, request::UpdateFeature};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    list::{ListRequest, ListSpec},
};
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::AppGuid;
use virga_serve::{
    Json, Path,
    axum::{extract::State, response::Response},
};

/// Name and description.
const FEATURES: [(&str, &str); 4] = [
    ("ssh", "Enable SSHing into the app."),
    ("revisions", "Enable versioning of an application"),
    ("service-binding-k8s", "Enable k8s service bindings for the app"),
    ("file-based-vcap-services", "Enable file-based VCAP service bindings for the app"),
];
const SPEC: ListSpec = ListSpec::new(&[]).without_labels();

fn feature((name, description): (&str, &str)) -> Value {
    json!({ "name": name, "description": description, "enabled": false })
}

fn find(name: &str) -> Result<(&'static str, &'static str)> {
    FEATURES.into_iter().find(|(known, _)| *known == name).ok_or_else(|| ApiError::not_found("Feature").into())
}

/// Whether a feature may be set to this.
///
/// # Errors
/// 404 for an unknown feature, 422 for one that would be switched on.
pub(crate) fn check(name: &str, enabled: bool) -> Result<()> {
    let (name, _) = find(name)?;
    if enabled {
        return Err(ApiError::unprocessable(format!("The app feature '{name}' is not available on this platform")).into());
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
    lookup::app(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    Ok(answer::ok(query.slice(FEATURES.into_iter().map(feature).collect())))
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
    lookup::app(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    Ok(answer::ok(feature(find(&name)?)))
}

/// `PATCH /v3/apps/:guid/features/:name`.
///
/// # Errors
/// As [`show_feature`]; 403; 422 for switching one on.
pub async fn update_feature(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, name)): Path<(AppGuid, String)>,
    Json(request): Json<UpdateFeature>,
) -> Result<Response> {
    let right = if name == "revisions" { SpaceRight::Manage } else { SpaceRight::Write };
    lookup::app(&mut *controller.store.read().await?, &access, right, guid).await?;
    check(&name, request.enabled)?;
    Ok(answer::ok(feature(find(&name)?)))
}

/// `GET /v3/apps/:guid/ssh_enabled`.
///
/// # Errors
/// 404 `App not found`.
pub async fn ssh_enabled(State(controller): State<Controller>, access: Access, Path(guid): Path<AppGuid>) -> Result<Response> {
    lookup::app(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    Ok(answer::ok(json!({ "enabled": false, "reason": "ssh is disabled globally" })))
}
