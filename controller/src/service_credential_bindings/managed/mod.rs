//! Bindings to, and keys of, instances of plans: what brokers are asked for, as jobs. See [`crate::service_operations`].

mod create;
mod delete;

pub(crate) use create::begin_for_app;
pub(crate) use create::work as create_work;
pub(super) use create::{Whom, begin};
pub(super) use delete::{begin as begin_deletion, may_begin as may_be_deleted};
pub(crate) use delete::{begin_taking_along, take_along, work as delete_work};

use crate::{Error, Result, service_operations::failed};
use virga_broker::BindingIds;
use virga_contract::{ApiError, ErrorCode};
use virga_model::service::{BindingKind, OperationKind, OperationState};
use virga_store::service_credential_bindings::ServiceCredentialBindingRow;

/// The resource of a binding's jobs and audit events in the words of Cloud Controller: `service_bindings.create`,
/// `audit.service_key.create`.
pub(super) fn word(kind: BindingKind) -> &'static str {
    match kind {
        BindingKind::App => "service_binding",
        BindingKind::Key => "service_key",
    }
}

/// The binding and its instance as a broker knows them.
fn ids(binding: &ServiceCredentialBindingRow) -> BindingIds {
    BindingIds { instance: binding.instance, binding: binding.guid }
}

/// The error of a binding that was deleted while a job was about it.
fn gone() -> Error {
    ApiError::not_found("Service credential binding").into()
}

/// How an operation ended that a job finds at its end: a job whose own end was lost says it again. What is deleted while it is made
/// was not made.
fn settled(binding: &ServiceCredentialBindingRow, kind: OperationKind) -> Result<Vec<String>> {
    let last = &binding.last_operation;
    if kind == OperationKind::Create && last.kind == OperationKind::Delete {
        return Err(failed(kind, "the binding is being deleted").into());
    }
    if last.kind == kind && last.state == OperationState::Failed {
        return Err(ApiError::new(ErrorCode::UnableToPerform, last.description.clone()).into());
    }
    Ok(Vec::new())
}
