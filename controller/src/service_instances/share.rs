//! Sharing instances of plans with other spaces, whose apps may then be bound to them. User-provided ones cannot be shared.

use super::{fields::Fields, managed::record, read::permitted};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::actor,
    request::{ToMany, require_flag},
    service_credential_bindings as bindings,
    service_operations::{Order, Provider, was_never_made},
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::{ServiceInstanceGuid, SpaceGuid, service::ServiceInstanceKind};
use virga_serve::{
    Base, Json, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, service_credential_bindings as binding_rows, service_instance_shares,
    service_instances::{self, ServiceInstanceRow},
    service_plans, spaces,
};

/// Parameters of `GET /v3/service_instances/:guid/relationships/shared_spaces`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedSpacesQuery {
    #[serde(rename = "fields[space]")]
    space: Option<String>,
    #[serde(rename = "fields[space.organization]")]
    organization: Option<String>,
}

/// `GET /v3/service_instances/:guid/relationships/shared_spaces`.
///
/// # Errors
/// 404, 400 for fields that are none.
pub async fn list_shared_spaces(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceInstanceGuid>,
    Query(query): Query<SharedSpacesQuery>,
) -> Result<Response> {
    let fields = Fields::read(|parameter| {
        let value = match parameter {
            "fields[space]" => query.space.as_ref(),
            "fields[space.organization]" => query.organization.as_ref(),
            _ => None,
        };
        value.map(|value| value.split(',').map(str::to_owned).collect())
    })?;
    let mut db = controller.store.read().await?;
    permitted(&mut db, &access, SpaceRight::See, guid).await?;
    let shared = service_instance_shares::list_of_instance(&mut db, guid).await?;
    let own = format!("/v3/service_instances/{guid}/relationships/shared_spaces");
    let mut body = answer::to_many_at(&base, own, shared.iter().copied());
    fields.add(&mut db, &mut body, shared, []).await?;
    Ok(answer::ok(body))
}

/// `GET /v3/service_instances/:guid/relationships/shared_spaces/usage_summary`.
///
/// # Errors
/// 404.
pub async fn usage_summary(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceInstanceGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    permitted(&mut db, &access, SpaceRight::See, guid).await?;
    let own = format!("/v3/service_instances/{guid}/relationships/shared_spaces");
    let mut used = Vec::new();
    for space in service_instance_shares::list_of_instance(&mut db, guid).await? {
        let bound = binding_rows::list_in_space(&mut db, guid, space).await?.len();
        used.push(json!({ "space": { "guid": space }, "bound_app_count": bound }));
    }
    Ok(answer::ok(json!({
        "usage_summary": used,
        "links": {
            "self": answer::link(&base, format_args!("{own}/usage_summary")),
            "shared_spaces": answer::link(&base, &own),
            "service_instance": answer::link(&base, format_args!("/v3/service_instances/{guid}")),
        },
    })))
}

/// `POST /v3/service_instances/:guid/relationships/shared_spaces`.
///
/// # Errors
/// 404; 403 while the flag `service_instance_sharing` is off; 422 for user-provided instances, offerings that are not shareable, and
/// spaces that are not there, where the caller may not write, where the plan is not to be had, or where the name is taken.
pub async fn share(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceInstanceGuid>,
    Json(body): Json<ToMany>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (instance, _) = permitted(&mut tx, &access, SpaceRight::Write, guid).await?;
    require_flag(&mut tx, "service_instance_sharing").await?;
    check_shareable(&mut tx, &instance).await?;
    // Its deletion comes before this or finds the shares.
    service_instances::hold(&mut tx, &instance).await?;
    let mut named = Vec::new();
    for wanted in &body.data {
        named.push(target(&mut tx, &access, &instance, &wanted.guid).await?);
    }
    for space in &named {
        service_instance_shares::insert(&mut tx, guid, *space, controller.now()).await?;
    }
    let data = json!({ "target_space_guids": named });
    record(&controller, &mut tx, actor(&access), "share", &instance, data).await?;
    let shared = service_instance_shares::list_of_instance(&mut tx, guid).await?;
    tx.commit().await?;
    let own = format!("/v3/service_instances/{guid}/relationships/shared_spaces");
    Ok(answer::ok(answer::to_many_at(&base, own, shared)))
}

async fn check_shareable(db: &mut Connection, instance: &ServiceInstanceRow) -> Result<()> {
    let refuse = |detail: &str| Err(ApiError::unprocessable(detail).into());
    if instance.kind == ServiceInstanceKind::UserProvided {
        let is_route_service = instance.route_service_url.as_ref().is_some_and(|url| !url.is_empty());
        return refuse(if is_route_service { "Route services cannot be shared." } else { "User-provided services cannot be shared." });
    }
    let provider = Provider::of(db, instance).await?;
    let catalog = &provider.offering.catalog;
    if catalog.metadata.get("shareable") != Some(&Value::Bool(true)) {
        let detail = format!("The {} service does not support service instance sharing.", provider.offering.name);
        return refuse(&detail);
    }
    if was_never_made(&instance.last_operation) {
        return refuse("The service instance could not be created, and cannot be shared. Delete it and create another.");
    }
    Ok(())
}

/// A space that the instance may be shared with by this caller.
async fn target(db: &mut Connection, access: &Access, instance: &ServiceInstanceRow, named: &str) -> Result<SpaceGuid> {
    let unable =
        |why: &str| ApiError::unprocessable(format!("Unable to share service instance {} with spaces ['{named}']. {why}", instance.name));
    let missing = || unable("Ensure the spaces exist and that you have access to them.");
    let space: SpaceGuid = named.parse().map_err(|_| missing())?;
    let row = spaces::find(db, space).await?.ok_or_else(missing)?;
    if !access.has_in_space(db, SpaceRight::See, space).await? {
        return Err(missing().into());
    }
    if !access.has_in_space(db, SpaceRight::Write, space).await? {
        return Err(unable("Write permission is required in order to share a service instance with a space.").into());
    }
    if space == instance.space {
        return Err(unable("Service instances cannot be shared into the space where they were created.").into());
    }
    let plan = instance.plan.ok_or_else(missing)?;
    if !service_plans::is_in_space(db, plan, space).await? {
        return Err(unable(&format!("The service plan is not available in space {}.", row.name)).into());
    }
    if service_instances::find_by_name(db, space, &instance.name).await?.is_some() {
        let detail = format!("A service instance called {} already exists in {}.", instance.name, row.name);
        return Err(ApiError::unprocessable(detail).into());
    }
    for (other, name) in service_instance_shares::names_in_space(db, space).await? {
        if name == instance.name && other != instance.guid {
            let detail = format!("A service instance called {name} has already been shared with {}.", row.name);
            return Err(ApiError::unprocessable(detail).into());
        }
    }
    Ok(space)
}

/// `DELETE /v3/service_instances/:guid/relationships/shared_spaces/:space`. The bindings of that space's apps go with it, each by a
/// job of its own.
///
/// # Errors
/// 404, 403, 422 for a space with which it is not shared.
pub async fn unshare(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, space)): Path<(ServiceInstanceGuid, String)>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (instance, _) = permitted(&mut tx, &access, SpaceRight::Write, guid).await?;
    let not_shared = || {
        let detail = format!(
            "Unable to unshare service instance from space {space}. Ensure the space exists and the service instance has been shared to this space."
        );
        ApiError::unprocessable(detail)
    };
    let target: SpaceGuid = space.parse().map_err(|_| not_shared())?;
    // No app of that space is bound to it meanwhile.
    service_instances::hold(&mut tx, &instance).await?;
    if !service_instance_shares::delete(&mut tx, guid, target).await? {
        return Err(not_shared().into());
    }
    record(&controller, &mut tx, actor(&access), "unshare", &instance, json!({ "target_space_guid": target })).await?;
    let bound = binding_rows::list_in_space(&mut tx, guid, target).await?;
    bindings::begin_taking_along(&controller, &mut tx, &Order::plain(&access), bound).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::no_content())
}
