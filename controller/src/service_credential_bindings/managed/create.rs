//! Binding an app to an instance of a plan, and making a key of it.

use super::{gone, ids, settled, word};
use crate::{
    Access, Controller, Error, Result,
    jobs::{self, Outcome},
    quotas,
    service_credential_bindings::{
        bind::{NewBinding, check_name, record},
        room::make_room,
    },
    service_instances::unfit,
    service_operations::{
        Order, Pending, Polled, Provider, Step, advance, context, failed, initial, is_under_way, mitigate, poll, resource_of, told,
        was_never_made, words,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use virga_broker::{BindRequest, BindResource, Binding, Progress};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{
    JobGuid, ServiceCredentialBindingGuid,
    service::{BindingKind, OperationKind, OperationState},
};
use virga_store::{
    Connection,
    apps::{self, AppRow},
    jobs::JobRow,
    service_credential_bindings::{self as rows, ServiceCredentialBindingRow, place_of_credentials},
    service_instance_shares,
    service_instances::{self, ServiceInstanceRow},
};

/// Most bytes of a binding's credentials, as JSON.
const MAX_CREDENTIAL_BYTES: usize = 64 << 10;

/// Whom a binding is for.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Whom<'a> {
    /// An app.
    App(&'a AppRow),
    /// Whoever may read it.
    Key,
}

/// What only the broker is told.
#[derive(Debug, Serialize, Deserialize)]
struct Input {
    parameters: Map<String, Value>,
}

fn refuse<T>(detail: impl Into<String>) -> Result<T> {
    Err(ApiError::unprocessable(detail).into())
}

/// Binds an app: [`begin`] for other rooms.
///
/// # Errors
/// As [`begin`].
pub(crate) async fn begin_for_app(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    app: &AppRow,
    instance: &ServiceInstanceRow,
    new: NewBinding,
) -> Result<ServiceCredentialBindingGuid> {
    Ok(begin(controller, db, access, Whom::App(app), instance, new).await?.0.guid)
}

/// Writes the binding and the job that has the broker make it.
///
/// # Errors
/// 422 for an instance that cannot be bound now or at all, for an app that is bound to it already, for a name that is taken or
/// cannot be, and what a quota does not allow.
pub(in super::super) async fn begin(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    whom: Whom<'_>,
    instance: &ServiceInstanceRow,
    new: NewBinding,
) -> Result<(ServiceCredentialBindingRow, JobGuid)> {
    let provider = Provider::of(db, instance).await?;
    if !provider.plan.catalog.bindable {
        return refuse("Service plan does not allow bindings.");
    }
    if was_never_made(&instance.last_operation) {
        return refuse("The service instance could not be created. Delete it and create another.");
    }
    if is_under_way(&instance.last_operation) {
        return refuse("There is an operation in progress for the service instance.");
    }
    let (name, app) = match whom {
        Whom::App(app) => {
            check_name(new.name.as_deref())?;
            if app.space != instance.space && !service_instance_shares::list_of_instance(db, instance.guid).await?.contains(&app.space) {
                return refuse("The service instance and the app are in different spaces");
            }
            make_room(db, app, instance, &new).await?;
            (new.name.filter(|name| !name.is_empty()), Some(app.guid))
        }
        Whom::Key => {
            let name = new.name.filter(|name| !name.is_empty()).ok_or_else(|| ApiError::unprocessable("Name can't be blank"))?;
            crate::request::check_name(&name)?;
            service_instances::hold(db, instance).await?;
            (Some(name), None)
        }
    };
    let (now, guid) = (controller.now(), ServiceCredentialBindingGuid::random());
    let binding = ServiceCredentialBindingRow {
        guid,
        created_at: now,
        updated_at: now,
        kind: if app.is_some() { BindingKind::App } else { BindingKind::Key },
        name,
        instance: instance.guid,
        app,
        credentials: None,
        is_host_held: false,
        syslog_drain_url: None,
        volume_mounts: Vec::new(),
        last_operation: initial(OperationKind::Create, now),
        metadata: new.metadata,
    };
    let insert = rows::insert(db, &binding).await;
    insert.map_err(|error| {
        if error.is_unique("service_credential_bindings_service_instance_guid_name") {
            return key_taken(binding.name.as_deref());
        }
        error.into()
    })?;
    if binding.kind == BindingKind::Key {
        quotas::check_service_keys(db, instance.space).await?;
    }
    let order = Order::of(controller, access, guid, &Input { parameters: new.parameters })?;
    let mut data = json!({ "request": {
        "type": binding.kind,
        "name": binding.name,
        "parameters": "[PRIVATE DATA HIDDEN]",
        "relationships": { "app": { "data": { "guid": app } }, "service_instance": { "data": { "guid": instance.guid } } },
    } });
    if let (true, Value::Object(data)) = (new.by_manifest, &mut data) {
        data.insert("manifest_triggered".to_owned(), json!(true));
    }
    record(controller, db, order.actor(), "start_create", &binding, data).await?;
    let operation = format!("{}s.create", word(binding.kind));
    let job = jobs::start(db, now, &operation, guid, order.payload()?).await?;
    Ok((binding, job))
}

fn key_taken(name: Option<&str>) -> Error {
    let name = name.unwrap_or_default();
    let detail = format!(
        "The binding name is invalid. Key binding names must be unique. The service instance already has a key binding with name '{name}'."
    );
    ApiError::unprocessable(detail).into()
}

/// The job.
///
/// # Errors
/// What the broker said; the binding is there, failed, and can be read and deleted.
pub(crate) async fn work(controller: &Controller, job: &JobRow) -> Result<Outcome> {
    let (order, guid): (_, ServiceCredentialBindingGuid) = (Order::read(job)?, resource_of(job)?);
    let binding = rows::find(&mut *controller.store.read().await?, guid).await?.ok_or_else(gone)?;
    if binding.last_operation.kind != OperationKind::Create || !is_under_way(&binding.last_operation) {
        return settled(&binding, OperationKind::Create).map(Outcome::Done);
    }
    let step = match ask(controller, &order, &binding).await {
        Ok(Step::Done(made)) => match finish(controller, &order, guid, made).await {
            Ok(()) => return Ok(Outcome::Done(Vec::new())),
            Err(error) if jobs::must_wait(&error) => return Err(error),
            // Such as credentials that do not fit beside the others of the app.
            Err(error) => Step::Failed { error: error.into(), leaves_orphan: true },
        },
        Ok(step) => step,
        Err(error) if jobs::must_wait(&error) => return Err(error),
        Err(error) => Step::Failed { error: error.into(), leaves_orphan: order.pending.is_some() },
    };
    let now = controller.now();
    let mut tx = controller.store.begin().await?;
    let mut binding = rows::find(&mut tx, guid).await?.ok_or_else(gone)?;
    // Its deletion was begun meanwhile, which asks the broker itself.
    if binding.last_operation.kind != OperationKind::Create {
        return settled(&binding, OperationKind::Create).map(Outcome::Done);
    }
    let outcome = match step {
        Step::GoesOn { pending, description, at } => {
            advance(&mut binding.last_operation, OperationState::InProgress, description.unwrap_or_default(), now);
            order.again(pending, at)
        }
        Step::Failed { error, leaves_orphan } => {
            advance(&mut binding.last_operation, OperationState::Failed, words(&error), now);
            if leaves_orphan {
                let instance = service_instances::find(&mut tx, binding.instance).await?.ok_or_else(gone)?;
                mitigate(controller, &mut tx, &order, &instance, Some(&binding)).await?;
            }
            Err(error.into())
        }
        Step::Done(_) => Ok(Outcome::Done(Vec::new())),
    };
    rows::update(&mut tx, &mut binding, now).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    outcome
}

async fn finish(controller: &Controller, order: &Order, guid: ServiceCredentialBindingGuid, made: Binding) -> Result<()> {
    let mut tx = controller.store.begin().await?;
    let mut binding = rows::find(&mut tx, guid).await?.ok_or_else(gone)?;
    if binding.last_operation.kind != OperationKind::Create {
        return settled(&binding, OperationKind::Create).map(drop);
    }
    let credentials = Value::Object(made.credentials).to_string();
    if credentials.len() > MAX_CREDENTIAL_BYTES {
        let bytes = credentials.len();
        let detail =
            format!("The service broker's credentials are too large: they have {bytes} bytes as JSON, {MAX_CREDENTIAL_BYTES} is the most");
        return Err(ApiError::new(ErrorCode::ServiceBrokerBadResponse, detail).into());
    }
    binding.credentials = Some(controller.store.seal(place_of_credentials(guid), &credentials)?);
    binding.syslog_drain_url = made.syslog_drain_url;
    binding.volume_mounts = made.volume_mounts;
    advance(&mut binding.last_operation, OperationState::Succeeded, "", controller.now());
    rows::update(&mut tx, &mut binding, controller.now()).await?;
    if let Some((_, detail)) = unfit(controller, &mut tx, binding.app.as_slice()).await? {
        return refuse(detail);
    }
    record(controller, &mut tx, order.actor(), "create", &binding, json!({})).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(())
}

async fn ask(controller: &Controller, order: &Order, binding: &ServiceCredentialBindingRow) -> Result<Step<Binding>> {
    let mut db = controller.store.read().await?;
    let instance = service_instances::find(&mut db, binding.instance).await?.ok_or_else(gone)?;
    let provider = Provider::of(&mut db, &instance).await?;
    let context = context(&mut db, instance.space).await?;
    let resource = match binding.app {
        Some(app) => {
            let app = apps::find(&mut db, app).await?.ok_or_else(gone)?;
            BindResource::App { app: app.guid, space: app.space, annotations: told(&app.metadata) }
        }
        None => BindResource::Key,
    };
    drop(db);
    let client = provider.client(controller, order.user)?;
    let requires = &provider.offering.catalog.requires;
    if let Some(pending) = &order.pending {
        return Ok(match poll(controller, &client, &provider, instance.guid, Some(binding.guid), pending).await {
            Polled::Ended(status) if status.is_gone => {
                let error = failed(OperationKind::Create, "the service broker does not know the binding");
                Step::Failed { error, leaves_orphan: true }
            }
            Polled::Ended(_) => match client.fetch_binding(ids(binding), &provider.ids(), requires).await {
                Ok(fetched) => Step::Done(fetched.binding),
                Err(error) => Step::Failed { error: error.into(), leaves_orphan: true },
            },
            Polled::Failed(why) => Step::Failed { error: failed(OperationKind::Create, &why), leaves_orphan: true },
            Polled::GoesOn { pending, description, at } => Step::GoesOn { pending, description, at },
        });
    }
    let Input { parameters } = order.input(controller, binding.guid)?;
    let request = BindRequest {
        ids: ids(binding),
        plan: provider.ids(),
        context,
        resource,
        parameters,
        predecessor: None,
        requires: requires.clone(),
        accepts_incomplete: true,
    };
    Ok(match client.bind(&request).await {
        Ok(bound) => match bound.progress {
            Progress::Done => Step::Done(bound.binding),
            Progress::InProgress { .. } if !provider.offering.catalog.bindings_retrievable => {
                let detail = "The broker responded asynchronously but does not support fetching binding data.";
                let error = ApiError::new(ErrorCode::ServiceBrokerInvalidBindingsRetrievable, detail);
                Step::Failed { error, leaves_orphan: true }
            }
            Progress::InProgress { operation } => {
                let (pending, at) = Pending::begun(controller, operation);
                Step::GoesOn { pending, description: None, at }
            }
        },
        Err(error) => Step::Failed { leaves_orphan: error.leaves_orphan, error: error.into() },
    })
}
