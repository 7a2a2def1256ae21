//! Making, changing and deleting router groups.

use super::{Ports, missing, view};
use crate::{Controller, Result, answer};
use serde::Deserialize;
use virga_contract::{ApiError, ErrorCode};
use virga_model::RouterGroupGuid;
use virga_serve::{
    Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    router_groups::{self, RouterGroupRow},
};

/// Body of `POST /routing/v1/router_groups`.
#[derive(Debug, Deserialize)]
pub struct CreateRouterGroup {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    reservable_ports: String,
}

/// `POST /routing/v1/router_groups`.
///
/// # Errors
/// 401 without the scope, 400 for a name or type that cannot be and for ports that cannot be or are another group's.
pub async fn create(State(controller): State<Controller>, Json(body): Json<CreateRouterGroup>) -> Result<Response> {
    if body.name.trim().is_empty() || body.name.len() > 255 || body.name.chars().any(char::is_control) {
        return Err(bad("Missing name in router group").into());
    }
    if body.kind != "tcp" {
        return Err(bad("Router group type must be tcp: HTTP routes need none here").into());
    }
    let mut tx = controller.store.begin().await?;
    check_ports(&mut tx, &body.reservable_ports, None).await?;
    let (guid, now) = (RouterGroupGuid::random(), controller.now());
    let group = RouterGroupRow {
        guid,
        created_at: now,
        updated_at: now,
        name: body.name,
        kind: body.kind,
        reservable_ports: body.reservable_ports,
    };
    router_groups::insert(&mut tx, &group).await.map_err(|error| {
        if error.is_unique("router_groups_name") {
            return bad(&format!("The RouterGroup with name: {} already exists", group.name)).into();
        }
        crate::Error::from(error)
    })?;
    tx.commit().await?;
    Ok(answer::created(view(&group)))
}

fn bad(detail: &str) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, format!("Cannot process request: {detail}"))
}

/// Passes for ports that no other group has: one router listens on those of all.
async fn check_ports(db: &mut Connection, text: &str, own: Option<RouterGroupGuid>) -> Result<()> {
    let wanted: Ports = text.parse().map_err(|error: String| bad(&error))?;
    for other in router_groups::list(db).await?.iter().filter(|other| Some(other.guid) != own) {
        let ports: Ports = other.reservable_ports.parse().map_err(ApiError::internal)?;
        if ports.overlaps(&wanted) {
            return Err(bad(&format!("the ports {text} overlap those of router group {}, {}", other.name, other.reservable_ports)).into());
        }
    }
    Ok(())
}

/// Body of `PUT /routing/v1/router_groups/:guid`.
#[derive(Debug, Deserialize)]
pub struct UpdateRouterGroup {
    #[serde(default)]
    reservable_ports: String,
}

/// `PUT /routing/v1/router_groups/:guid`: its ports. Routes keep ports that are no longer among them.
///
/// # Errors
/// 401 without the scope, 404, 400 for ports that cannot be or are another group's.
pub async fn update(
    State(controller): State<Controller>,
    Path(guid): Path<String>,
    Json(body): Json<UpdateRouterGroup>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut group = find(&mut tx, &guid).await?;
    if !body.reservable_ports.is_empty() && body.reservable_ports != group.reservable_ports {
        check_ports(&mut tx, &body.reservable_ports, Some(group.guid)).await?;
        group.reservable_ports = body.reservable_ports;
        router_groups::update(&mut tx, &mut group, controller.now()).await?;
    }
    tx.commit().await?;
    Ok(answer::ok(view(&group)))
}

async fn find(db: &mut Connection, guid: &str) -> Result<RouterGroupRow> {
    let parsed = guid.parse().map_err(|_| missing(guid))?;
    Ok(router_groups::find(db, parsed).await?.ok_or_else(|| missing(guid))?)
}

/// `DELETE /routing/v1/router_groups/:guid`.
///
/// # Errors
/// 401 without the scope, 404, 400 while domains belong to it.
pub async fn delete(State(controller): State<Controller>, Path(guid): Path<String>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let group = find(&mut tx, &guid).await?;
    if router_groups::is_used(&mut tx, group.guid).await? {
        return Err(bad(&format!("domains belong to router group {}; delete them first", group.name)).into());
    }
    router_groups::delete(&mut tx, group.guid).await?;
    tx.commit().await?;
    Ok(answer::no_content())
}
