//! Orphan mitigation: what a broker may have made although nobody has any use for it is deleted there.
//!
//! Open Service Broker 2.17, "Orphan Mitigation".

use super::{Order, Pending, Polled, Provider, poll};
use crate::{
    Controller, Result,
    jobs::{self, Outcome},
};
use serde::{Deserialize, Serialize};
use virga_broker::{BindingIds, BrokerClient, BrokerError, DeprovisionRequest, Progress, Removed, UnbindRequest};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{ServiceCredentialBindingGuid, ServiceInstanceGuid, ServicePlanGuid, Timestamp};
use virga_store::{
    Connection, jobs::JobRow, service_credential_bindings::ServiceCredentialBindingRow, service_instances::ServiceInstanceRow,
};

/// The input of the job. The row may be gone by the time that it runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Orphan {
    order: Order,
    plan: ServicePlanGuid,
    instance: ServiceInstanceGuid,
    binding: Option<ServiceCredentialBindingGuid>,
    since: Timestamp,
    failures: u32,
}

/// Starts the job for an instance, or a binding of it, that could not be made.
///
/// # Errors
/// Those of the database.
pub(crate) async fn mitigate(
    controller: &Controller,
    db: &mut Connection,
    order: &Order,
    instance: &ServiceInstanceRow,
    binding: Option<&ServiceCredentialBindingRow>,
) -> Result<()> {
    let Some(plan) = instance.plan else { return Ok(()) };
    let (now, binding) = (controller.now(), binding.map(|binding| binding.guid));
    let orphan = Orphan { order: order.following(), plan, instance: instance.guid, binding, since: now, failures: 0 };
    let payload = serde_json::to_value(orphan).map_err(ApiError::internal)?;
    let broker = Provider::of_plan(db, plan).await?.broker.guid;
    jobs::start(db, now, "service_broker.mitigate_orphan", broker, payload).await?;
    Ok(())
}

/// The job. It ends when the broker has nothing more, or has not said so for as long as an operation may take.
///
/// # Errors
/// What the broker said last.
pub(crate) async fn work(controller: &Controller, job: &JobRow) -> Result<Outcome> {
    let orphan: Orphan = serde_json::from_value(job.payload.clone()).map_err(ApiError::internal)?;
    let provider = Provider::of_plan(&mut *controller.store.read().await?, orphan.plan).await?;
    let client = provider.client(controller, orphan.order.user)?;
    let failure = if let Some(pending) = &orphan.order.pending {
        match poll(controller, &client, &provider, orphan.instance, orphan.binding, pending).await {
            Polled::Ended(_) => return Ok(Outcome::Done(Vec::new())),
            Polled::GoesOn { pending, at, .. } => return again(orphan, Some(pending), at),
            Polled::Failed(why) => ApiError::new(ErrorCode::UnableToPerform, why),
        }
    } else {
        match delete(&client, &provider, &orphan).await {
            Ok(removed) => match removed.progress {
                Progress::Done => return Ok(Outcome::Done(Vec::new())),
                Progress::InProgress { operation } => {
                    let (pending, at) = Pending::begun(controller, operation);
                    return again(orphan, Some(pending), at);
                }
            },
            Err(error) => error.into(),
        }
    };
    let now = controller.now();
    let longest = controller.polling.longest_operation(provider.plan.catalog.maximum_polling_duration);
    if now.duration_since(orphan.since).unsigned_abs() >= longest {
        tracing::error!(
            service_instance.guid = %orphan.instance, binding = ?orphan.binding, service_broker.name = provider.broker.name,
            error = %failure, "what nobody has any use for may be left at a service broker"
        );
        return Err(failure.into());
    }
    let orphan = Orphan { failures: orphan.failures.saturating_add(1), ..orphan };
    let at = now + controller.polling.pause(orphan.failures, None);
    again(orphan, None, at)
}

async fn delete(client: &BrokerClient, provider: &Provider, orphan: &Orphan) -> Result<Removed, BrokerError> {
    let (plan, accepts_incomplete) = (provider.ids(), true);
    match orphan.binding {
        Some(binding) => {
            let ids = BindingIds { instance: orphan.instance, binding };
            client.unbind(&UnbindRequest { ids, plan, accepts_incomplete }).await
        }
        None => client.deprovision(&DeprovisionRequest { instance: orphan.instance, plan, accepts_incomplete }).await,
    }
}

fn again(mut orphan: Orphan, pending: Option<Pending>, at: Timestamp) -> Result<Outcome> {
    orphan.order.pending = pending;
    Ok(Outcome::Again { payload: serde_json::to_value(orphan).map_err(ApiError::internal)?, at })
}
