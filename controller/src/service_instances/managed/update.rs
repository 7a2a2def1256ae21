//! Changing an instance of a plan: its name, its plan, its parameters, the version of its plan.

use super::{busy, gone, record::record, settled};
use crate::{
    Access, Controller, Result,
    audit_events::actor,
    jobs::{self, Outcome},
    metadata::MetadataPatch,
    quotas,
    service_instances::body::name_taken,
    service_operations::{
        Order, Pending, Polled, Provider, Step, advance, context, failed, initial, is_under_way, maintenance_info, poll, resource_of,
        was_never_made, words,
    },
    service_plans,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use virga_broker::{PreviousValues, Progress, UpdateRequest};
use virga_contract::ApiError;
use virga_model::{
    JobGuid, ServiceInstanceGuid, ServicePlanGuid,
    service::{OperationKind, OperationState},
};
use virga_store::{
    Connection,
    jobs::JobRow,
    service_instances::{self as rows, ServiceInstanceRow},
    service_plans as plan_rows, service_usage_events,
};

/// What is to change; absent members stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct Change {
    pub name: Option<String>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<MetadataPatch>,
    pub plan: Option<ServicePlanGuid>,
    pub parameters: Option<Map<String, Value>>,
    /// The version of its plan that the instance is to have.
    pub version: Option<String>,
}

/// What became of a change.
pub(in super::super) enum Begun {
    /// It was made; the broker has nothing to do with it.
    Done(Box<ServiceInstanceRow>),
    /// The broker is asked by this job.
    Job(JobGuid),
}

/// Makes a change, or writes the job that has the broker make it.
///
/// # Errors
/// 409 while something else is done to the instance; 422 for a name that is taken, and for a plan or version it cannot have.
pub(in super::super) async fn begin(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    mut instance: ServiceInstanceRow,
    mut change: Change,
) -> Result<Begun> {
    if is_under_way(&instance.last_operation) {
        return Err(busy(&instance));
    }
    if was_never_made(&instance.last_operation) {
        let detail = "The service instance could not be created, and cannot be changed. Delete it and create another.";
        return Err(ApiError::unprocessable(detail).into());
    }
    let provider = Provider::of(db, &instance).await?;
    change.name = change.name.filter(|name| *name != instance.name);
    change.plan = change.plan.filter(|plan| *plan != provider.plan.guid);
    let kept = maintenance_info(instance.maintenance_info.as_ref());
    check_plan(db, access, &provider, &instance, &change).await?;
    check_version(&provider, &change)?;
    change.version = change.version.filter(|version| kept.as_ref().is_none_or(|kept| kept.version != *version));
    if let Some(name) = &change.name
        && rows::find_by_name(db, instance.space, name).await?.is_some()
    {
        return Err(ApiError::unprocessable(format!("The service instance name is taken: {name}.")).into());
    }
    // Labels are checked now and applied later.
    change.metadata.clone().unwrap_or_default().apply(&mut instance.metadata.clone())?;
    let now = controller.now();
    let request = request_of(&change);
    let tells_name = change.name.is_some() && provider.offering.catalog.allow_context_updates;
    if change.plan.is_none() && change.parameters.is_none() && change.version.is_none() && !tells_name {
        let is_renamed = change.name.is_some();
        apply(&mut instance, change)?;
        advance(&mut instance.last_operation, OperationState::Succeeded, "", now);
        instance.last_operation.kind = OperationKind::Update;
        instance.last_operation.created_at = now;
        save(controller, db, &mut instance, is_renamed).await?;
        record(controller, db, actor(access), "update", &instance, json!({ "request": request })).await?;
        return Ok(Begun::Done(Box::new(instance)));
    }
    instance.last_operation = initial(OperationKind::Update, now);
    rows::update(db, &mut instance, now).await?;
    let order = Order::of(controller, access, instance.guid, &change)?;
    record(controller, db, order.actor(), "start_update", &instance, json!({ "request": request })).await?;
    Ok(Begun::Job(jobs::start(db, now, "service_instance.update", instance.guid, order.payload()?).await?))
}

fn request_of(change: &Change) -> Value {
    let mut request = Map::new();
    request.extend(change.name.iter().map(|name| ("name".to_owned(), json!(name))));
    request.extend(change.tags.iter().map(|tags| ("tags".to_owned(), json!(tags))));
    request.extend(change.parameters.iter().map(|_| ("parameters".to_owned(), json!("[PRIVATE DATA HIDDEN]"))));
    let plan = |plan| json!({ "service_plan": { "data": { "guid": plan } } });
    request.extend(change.plan.iter().map(|guid| ("relationships".to_owned(), plan(guid))));
    request.extend(change.version.iter().map(|version| ("maintenance_info".to_owned(), json!({ "version": version }))));
    Value::Object(request)
}

async fn check_plan(
    db: &mut Connection,
    access: &Access,
    provider: &Provider,
    instance: &ServiceInstanceRow,
    change: &Change,
) -> Result<()> {
    let Some(guid) = change.plan else { return Ok(()) };
    let refuse = |detail: &str| Err(ApiError::unprocessable(detail).into());
    let unseen = "Invalid service plan. Ensure that the service plan exists, is available, and you have access to it.";
    if !service_plans::is_seen(db, access, guid).await? || !plan_rows::is_in_space(db, guid, instance.space).await? {
        return refuse(unseen);
    }
    let Some(plan) = plan_rows::find(db, guid).await?.filter(|plan| plan.available) else { return refuse(unseen) };
    if plan.offering != provider.offering.guid {
        return refuse("service plan relates to a different service offering");
    }
    if !provider.plan.catalog.plan_updateable {
        return refuse("The service does not support changing plans.");
    }
    if change.version.is_some() {
        return refuse("maintenance_info should not be changed when switching to different plan");
    }
    plan_rows::hold(db, &plan).await?;
    if plan.is_free { Ok(()) } else { quotas::check_service_instances(db, instance.space, true).await }
}

fn check_version(provider: &Provider, change: &Change) -> Result<()> {
    let Some(version) = change.version.as_ref() else { return Ok(()) };
    let refuse = |detail: &str| Err(ApiError::unprocessable(detail).into());
    match provider.maintenance_info() {
        None => refuse("The service broker does not support upgrades for service instances created from this plan."),
        Some(info) if info.version != *version => refuse(
            "maintenance_info.version requested is invalid. Please ensure the catalog is up to date and you are providing a version \
             supported by this service plan.",
        ),
        Some(_) => Ok(()),
    }
}

/// What the broker has no say in.
fn apply(instance: &mut ServiceInstanceRow, change: Change) -> Result<()> {
    if let Some(name) = change.name {
        instance.name = name;
    }
    if let Some(tags) = change.tags {
        instance.tags = tags;
    }
    if let Some(patch) = change.metadata {
        patch.apply(&mut instance.metadata)?;
    }
    Ok(())
}

async fn save(controller: &Controller, db: &mut Connection, instance: &mut ServiceInstanceRow, is_noted: bool) -> Result<()> {
    rows::update(db, instance, controller.now()).await.map_err(|error| name_taken(error, &instance.name))?;
    if is_noted {
        service_usage_events::note(db, instance, "UPDATED", controller.now()).await?;
    }
    Ok(())
}

/// The job.
///
/// # Errors
/// What the broker said; the instance is as it was, as far as can be known.
pub(crate) async fn work(controller: &Controller, job: &JobRow) -> Result<Outcome> {
    let (order, guid): (_, ServiceInstanceGuid) = (Order::read(job)?, resource_of(job)?);
    let instance = rows::find(&mut *controller.store.read().await?, guid).await?.ok_or_else(gone)?;
    if instance.last_operation.kind != OperationKind::Update || !is_under_way(&instance.last_operation) {
        return settled(&instance, OperationKind::Update).map(Outcome::Done);
    }
    let change: Change = order.input(controller, guid)?;
    let step = match ask(controller, &order, &instance, &change).await {
        Ok(Step::Done(updated)) => match finish(controller, &order, guid, change, updated).await {
            Ok(()) => return Ok(Outcome::Done(Vec::new())),
            Err(error) if jobs::must_wait(&error) => return Err(error),
            // Such as a name that another instance took meanwhile.
            Err(error) => Step::Failed { error: error.into(), leaves_orphan: false },
        },
        Ok(step) => step,
        Err(error) if jobs::must_wait(&error) => return Err(error),
        Err(error) => Step::Failed { error: error.into(), leaves_orphan: false },
    };
    let now = controller.now();
    let mut tx = controller.store.begin().await?;
    let mut instance = rows::find(&mut tx, guid).await?.ok_or_else(gone)?;
    let outcome = match step {
        Step::GoesOn { pending, description, at } => {
            advance(&mut instance.last_operation, OperationState::InProgress, description.unwrap_or_default(), now);
            order.again(pending, at)
        }
        Step::Failed { error, .. } => {
            advance(&mut instance.last_operation, OperationState::Failed, words(&error), now);
            Err(error.into())
        }
        Step::Done(_) => Ok(Outcome::Done(Vec::new())),
    };
    rows::update(&mut tx, &mut instance, now).await?;
    tx.commit().await?;
    outcome
}

/// What the broker says of an instance that is changed.
#[derive(Debug)]
struct Updated {
    dashboard_url: Option<String>,
}

async fn finish(controller: &Controller, order: &Order, guid: ServiceInstanceGuid, change: Change, updated: Updated) -> Result<()> {
    let mut tx = controller.store.begin().await?;
    let mut instance = rows::find(&mut tx, guid).await?.ok_or_else(gone)?;
    let is_noted = change.name.is_some() || change.plan.is_some();
    let plan = change.plan.or(instance.plan);
    if change.plan.is_some() || change.version.is_some() {
        let plan = Provider::of_plan(&mut tx, plan.ok_or_else(gone)?).await?.plan;
        instance.maintenance_info = match &change.version {
            Some(version) => Some(described(&plan, version)),
            None => plan.catalog.maintenance_info,
        };
    }
    instance.plan = plan;
    apply(&mut instance, change)?;
    instance.dashboard_url = updated.dashboard_url.or(instance.dashboard_url);
    advance(&mut instance.last_operation, OperationState::Succeeded, "", controller.now());
    save(controller, &mut tx, &mut instance, is_noted).await?;
    record(controller, &mut tx, order.actor(), "update", &instance, json!({})).await?;
    tx.commit().await?;
    Ok(())
}

/// The version as the plan describes it, where the plan still has it.
fn described(plan: &plan_rows::ServicePlanRow, version: &str) -> Value {
    let of_plan = plan.catalog.maintenance_info.clone().filter(|info| info.get("version").and_then(Value::as_str) == Some(version));
    of_plan.unwrap_or_else(|| json!({ "version": version }))
}

async fn ask(controller: &Controller, order: &Order, instance: &ServiceInstanceRow, change: &Change) -> Result<Step<Updated>> {
    let mut db = controller.store.read().await?;
    let now_has = Provider::of(&mut db, instance).await?;
    let is_to_have = match change.plan {
        Some(plan) => Provider::of_plan(&mut db, plan).await?,
        None => now_has.clone(),
    };
    let context = context(&mut db, instance.space).await?;
    drop(db);
    let client = now_has.client(controller, order.user)?;
    if let Some(pending) = &order.pending {
        let polled = poll(controller, &client, &now_has, instance.guid, None, pending).await;
        return Ok(match polled {
            Polled::Ended(status) if status.is_gone => {
                let error = failed(OperationKind::Update, "the service broker does not know the service instance");
                Step::Failed { error, leaves_orphan: false }
            }
            Polled::Ended(_) => Step::Done(Updated { dashboard_url: None }),
            Polled::Failed(why) => Step::Failed { error: failed(OperationKind::Update, &why), leaves_orphan: false },
            Polled::GoesOn { pending, description, at } => Step::GoesOn { pending, description, at },
        });
    }
    let previous = PreviousValues {
        plan_id: Some(now_has.plan.catalog_id.clone()),
        service_id: Some(now_has.offering.catalog_id.clone()),
        organization: Some(context.organization.to_string()),
        space: Some(context.space.to_string()),
        maintenance_info: maintenance_info(instance.maintenance_info.as_ref()),
    };
    let version = match (&change.version, change.plan) {
        (Some(version), _) => maintenance_info(Some(&described(&now_has.plan, version))),
        (None, Some(_)) => is_to_have.maintenance_info(),
        (None, None) => maintenance_info(instance.maintenance_info.as_ref()),
    };
    let name = change.name.clone().unwrap_or_else(|| instance.name.clone());
    let request = UpdateRequest {
        instance: instance.guid,
        plan: is_to_have.ids(),
        context: virga_broker::Context { instance_name: Some(name), ..context },
        parameters: change.parameters.clone(),
        previous,
        maintenance_info: version,
        accepts_incomplete: true,
    };
    Ok(match client.update(&request).await {
        Ok(updated) => match updated.progress {
            Progress::Done => Step::Done(Updated { dashboard_url: updated.dashboard_url }),
            Progress::InProgress { operation } => {
                let (pending, at) = Pending::begun(controller, operation);
                Step::GoesOn { pending, description: None, at }
            }
        },
        Err(error) => Step::Failed { error: error.into(), leaves_orphan: false },
    })
}
