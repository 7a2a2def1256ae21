//! Deleting an instance of a plan: its bindings first, each by a job of its own, then itself.

use super::{gone, record::record, settled};
use crate::{
    Access, Controller, Result,
    audit_events::actor,
    jobs::{self, Outcome},
    service_credential_bindings as bindings,
    service_operations::{Going, Order, Pending, Polled, Provider, Step, advance, failed, initial, is_under_way, poll, resource_of, words},
};
use serde_json::json;
use virga_broker::{DeprovisionRequest, Progress};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{
    JobGuid, ServiceInstanceGuid, SpaceGuid, Timestamp,
    service::{OperationKind, OperationState, ServiceInstanceKind},
};
use virga_store::{
    Connection,
    jobs::JobRow,
    service_credential_bindings as binding_rows, service_instance_shares,
    service_instances::{self as rows, ServiceInstanceRow},
    service_usage_events,
};

/// Whether a deletion may begin: while nothing is being done to the instance, and while the broker goes on making it.
pub(in super::super) fn may_begin(instance: &ServiceInstanceRow) -> bool {
    let last = &instance.last_operation;
    !is_under_way(last) || (last.kind == OperationKind::Create && last.state == OperationState::InProgress)
}

/// Writes that the instance is to go and the job that does it.
///
/// # Errors
/// Those of the database.
pub(in super::super) async fn begin(
    controller: &Controller,
    db: &mut Connection,
    order: &Order,
    mut instance: ServiceInstanceRow,
) -> Result<JobGuid> {
    let now = controller.now();
    instance.last_operation = initial(OperationKind::Delete, now);
    rows::update(db, &mut instance, now).await?;
    record(controller, db, order.actor(), "start_delete", &instance, json!({ "request": {} })).await?;
    jobs::start(db, now, "service_instance.delete", instance.guid, order.payload()?).await
}

/// Has the instances of a space that brokers made deleted, each by a job of its own. `since` is when that was asked for: what
/// failed before is tried again, what fails after ends it.
///
/// # Errors
/// 400 naming the instance that could not be deleted; those of the database.
pub(crate) async fn take_along(controller: &Controller, order: &Order, space: SpaceGuid, since: Timestamp) -> Result<Going> {
    let mut tx = controller.store.begin().await?;
    let mut going = Going::Gone;
    for instance in rows::list_of_space(&mut tx, space).await? {
        if instance.kind != ServiceInstanceKind::Managed {
            continue;
        }
        going = Going::Going;
        let last = &instance.last_operation;
        if last.kind == OperationKind::Delete && last.state == OperationState::Failed && last.created_at >= since {
            let detail = format!("Deletion of service instance {} failed: {}", instance.name, last.description);
            return Err(ApiError::new(ErrorCode::UnableToPerform, detail).into());
        }
        if may_begin(&instance) {
            service_instance_shares::delete_of_instance(&mut tx, instance.guid).await?;
            begin(controller, &mut tx, &order.following(), instance).await?;
        }
    }
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(going)
}

/// The job.
///
/// # Errors
/// What the broker said; the instance stays, and its deletion can be asked for again.
pub(crate) async fn work(controller: &Controller, job: &JobRow) -> Result<Outcome> {
    let (order, guid): (_, ServiceInstanceGuid) = (Order::read(job)?, resource_of(job)?);
    let Some(instance) = rows::find(&mut *controller.store.read().await?, guid).await? else {
        return Ok(Outcome::Done(Vec::new()));
    };
    if instance.last_operation.kind != OperationKind::Delete || !is_under_way(&instance.last_operation) {
        return settled(&instance, OperationKind::Delete).map(Outcome::Done);
    }
    let step = match bindings_and_self(controller, &order, &instance).await {
        Ok(Some(step)) => step,
        Ok(None) => return order.wait(controller),
        Err(error) if jobs::must_wait(&error) => return Err(error),
        Err(error) => Step::Failed { error: error.into(), leaves_orphan: false },
    };
    let now = controller.now();
    let mut tx = controller.store.begin().await?;
    let mut instance = rows::find(&mut tx, guid).await?.ok_or_else(gone)?;
    let outcome = match step {
        Step::Done(()) => {
            forget(controller, &mut tx, &instance).await?;
            record(controller, &mut tx, order.actor(), "delete", &instance, json!({})).await?;
            tx.commit().await?;
            return Ok(Outcome::Done(Vec::new()));
        }
        Step::GoesOn { pending, description, at } => {
            advance(&mut instance.last_operation, OperationState::InProgress, description.unwrap_or_default(), now);
            order.again(pending, at)
        }
        Step::Failed { error, .. } => {
            advance(&mut instance.last_operation, OperationState::Failed, words(&error), now);
            Err(error.into())
        }
    };
    rows::update(&mut tx, &mut instance, now).await?;
    tx.commit().await?;
    outcome
}

/// `None` while its bindings are still going.
async fn bindings_and_self(controller: &Controller, order: &Order, instance: &ServiceInstanceRow) -> Result<Option<Step<()>>> {
    if order.pending.is_none() {
        let of_instance = binding_rows::list_of_instance(&mut *controller.store.read().await?, instance.guid).await?;
        if bindings::take_along(controller, order, of_instance, instance.last_operation.created_at).await? == Going::Going {
            return Ok(None);
        }
    }
    let provider = Provider::of(&mut *controller.store.read().await?, instance).await?;
    let client = provider.client(controller, order.user)?;
    if let Some(pending) = &order.pending {
        let polled = poll(controller, &client, &provider, instance.guid, None, pending).await;
        return Ok(Some(match polled {
            Polled::Ended(_) => Step::Done(()),
            Polled::Failed(why) => Step::Failed { error: failed(OperationKind::Delete, &why), leaves_orphan: false },
            Polled::GoesOn { pending, description, at } => Step::GoesOn { pending, description, at },
        }));
    }
    let request = DeprovisionRequest { instance: instance.guid, plan: provider.ids(), accepts_incomplete: true };
    Ok(Some(match client.deprovision(&request).await {
        Ok(removed) => match removed.progress {
            Progress::Done => Step::Done(()),
            Progress::InProgress { operation } => {
                let (pending, at) = Pending::begun(controller, operation);
                Step::GoesOn { pending, description: None, at }
            }
        },
        Err(error) => Step::Failed { error: error.into(), leaves_orphan: false },
    }))
}

/// Deletes an instance, with its bindings, without asking its broker.
///
/// # Errors
/// Those of the database.
pub(crate) async fn purge(controller: &Controller, db: &mut Connection, access: &Access, instance: &ServiceInstanceRow) -> Result<()> {
    forget(controller, db, instance).await?;
    record(controller, db, actor(access), "purge", instance, json!({ "request": { "purge": true } })).await
}

/// Deletes the row and what hangs on it.
async fn forget(controller: &Controller, db: &mut Connection, instance: &ServiceInstanceRow) -> Result<()> {
    rows::hold(db, instance).await?;
    for binding in binding_rows::list_of_instance(db, instance.guid).await? {
        binding_rows::delete(db, binding.guid).await?;
    }
    service_instance_shares::delete_of_instance(db, instance.guid).await?;
    service_usage_events::note(db, instance, "DELETED", controller.now()).await?;
    rows::delete(db, instance.guid).await?;
    Ok(())
}
