//! Deleting bindings to, and keys of, instances of plans.

use super::{gone, ids, settled, word};
use crate::{
    Controller, Result,
    jobs::{self, Outcome},
    service_credential_bindings::bind::record,
    service_operations::{Going, Order, Pending, Polled, Provider, Step, advance, failed, initial, is_under_way, poll, resource_of, words},
};
use serde_json::json;
use virga_broker::{Progress, UnbindRequest};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{
    JobGuid, ServiceCredentialBindingGuid, Timestamp,
    service::{OperationKind, OperationState, ServiceInstanceKind},
};
use virga_store::{
    Connection,
    jobs::JobRow,
    service_credential_bindings::{self as rows, ServiceCredentialBindingRow},
    service_instances,
};

/// Whether a deletion may begin: while nothing is being done to the binding, and while the broker goes on making it.
pub(in super::super) fn may_begin(binding: &ServiceCredentialBindingRow) -> bool {
    let last = &binding.last_operation;
    !is_under_way(last) || (last.kind == OperationKind::Create && last.state == OperationState::InProgress)
}

/// Writes that the binding is to go and the job that does it.
///
/// # Errors
/// Those of the database.
pub(in super::super) async fn begin(
    controller: &Controller,
    db: &mut Connection,
    order: &Order,
    mut binding: ServiceCredentialBindingRow,
) -> Result<JobGuid> {
    let now = controller.now();
    binding.last_operation = initial(OperationKind::Delete, now);
    rows::update(db, &mut binding, now).await?;
    let data = json!({ "request": { "app_guid": binding.app, "service_instance_guid": binding.instance } });
    record(controller, db, order.actor(), "start_delete", &binding, data).await?;
    jobs::start(db, now, &format!("{}s.delete", word(binding.kind)), binding.guid, order.payload()?).await
}

/// Has those of these bindings deleted that are at brokers, each by a job of its own. `since` is when that was asked for: what failed
/// before is tried again, what fails after ends it.
///
/// # Errors
/// 400 naming the binding that could not be deleted; those of the database.
pub(crate) async fn take_along(
    controller: &Controller,
    order: &Order,
    bindings: Vec<ServiceCredentialBindingRow>,
    since: Timestamp,
) -> Result<Going> {
    let mut going = Going::Gone;
    let mut tx = controller.store.begin().await?;
    let mut to_go = Vec::new();
    for binding in bindings {
        let Some(instance) = service_instances::find(&mut tx, binding.instance).await? else { continue };
        if instance.kind != ServiceInstanceKind::Managed {
            continue;
        }
        going = Going::Going;
        let last = &binding.last_operation;
        if last.kind == OperationKind::Delete && last.state == OperationState::Failed && last.created_at >= since {
            let whose = binding.name.clone().or(binding.app.map(|app| app.to_string())).unwrap_or_default();
            let detail = format!("Deletion of the binding {whose} to service instance {} failed: {}", instance.name, last.description);
            return Err(ApiError::new(ErrorCode::UnableToPerform, detail).into());
        }
        to_go.push(binding);
    }
    begin_taking_along(controller, &mut tx, order, to_go).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(going)
}

/// Starts the deletion of those of these bindings, all of them at brokers, that are not being deleted yet.
///
/// # Errors
/// Those of the database.
pub(crate) async fn begin_taking_along(
    controller: &Controller,
    db: &mut Connection,
    order: &Order,
    bindings: Vec<ServiceCredentialBindingRow>,
) -> Result<()> {
    for binding in bindings.into_iter().filter(may_begin) {
        begin(controller, db, &order.following(), binding).await?;
    }
    Ok(())
}

/// The job.
///
/// # Errors
/// What the broker said; the binding stays, and its deletion can be asked for again.
pub(crate) async fn work(controller: &Controller, job: &JobRow) -> Result<Outcome> {
    let (order, guid): (_, ServiceCredentialBindingGuid) = (Order::read(job)?, resource_of(job)?);
    let Some(binding) = rows::find(&mut *controller.store.read().await?, guid).await? else {
        return Ok(Outcome::Done(Vec::new()));
    };
    if binding.last_operation.kind != OperationKind::Delete || !is_under_way(&binding.last_operation) {
        return settled(&binding, OperationKind::Delete).map(Outcome::Done);
    }
    let step = match ask(controller, &order, &binding).await {
        Ok(step) => step,
        Err(error) if jobs::must_wait(&error) => return Err(error),
        Err(error) => Step::Failed { error: error.into(), leaves_orphan: false },
    };
    let now = controller.now();
    let mut tx = controller.store.begin().await?;
    let mut binding = rows::find(&mut tx, guid).await?.ok_or_else(gone)?;
    let outcome = match step {
        Step::Done(()) => {
            record(controller, &mut tx, order.actor(), "delete", &binding, json!({})).await?;
            rows::delete(&mut tx, guid).await?;
            tx.commit().await?;
            controller.scheduler.nudge();
            return Ok(Outcome::Done(Vec::new()));
        }
        Step::GoesOn { pending, description, at } => {
            advance(&mut binding.last_operation, OperationState::InProgress, description.unwrap_or_default(), now);
            order.again(pending, at)
        }
        Step::Failed { error, .. } => {
            advance(&mut binding.last_operation, OperationState::Failed, words(&error), now);
            Err(error.into())
        }
    };
    rows::update(&mut tx, &mut binding, now).await?;
    tx.commit().await?;
    outcome
}

async fn ask(controller: &Controller, order: &Order, binding: &ServiceCredentialBindingRow) -> Result<Step<()>> {
    let mut db = controller.store.read().await?;
    let instance = service_instances::find(&mut db, binding.instance).await?.ok_or_else(gone)?;
    let provider = Provider::of(&mut db, &instance).await?;
    drop(db);
    let client = provider.client(controller, order.user)?;
    if let Some(pending) = &order.pending {
        return Ok(match poll(controller, &client, &provider, instance.guid, Some(binding.guid), pending).await {
            Polled::Ended(_) => Step::Done(()),
            Polled::Failed(why) => Step::Failed { error: failed(OperationKind::Delete, &why), leaves_orphan: false },
            Polled::GoesOn { pending, description, at } => Step::GoesOn { pending, description, at },
        });
    }
    let request = UnbindRequest { ids: ids(binding), plan: provider.ids(), accepts_incomplete: true };
    Ok(match client.unbind(&request).await {
        Ok(removed) => match removed.progress {
            Progress::Done => Step::Done(()),
            Progress::InProgress { operation } => {
                let (pending, at) = Pending::begun(controller, operation);
                Step::GoesOn { pending, description: None, at }
            }
        },
        Err(error) => Step::Failed { error: error.into(), leaves_orphan: false },
    })
}
