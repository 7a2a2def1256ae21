//! Whether a stack may still be used.

use super::{DEFAULT_STACK, default_guid};
use crate::{Controller, Result};
use virga_contract::ApiError;
use virga_model::state::StackState;
use virga_store::{
    Connection,
    metadata::Metadata,
    stacks::{self, StackRow},
};

/// Makes the row of the one stack where it is missing.
///
/// # Errors
/// Those of the database.
pub(crate) async fn seed(controller: &Controller, db: &mut Connection) -> Result<()> {
    if stacks::find_by_name(db, DEFAULT_STACK).await?.is_some() {
        return Ok(());
    }
    let now = controller.now();
    let row = StackRow {
        guid: default_guid(),
        created_at: now,
        updated_at: now,
        name: DEFAULT_STACK.to_owned(),
        description: "WebAssembly components (WASI)".to_owned(),
        state: StackState::Active,
        state_reason: None,
        metadata: Metadata::default(),
    };
    Ok(stacks::insert(db, &row).await?)
}

/// What is to be said to who uses a stack that will not stay.
///
/// # Errors
/// Those of the database.
pub(crate) async fn warning(db: &mut Connection, name: &str) -> Result<Option<String>> {
    let found = stacks::find_by_name(db, name).await?;
    Ok(found.filter(|stack| matches!(stack.state, StackState::Deprecated | StackState::Restricted)).map(|stack| {
        let reason = stack.state_reason.map(|reason| format!(" {reason}")).unwrap_or_default();
        format!("WARNING: The stack '{name}' is '{}' and will be removed in the future.{reason}", stack.state)
    }))
}

/// Passes for a stack that may be used: by a new app, or by one that has used it before (`has_droplet`).
///
/// # Errors
/// 422 for a stack that is disabled, or restricted to apps that use it already.
pub(crate) async fn check(db: &mut Connection, name: &str, has_droplet: bool) -> Result<()> {
    let Some(stack) = stacks::find_by_name(db, name).await? else { return Ok(()) };
    let refused = match stack.state {
        StackState::Disabled => true,
        StackState::Restricted => !has_droplet,
        StackState::Active | StackState::Deprecated => false,
    };
    if !refused {
        return Ok(());
    }
    let reason = stack.state_reason.map(|reason| format!(" {reason}")).unwrap_or_default();
    let state = stack.state;
    Err(ApiError::unprocessable(format!("ERROR: Staging failed. The stack '{name}' is '{state}' and cannot be used for staging.{reason}"))
        .into())
}
