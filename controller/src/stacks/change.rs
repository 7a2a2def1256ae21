//! Changing stacks. Administrators only, which the route table sees to. There is one stack: another one would be a name for the
//! same thing, and without this one nothing could be staged.

use super::view::view;
use crate::{
    Access, Controller, Result, answer,
    audit_events::{self, Event},
    metadata::MetadataPatch,
};
use serde::Deserialize;
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{StackGuid, state::StackState};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::stacks;

/// Most characters of a reason.
const MAX_REASON_CHARS: usize = 5_000;

/// Body of `POST /v3/stacks`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to refuse unknown members, and then refused")]
pub struct CreateStack {
    name: String,
    description: Option<String>,
    state: Option<String>,
    state_reason: Option<String>,
    metadata: Option<MetadataPatch>,
}

/// `POST /v3/stacks`: refused.
///
/// # Errors
/// 403, 422.
pub async fn create(Json(_): Json<CreateStack>) -> Result<Response> {
    Err(ApiError::unprocessable("Stacks cannot be created: this platform runs WebAssembly only, which is the stack it has").into())
}

/// Body of `PATCH /v3/stacks/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateStack {
    state: Option<String>,
    #[serde(default, deserialize_with = "named")]
    state_reason: Option<Option<String>>,
    metadata: Option<MetadataPatch>,
}

/// `null` is a value.
fn named<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// `PATCH /v3/stacks/:guid`.
///
/// # Errors
/// 403, 404, 422 for a state that there is not.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<StackGuid>,
    Json(body): Json<UpdateStack>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut stack = stacks::find(&mut tx, guid).await?.ok_or_else(|| ApiError::not_found("Stack"))?;
    let is_state_set = body.state.is_some();
    if let Some(state) = body.state {
        let states = StackState::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ");
        stack.state = state.parse().map_err(|_| ApiError::unprocessable(format!("State must be one of {states}")))?;
    }
    if let Some(reason) = body.state_reason {
        if reason.as_ref().is_some_and(|reason| reason.chars().count() > MAX_REASON_CHARS) {
            let detail = format!("State reason is too long (maximum is {MAX_REASON_CHARS} characters)");
            return Err(ApiError::unprocessable(detail).into());
        }
        stack.state_reason = reason;
    }
    body.metadata.unwrap_or_default().apply(&mut stack.metadata)?;
    stacks::update(&mut tx, &mut stack, controller.now()).await?;
    let event = Event {
        kind: "audit.stack.update",
        target_kind: "stack",
        target: guid.to_string(),
        target_name: &stack.name,
        data: json!({ "request": { "state": stack.state, "state_reason": stack.state_reason } }),
        space: None,
        organization: None,
    };
    audit_events::record(&controller, &mut tx, &access, event).await?;
    tx.commit().await?;
    let warning = format!("Changing state on the default stack '{}' may affect new application deployments.", stack.name);
    Ok(answer::with_warnings(answer::ok(view(&base, &stack)), is_state_set.then_some(warning)))
}

/// `DELETE /v3/stacks/:guid`: refused.
///
/// # Errors
/// 403, 404, 422.
pub async fn delete(State(controller): State<Controller>, Path(guid): Path<StackGuid>) -> Result<Response> {
    let stack = stacks::find(&mut *controller.store.read().await?, guid).await?.ok_or_else(|| ApiError::not_found("Stack"))?;
    Err(ApiError::unprocessable(format!("Cannot delete stack '{}': it is the only one, and apps need one", stack.name)).into())
}
