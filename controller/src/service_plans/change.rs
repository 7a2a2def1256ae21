//! Changing and deleting plans.

use super::{lookup::writable, view::view};
use crate::{
    Access, Controller, Result, answer,
    audit_events::{self, Event},
    metadata::MetadataPatch,
};
use serde::Deserialize;
use serde_json::json;
use virga_contract::ApiError;
use virga_model::ServicePlanGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{service_instances, service_plans as rows};

/// Body of `PATCH /v3/service_plans/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateServicePlan {
    metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/service_plans/:guid`: labels and annotations.
///
/// # Errors
/// 404, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServicePlanGuid>,
    Json(body): Json<UpdateServicePlan>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut plan, audience) = writable(&mut tx, &access, guid).await?;
    if let Some(patch) = body.metadata {
        patch.apply(&mut plan.metadata)?;
    }
    rows::update(&mut tx, &mut plan, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&base, &plan, &audience)))
}

/// `DELETE /v3/service_plans/:guid`. It comes back with the next catalog that has it.
///
/// # Errors
/// 404, 403, 422 while there are instances of it.
pub async fn delete(State(controller): State<Controller>, access: Access, Path(guid): Path<ServicePlanGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (plan, _) = writable(&mut tx, &access, guid).await?;
    if service_instances::any_of_plan(&mut tx, guid).await? {
        return Err(ApiError::unprocessable("Please delete the service_instances associations for your service_plans.").into());
    }
    rows::hide_from_all(&mut tx, guid).await?;
    rows::delete(&mut tx, guid).await?;
    let event = Event {
        kind: "audit.service_plan.delete",
        target_kind: "service_plan",
        target: guid.to_string(),
        target_name: &plan.name,
        data: json!({}),
        space: None,
        organization: None,
    };
    audit_events::record(&controller, &mut tx, &access, event).await?;
    tx.commit().await?;
    Ok(answer::no_content())
}
