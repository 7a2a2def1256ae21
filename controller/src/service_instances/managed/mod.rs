//! Instances of plans: what their brokers are asked for, as jobs. See [`crate::service_operations`].

pub(super) mod create;
pub(super) mod delete;
mod record;
pub(super) mod update;

pub(crate) use create::work as create_work;
pub(crate) use delete::{purge, take_along, work as delete_work};
pub(super) use record::record;
pub(crate) use update::work as update_work;

use crate::{Error, Result, service_operations::failed};
use virga_contract::{ApiError, ErrorCode};
use virga_model::service::OperationKind;
use virga_store::service_instances::ServiceInstanceRow;

/// The error of an instance to which something is being done.
pub(crate) fn busy(instance: &ServiceInstanceRow) -> Error {
    let detail = format!("An operation for service instance {} is in progress.", instance.name);
    ApiError::new(ErrorCode::AsyncServiceInstanceOperationInProgress, detail).into()
}

/// The error of an instance that was deleted while a job was about it.
fn gone() -> Error {
    ApiError::not_found("Service instance").into()
}

/// How an operation ended that a job finds at its end: a job whose own end was lost says it again. What is deleted while it is made
/// was not made.
fn settled(instance: &ServiceInstanceRow, kind: OperationKind) -> Result<Vec<String>> {
    let last = &instance.last_operation;
    if kind == OperationKind::Create && last.kind == OperationKind::Delete {
        return Err(failed(kind, "the service instance is being deleted").into());
    }
    if last.kind == kind && last.state == virga_model::service::OperationState::Failed {
        return Err(ApiError::new(ErrorCode::UnableToPerform, last.description.clone()).into());
    }
    Ok(Vec::new())
}
