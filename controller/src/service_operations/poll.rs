//! Asking a broker how far an operation is.

use super::{Pending, Provider};
use crate::Controller;
use virga_broker::{BrokerClient, LastOperationRequest, OperationStatus};
use virga_model::{ServiceCredentialBindingGuid, ServiceInstanceGuid, Timestamp, service::OperationState};

/// What came of asking.
#[derive(Debug)]
pub(crate) enum Polled {
    /// The operation succeeded, or what it was about is gone from the broker.
    Ended(OperationStatus),
    /// It failed, or took too long; for people.
    Failed(String),
    /// It goes on.
    GoesOn { pending: Pending, description: Option<String>, at: Timestamp },
}

impl Pending {
    /// An operation that the broker has just begun, and when it is asked for the first time.
    pub fn begun(controller: &Controller, operation: Option<String>) -> (Self, Timestamp) {
        let now = controller.now();
        (Self { operation, since: now, asked: 0 }, now + controller.polling.pause(0, None))
    }
}

/// Asks once. An error that may pass is as good as "in progress": what counts is how long it takes in all.
pub(crate) async fn poll(
    controller: &Controller,
    client: &BrokerClient,
    provider: &Provider,
    instance: ServiceInstanceGuid,
    binding: Option<ServiceCredentialBindingGuid>,
    pending: &Pending,
) -> Polled {
    let request = LastOperationRequest { instance, binding, plan: provider.ids(), operation: pending.operation.clone() };
    let (description, retry_after) = match client.last_operation(&request).await {
        Ok(status) => match status.state {
            OperationState::Succeeded => return Polled::Ended(status),
            OperationState::Failed => return Polled::Failed(status.description.unwrap_or_default()),
            OperationState::Initial | OperationState::InProgress => (status.description, status.retry_after),
        },
        Err(error) if error.kind.is_passing() => {
            tracing::info!(%error, context = error.context, service_instance.guid = %instance, "a service broker did not say how far it is");
            (None, None)
        }
        Err(error) => return Polled::Failed(error.message),
    };
    let now = controller.now();
    let longest = controller.polling.longest_operation(provider.plan.catalog.maximum_polling_duration);
    if now.duration_since(pending.since).unsigned_abs() >= longest {
        return Polled::Failed(format!("The service broker was not done within the {} seconds that it has.", longest.as_secs()));
    }
    let asked = pending.asked.saturating_add(1);
    let at = now + controller.polling.pause(asked, retry_after);
    Polled::GoesOn { pending: Pending { asked, ..pending.clone() }, description, at }
}
