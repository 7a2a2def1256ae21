//! Feature flags: what users may do on this platform.

use crate::{
    Controller, Result, answer,
    list::{ListRequest, ListSpec},
    request::FEATURE_FLAGS,
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::feature_flags::{self, FeatureFlagRow};

const LIST: ListSpec = ListSpec::new(&[]).order_by(&["name"]).default_order("name").without_labels();

fn view(base: &Base, name: &str, default: bool, set: Option<&FeatureFlagRow>) -> Value {
    json!({
        "name": name,
        "enabled": set.map_or(default, |set| set.enabled),
        "updated_at": set.map(|set| answer::time(set.updated_at)),
        "custom_error_message": set.and_then(|set| set.custom_error_message.clone()),
        "links": { "self": answer::link(base, format_args!("/v3/feature_flags/{name}")) },
    })
}

fn default_of(name: &str) -> Result<bool> {
    let found = FEATURE_FLAGS.iter().find(|(known, _)| *known == name);
    Ok(found.map(|(_, default)| *default).ok_or_else(|| ApiError::not_found("Feature flag"))?)
}

/// `GET /v3/feature_flags`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let set = feature_flags::list(&mut *controller.store.read().await?).await?;
    let of = |name: &str| set.iter().find(|set| set.name == name);
    let mut views: Vec<Value> = FEATURE_FLAGS.iter().map(|(name, default)| view(&query.base, name, *default, of(name))).collect();
    if query.listing.descending {
        views.reverse();
    }
    Ok(answer::ok(query.slice(views)))
}

/// `GET /v3/feature_flags/:name`.
///
/// # Errors
/// 404 `Feature flag not found`.
pub async fn show(State(controller): State<Controller>, base: Base, Path(name): Path<String>) -> Result<Response> {
    let default = default_of(&name)?;
    let set = feature_flags::find(&mut *controller.store.read().await?, &name).await?;
    Ok(answer::ok(view(&base, &name, default, set.as_ref())))
}

/// Body of `PATCH /v3/feature_flags/:name`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateFlag {
    enabled: bool,
    custom_error_message: Option<String>,
}

/// `PATCH /v3/feature_flags/:name`.
///
/// # Errors
/// 403, 404 `Feature flag not found`, 422.
pub async fn update(
    State(controller): State<Controller>,
    base: Base,
    Path(name): Path<String>,
    Json(body): Json<UpdateFlag>,
) -> Result<Response> {
    let default = default_of(&name)?;
    if body.custom_error_message.as_ref().is_some_and(|message| message.chars().count() > 250) {
        return Err(ApiError::unprocessable("Custom error message is too long (maximum is 250 characters)").into());
    }
    let set = FeatureFlagRow { name, enabled: body.enabled, custom_error_message: body.custom_error_message, updated_at: controller.now() };
    let mut tx = controller.store.begin().await?;
    feature_flags::save(&mut tx, &set).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&base, &set.name, default, Some(&set))))
}
