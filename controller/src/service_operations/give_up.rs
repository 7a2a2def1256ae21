//! What becomes of an operation whose job cannot go on: it has failed, so that people can read why and delete what there is.

use super::{advance, is_under_way};
use crate::{Controller, Result};
use virga_model::{
    Timestamp,
    service::{LastOperation, OperationKind, OperationState},
};
use virga_store::{jobs::JobRow, service_credential_bindings, service_instances};

/// Marks the operation of a job that failed, where its work has not done so. Of other jobs nothing.
///
/// # Errors
/// Those of the database.
pub(crate) async fn give_up(controller: &Controller, job: &JobRow, why: &str) -> Result<()> {
    let Some((resource, verb)) = job.operation.split_once('.') else { return Ok(()) };
    let (Ok(kind), Some(guid)) = (verb.parse::<OperationKind>(), job.resource.as_deref()) else { return Ok(()) };
    let now = controller.now();
    let mut tx = controller.store.begin().await?;
    match resource {
        "service_instance" => {
            let Ok(guid) = guid.parse() else { return Ok(()) };
            let Some(mut instance) = service_instances::find(&mut tx, guid).await? else { return Ok(()) };
            if !fail(&mut instance.last_operation, kind, why, now) {
                return Ok(());
            }
            service_instances::update(&mut tx, &mut instance, now).await?;
        }
        "service_bindings" | "service_keys" => {
            let Ok(guid) = guid.parse() else { return Ok(()) };
            let Some(mut binding) = service_credential_bindings::find(&mut tx, guid).await? else { return Ok(()) };
            if !fail(&mut binding.last_operation, kind, why, now) {
                return Ok(());
            }
            service_credential_bindings::update(&mut tx, &mut binding, now).await?;
        }
        _ => return Ok(()),
    }
    tx.commit().await?;
    Ok(())
}

/// Whether that was to be said.
fn fail(last: &mut LastOperation, kind: OperationKind, why: &str, now: Timestamp) -> bool {
    let is_under_way = last.kind == kind && is_under_way(last);
    if is_under_way {
        advance(last, OperationState::Failed, why, now);
    }
    is_under_way
}
