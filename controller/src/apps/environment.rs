//! An app's environment: what `cf env` shows and `cf set-env` changes. Instances see a change when they are started anew.

use super::{change, lookup, request::UpdateEnvironment, view};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::{record, say},
    request::require_enabled,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use virga_contract::ApiError;
use virga_model::{
    AppGuid, OrgGuid,
    environment::{AppDescription, staging, vcap_application},
    service::vcap_services,
    service_files,
};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    apps::{self, AppRow, Placement},
    environment_variable_groups as groups, service_credential_bindings,
};

/// `GET /v3/apps/:guid/env`.
///
/// # Errors
/// 404 `App not found`, 403 also while the flags `env_var_visibility` or `space_developer_env_var_visibility` are off.
pub async fn show_environment(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<AppGuid>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (app, organization) = readable(&mut tx, &access, guid).await?;
    let about = About::read(&mut tx, &app).await?;
    // Supporters read variables, but no credentials.
    let system = match access.has_in_space(&mut tx, SpaceRight::ReadSecrets, app.space).await? {
        true => match service_files::variable(&app.features) {
            Some((name, path)) => json!({ name: path }),
            None => json!({ "VCAP_SERVICES": services(&controller, &mut tx, guid).await? }),
        },
        false => json!({ "redacted_message": "[PRIVATE DATA HIDDEN]" }),
    };
    let body = json!({
        "staging_env_json": variables(&mut tx, "staging").await?,
        "running_env_json": variables(&mut tx, "running").await?,
        "environment_variables": app.environment,
        "system_env_json": system,
        "application_env_json": { "VCAP_APPLICATION": vcap_application(&about.describe(&app, &base.api), None) },
    });
    record(&controller, &mut tx, &access, lookup::event("audit.app.environment.show", &app, organization, json!({}))).await?;
    tx.commit().await?;
    Ok(answer::ok(body))
}

/// The app, for who may read its environment while the operator lets anybody, and developers, do so.
async fn readable(db: &mut Connection, access: &Access, guid: AppGuid) -> Result<(AppRow, OrgGuid)> {
    require_enabled(db, "env_var_visibility").await?;
    let found = lookup::app(db, access, SpaceRight::ReadEnvironment, guid).await?;
    if !access.reads_all_secrets() {
        require_enabled(db, "space_developer_env_var_visibility").await?;
    }
    Ok(found)
}

/// `GET /v3/apps/:guid/environment_variables`.
///
/// # Errors
/// 404 `App not found`, 403.
pub async fn show_environment_variables(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<AppGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let (app, _) = readable(&mut db, &access, guid).await?;
    Ok(answer::ok(view::environment_variables(&base, &app)))
}

/// `PATCH /v3/apps/:guid/environment_variables`.
///
/// # Errors
/// 404 `App not found`, 403, 422.
pub async fn update_environment_variables(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<AppGuid>,
    Json(request): Json<UpdateEnvironment>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut app, organization) = lookup::app(&mut tx, &access, SpaceRight::Manage, guid).await?;
    app.environment = change::environment(&app.environment, request.var)?;
    apps::update(&mut tx, &mut app, controller.now()).await?;
    let data = json!({ "request": { "environment_variables": "[PRIVATE DATA HIDDEN]" } });
    record(&controller, &mut tx, &access, lookup::event("audit.app.update", &app, organization, data)).await?;
    tx.commit().await?;
    say(&controller, guid, format!("Updated app with guid {guid} (environment variables)"));
    Ok(answer::ok(view::environment_variables(&base, &app)))
}

/// `VCAP_SERVICES` as the app would be started with now.
pub(super) async fn services(controller: &Controller, db: &mut Connection, app: AppGuid) -> Result<Value> {
    let bound = service_credential_bindings::bound(&controller.store, db, &[app]).await?;
    Ok(vcap_services(bound.get(&app).map_or(&[][..], Vec::as_slice)))
}

async fn variables(db: &mut Connection, group: &str) -> Result<BTreeMap<String, String>> {
    Ok(groups::find(db, group).await?.map(|group| group.variables).unwrap_or_default())
}

/// What an app's environment says of its surroundings.
struct About {
    placement: Placement,
    uris: Vec<String>,
}

impl About {
    async fn read(db: &mut Connection, app: &AppRow) -> Result<Self> {
        let placement = apps::placement(db, app.guid).await?.ok_or_else(|| ApiError::not_found("App"))?;
        Ok(Self { placement, uris: apps::uris(db, app.guid).await? })
    }

    fn describe<'a>(&'a self, app: &'a AppRow, api_url: &'a str) -> AppDescription<'a> {
        AppDescription {
            api_url,
            app: app.guid,
            name: &app.name,
            uris: &self.uris,
            space: app.space,
            space_name: &self.placement.space_name,
            organization: self.placement.organization,
            organization_name: &self.placement.organization_name,
        }
    }
}

/// The environment in which an app is staged. No build sees what services the app is bound to (ADR 0008), so no credential is opened for it.
///
/// # Errors
/// Those of the database.
pub(crate) async fn of_staging(controller: &Controller, db: &mut Connection, app: &AppRow) -> Result<BTreeMap<String, String>> {
    let about = About::read(db, app).await?;
    let group = variables(db, "staging").await?;
    let api_url = format!("https://api.{}", controller.config.system_domain);
    Ok(staging(&group, &app.environment, &about.describe(app, &api_url), &app.stack, &json!({})))
}
