//! Operations at service brokers: what the jobs of instances and of bindings have in common.
//!
//! An operation is a row whose `last_operation` says how far it is, and a job ([`Order`]) that asks the broker ([`Provider`]) and,
//! where the broker goes on by itself, asks again ([`poll()`]) until it is done or took too long. See ADR 0021.

mod give_up;
mod order;
mod orphan;
mod poll;
mod provider;

pub(crate) use give_up::give_up;
pub(crate) use order::{Order, Pending, resource_of};
pub(crate) use orphan::{mitigate, work as mitigate_work};
pub(crate) use poll::{Polled, poll};
pub(crate) use provider::{Provider, context, maintenance_info, told};

use virga_contract::{ApiError, ErrorCode};
use virga_model::{
    Timestamp,
    service::{LastOperation, OperationKind, OperationState},
};

/// An operation that was just asked for.
pub(crate) fn initial(kind: OperationKind, now: Timestamp) -> LastOperation {
    LastOperation { kind, state: OperationState::Initial, description: String::new(), created_at: now, updated_at: now }
}

/// Whether something is being done.
pub(crate) fn is_under_way(operation: &LastOperation) -> bool {
    matches!(operation.state, OperationState::Initial | OperationState::InProgress)
}

/// Whether nothing came of it: it was to be made, and could not be.
pub(crate) fn was_never_made(operation: &LastOperation) -> bool {
    operation.kind == OperationKind::Create && operation.state == OperationState::Failed
}

/// How far an operation is now.
pub(crate) fn advance(operation: &mut LastOperation, state: OperationState, description: impl Into<String>, now: Timestamp) {
    operation.state = state;
    operation.description = description.into();
    operation.updated_at = now;
}

/// The error of an operation that a broker says has failed, or that took too long.
pub(crate) fn failed(kind: OperationKind, description: &str) -> ApiError {
    ApiError::new(ErrorCode::UnableToPerform, format!("{kind} could not be completed: {description}"))
}

/// What an operation's description says of an error: its sentences, without their codes.
pub(crate) fn words(error: &ApiError) -> String {
    error.problems.iter().map(|(_, detail)| detail.as_str()).collect::<Vec<_>>().join("; ")
}

/// Whether something that is to be deleted first is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Going {
    /// It is.
    Gone,
    /// It is being deleted.
    Going,
}

/// One step of an operation.
#[derive(Debug)]
pub(crate) enum Step<T> {
    /// It is done.
    Done(T),
    /// It goes on at the broker, which said this.
    GoesOn {
        /// What the broker goes on with.
        pending: Pending,
        /// What it said.
        description: Option<String>,
        /// When it is asked again.
        at: Timestamp,
    },
    /// It failed.
    Failed {
        /// Why.
        error: ApiError,
        /// Whether something may be left at the broker.
        leaves_orphan: bool,
    },
}
