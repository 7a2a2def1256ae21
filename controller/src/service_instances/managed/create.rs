//! Making an instance of a plan.

use super::{gone, record::record, settled};
use crate::{
    Access, Controller, Result,
    jobs::{self, Outcome},
    quotas,
    service_instances::body::name_taken,
    service_operations::{
        Order, Pending, Polled, Provider, Step, advance, context, failed, initial, is_under_way, mitigate, poll, resource_of, told, words,
    },
    service_plans,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use virga_broker::{Progress, ProvisionRequest};
use virga_contract::ApiError;
use virga_model::{
    JobGuid, ServiceInstanceGuid, ServicePlanGuid, SpaceGuid,
    service::{BrokerState, OperationKind, OperationState, ServiceInstanceKind},
};
use virga_store::{
    Connection,
    jobs::JobRow,
    metadata::Metadata,
    service_instances::{self as rows, ServiceInstanceRow},
    service_plans as plan_rows, service_usage_events, spaces,
};

/// What a managed instance is to be.
pub(in super::super) struct NewInstance {
    pub name: String,
    pub tags: Vec<String>,
    pub plan: Option<ServicePlanGuid>,
    pub parameters: Map<String, Value>,
    pub metadata: Metadata,
}

/// What only the broker is told.
#[derive(Debug, Serialize, Deserialize)]
struct Input {
    parameters: Map<String, Value>,
}

/// Writes the instance and the job that has its broker make it.
///
/// # Errors
/// 422 for a plan that cannot be had here, a name that is taken, and what a quota does not allow.
pub(in super::super) async fn begin(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    space: SpaceGuid,
    new: NewInstance,
) -> Result<JobGuid> {
    let provider = to_be_had(db, access, new.plan, space).await?;
    let (guid, now) = (ServiceInstanceGuid::random(), controller.now());
    let instance = ServiceInstanceRow {
        guid,
        created_at: now,
        updated_at: now,
        name: new.name,
        space,
        kind: ServiceInstanceKind::Managed,
        tags: new.tags,
        credentials: None,
        syslog_drain_url: None,
        route_service_url: None,
        plan: Some(provider.plan.guid),
        dashboard_url: None,
        maintenance_info: provider.plan.catalog.maintenance_info.clone(),
        last_operation: initial(OperationKind::Create, now),
        metadata: new.metadata,
    };
    // The catalog must not lose the plan meanwhile.
    plan_rows::hold(db, &provider.plan).await?;
    rows::insert(db, &instance).await.map_err(|error| name_taken(error, &instance.name))?;
    quotas::check_service_instances(db, space, !provider.plan.is_free).await?;
    service_usage_events::note(db, &instance, "CREATED", now).await?;
    let order = Order::of(controller, access, guid, &Input { parameters: new.parameters })?;
    let request = json!({
        "type": "managed",
        "name": instance.name,
        "tags": instance.tags,
        "parameters": "[PRIVATE DATA HIDDEN]",
        "relationships": { "space": { "data": { "guid": space } }, "service_plan": { "data": { "guid": provider.plan.guid } } },
    });
    record(controller, db, order.actor(), "start_create", &instance, json!({ "request": request })).await?;
    jobs::start(db, now, "service_instance.create", guid, order.payload()?).await
}

/// The plan, where an instance of it can be made in a space by this caller.
async fn to_be_had(db: &mut Connection, access: &Access, plan: Option<ServicePlanGuid>, space: SpaceGuid) -> Result<Provider> {
    let unseen = "Invalid service plan. Ensure that the service plan exists, is available, and you have access to it.";
    let plan = plan.ok_or_else(|| ApiError::unprocessable(unseen))?;
    if !service_plans::is_seen(db, access, plan).await? {
        return Err(ApiError::unprocessable(unseen).into());
    }
    let provider = Provider::of_plan(db, plan).await?;
    let (name, guid) = (&provider.plan.name, provider.plan.guid);
    if !provider.plan.available {
        let detail = format!(
            "Invalid service plan. The service plan '{name}' with guid '{guid}' has been removed from the service broker's catalog. It is \
             not possible to create new service instances using this plan."
        );
        return Err(ApiError::unprocessable(detail).into());
    }
    if !plan_rows::is_in_space(db, plan, space).await? {
        let here = spaces::find(db, space).await?.map(|space| space.name).unwrap_or_default();
        let detail = format!(
            "Invalid service plan. This could be due to a space-scoped broker which is offering the service plan '{name}' with guid \
             '{guid}' in another space or that the plan is not enabled in this organization. Ensure that the service plan is visible in \
             your current space '{here}' with guid '{space}'."
        );
        return Err(ApiError::unprocessable(detail).into());
    }
    if provider.broker.state == BrokerState::DeleteInProgress {
        let detail = "The service instance cannot be created because there is an operation in progress for the service broker.";
        return Err(ApiError::unprocessable(detail).into());
    }
    Ok(provider)
}

/// The job.
///
/// # Errors
/// What the broker said; the instance is there, failed, and can be read and deleted.
pub(crate) async fn work(controller: &Controller, job: &JobRow) -> Result<Outcome> {
    let (order, guid): (_, ServiceInstanceGuid) = (Order::read(job)?, resource_of(job)?);
    let instance = rows::find(&mut *controller.store.read().await?, guid).await?.ok_or_else(gone)?;
    if instance.last_operation.kind != OperationKind::Create || !is_under_way(&instance.last_operation) {
        return settled(&instance, OperationKind::Create).map(Outcome::Done);
    }
    let step = match ask(controller, &order, &instance).await {
        Ok(step) => step,
        Err(error) if jobs::must_wait(&error) => return Err(error),
        Err(error) => Step::Failed { error: error.into(), leaves_orphan: order.pending.is_some() },
    };
    let now = controller.now();
    let mut tx = controller.store.begin().await?;
    let mut instance = rows::find(&mut tx, guid).await?.ok_or_else(gone)?;
    // Its deletion was begun meanwhile, which asks the broker itself.
    if instance.last_operation.kind != OperationKind::Create {
        return settled(&instance, OperationKind::Create).map(Outcome::Done);
    }
    let outcome = match step {
        Step::Done(made) => {
            instance.dashboard_url = made.dashboard_url.or(instance.dashboard_url);
            advance(&mut instance.last_operation, OperationState::Succeeded, "", now);
            record(controller, &mut tx, order.actor(), "create", &instance, json!({})).await?;
            Ok(Outcome::Done(Vec::new()))
        }
        Step::GoesOn { pending, description, at } => {
            advance(&mut instance.last_operation, OperationState::InProgress, description.unwrap_or_default(), now);
            order.again(pending, at)
        }
        Step::Failed { error, leaves_orphan } => {
            advance(&mut instance.last_operation, OperationState::Failed, words(&error), now);
            if leaves_orphan {
                mitigate(controller, &mut tx, &order, &instance, None).await?;
            }
            Err(error.into())
        }
    };
    rows::update(&mut tx, &mut instance, now).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    outcome
}

/// What the broker says of an instance that is made.
struct Made {
    dashboard_url: Option<String>,
}

async fn ask(controller: &Controller, order: &Order, instance: &ServiceInstanceRow) -> Result<Step<Made>> {
    let mut db = controller.store.read().await?;
    let provider = Provider::of(&mut db, instance).await?;
    let context = context(&mut db, instance.space).await?;
    drop(db);
    let client = provider.client(controller, order.user)?;
    if let Some(pending) = &order.pending {
        let polled = poll(controller, &client, &provider, instance.guid, None, pending).await;
        return Ok(match polled {
            Polled::Ended(status) if status.is_gone => {
                let error = failed(OperationKind::Create, "the service broker does not know the service instance");
                Step::Failed { error, leaves_orphan: true }
            }
            Polled::Ended(_) => Step::Done(Made { dashboard_url: None }),
            Polled::Failed(why) => Step::Failed { error: failed(OperationKind::Create, &why), leaves_orphan: true },
            Polled::GoesOn { pending, description, at } => Step::GoesOn { pending, description, at },
        });
    }
    let Input { parameters } = order.input(controller, instance.guid)?;
    let request = ProvisionRequest {
        instance: instance.guid,
        plan: provider.ids(),
        context: virga_broker::Context {
            instance_name: Some(instance.name.clone()),
            instance_annotations: Some(told(&instance.metadata)),
            ..context
        },
        parameters,
        maintenance_info: provider.maintenance_info(),
        accepts_incomplete: true,
    };
    Ok(match client.provision(&request).await {
        Ok(provisioned) => match provisioned.progress {
            Progress::Done => Step::Done(Made { dashboard_url: provisioned.dashboard_url }),
            Progress::InProgress { operation } => {
                keep_dashboard(controller, instance.guid, provisioned.dashboard_url).await?;
                let (pending, at) = Pending::begun(controller, operation);
                Step::GoesOn { pending, description: None, at }
            }
        },
        Err(error) => Step::Failed { leaves_orphan: error.leaves_orphan, error: error.into() },
    })
}

/// The dashboard of an instance that is still being made shows people how far it is.
async fn keep_dashboard(controller: &Controller, guid: ServiceInstanceGuid, dashboard: Option<String>) -> Result<()> {
    if dashboard.is_none() {
        return Ok(());
    }
    let mut tx = controller.store.begin().await?;
    if let Some(mut instance) = rows::find(&mut tx, guid).await? {
        instance.dashboard_url = dashboard;
        rows::update(&mut tx, &mut instance, controller.now()).await?;
        tx.commit().await?;
    }
    Ok(())
}
