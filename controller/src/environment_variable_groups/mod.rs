//! Environment variables of every running app, or of every staging.

use crate::{Controller, Result, answer};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use virga_contract::ApiError;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::environment_variable_groups::{self, VariableGroupRow};

fn view(base: &Base, name: &str, group: Option<&VariableGroupRow>) -> Value {
    json!({
        "updated_at": group.map(|group| answer::time(group.updated_at)),
        "name": name,
        "var": group.map(|group| &group.variables).unwrap_or(&BTreeMap::new()),
        "links": { "self": answer::link(base, format_args!("/v3/environment_variable_groups/{name}")) },
    })
}

fn check_group(name: &str) -> Result<()> {
    if matches!(name, "running" | "staging") { Ok(()) } else { Err(ApiError::not_found("Environment variable group").into()) }
}

/// `GET /v3/environment_variable_groups/:name`.
///
/// # Errors
/// 404.
pub async fn show(State(controller): State<Controller>, base: Base, Path(name): Path<String>) -> Result<Response> {
    check_group(&name)?;
    let group = environment_variable_groups::find(&mut *controller.store.read().await?, &name).await?;
    Ok(answer::ok(view(&base, &name, group.as_ref())))
}

/// Body of `PATCH /v3/environment_variable_groups/:name`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateGroup {
    var: BTreeMap<String, Option<Value>>,
}

/// `PATCH /v3/environment_variable_groups/:name`: what is named changes, `null` deletes.
///
/// # Errors
/// 403, 404, 422.
pub async fn update(
    State(controller): State<Controller>,
    base: Base,
    Path(name): Path<String>,
    Json(body): Json<UpdateGroup>,
) -> Result<Response> {
    check_group(&name)?;
    let now = controller.now();
    let mut tx = controller.store.begin().await?;
    let old = environment_variable_groups::find(&mut tx, &name).await?;
    let mut group = VariableGroupRow { variables: old.map(|old| old.variables).unwrap_or_default(), updated_at: now };
    for (key, value) in body.var {
        check_key(&key)?;
        match value {
            None => drop(group.variables.remove(&key)),
            Some(Value::String(text)) => drop(group.variables.insert(key, text)),
            Some(other) => drop(group.variables.insert(key, other.to_string())),
        }
    }
    environment_variable_groups::save(&mut tx, &name, &group).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::ok(view(&base, &name, Some(&group))))
}

fn check_key(key: &str) -> Result<()> {
    let reserved =
        |prefix: &str| key.len() >= prefix.len() && key.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let wrong = if key.is_empty() || key.contains(['=', '\0']) {
        "Var key must not be empty or contain '='"
    } else if key == "PORT" {
        "Var cannot set PORT"
    } else if reserved("VCAP_") {
        "Var cannot start with VCAP_"
    } else {
        return Ok(());
    };
    Err(ApiError::unprocessable(wrong).into())
}
