//! Registering a broker.

use super::{
    body::{Authentication, BrokerRelationships, Check},
    catalog, record,
    synchronize::{Offered, synchronize},
};
use crate::{Access, Controller, Error, Result, SpaceRight, answer, jobs, metadata::MetadataPatch, request::require_flag};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{ServiceBrokerGuid, SpaceGuid, UserGuid, service::BrokerState};
use virga_serve::{
    Base, Json,
    axum::{extract::State, response::Response},
};
use virga_store::{
    StoreError,
    jobs::JobRow,
    service_brokers::{self, ServiceBrokerRow, place_of_password},
};

/// Body of `POST /v3/service_brokers`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateServiceBroker {
    name: String,
    url: String,
    authentication: Authentication,
    relationships: Option<BrokerRelationships>,
    metadata: Option<MetadataPatch>,
}

/// `POST /v3/service_brokers`: a job that reads the catalog.
///
/// # Errors
/// 403 for all but administrators, and for all but developers of the space where one is named; 422 for a name that is taken.
pub async fn create(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Json(body): Json<CreateServiceBroker>,
) -> Result<Response> {
    let mut check = Check::default();
    check.name(&body.name);
    check.url(&body.url);
    check.authentication(&body.authentication);
    let mut tx = controller.store.begin().await?;
    let space = match &body.relationships {
        None => {
            access.admin()?;
            None
        }
        Some(relationships) => {
            require_flag(&mut tx, "space_scoped_private_broker_creation").await?;
            let no_space = || ApiError::unprocessable("Invalid space. Ensure that the space exists and you have access to it.");
            let space: SpaceGuid = relationships.space.parsed().ok_or_else(no_space)?;
            if !access.has_in_space(&mut tx, SpaceRight::See, space).await? {
                return Err(no_space().into());
            }
            access.in_space(&mut tx, SpaceRight::Write, space, "Space").await?;
            Some(space)
        }
    };
    check.end()?;
    let (now, guid) = (controller.now(), ServiceBrokerGuid::random());
    let credentials = &body.authentication.credentials;
    let broker = ServiceBrokerRow {
        guid,
        created_at: now,
        updated_at: now,
        name: body.name,
        url: body.url,
        username: credentials.username.clone(),
        password: controller.store.seal(place_of_password(guid), &credentials.password)?,
        space,
        is_own: false,
        state: BrokerState::Synchronizing,
        metadata: MetadataPatch::create(body.metadata)?,
    };
    service_brokers::insert(&mut tx, &broker).await.map_err(taken)?;
    let request = json!({ "name": broker.name, "url": broker.url, "authentication": "[PRIVATE DATA HIDDEN]" });
    record::by_caller(&controller, &mut tx, &access, "create", &broker, request).await?;
    let payload = json!({ "user": access.user() });
    let job = jobs::start(&mut tx, now, "service_broker.catalog.synchronize", guid, payload).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::job(&base, job))
}

/// The error of a name that another broker has.
pub(super) fn taken(error: StoreError) -> Error {
    if error.is_unique("service_brokers_name") {
        return ApiError::unprocessable("Name must be unique").into();
    }
    error.into()
}

/// The broker of a job.
pub(super) fn broker_of(job: &JobRow) -> Result<ServiceBrokerGuid> {
    let guid = job.resource.as_deref().and_then(|guid| guid.parse().ok());
    Ok(guid.ok_or_else(|| ApiError::internal("a job without its broker"))?)
}

/// The error of a broker that was deleted meanwhile.
pub(super) fn gone() -> ApiError {
    ApiError::new(ErrorCode::ServiceBrokerGone, "The service broker was removed before the synchronization completed")
}

/// Whoever asked for a job.
pub(super) fn user_of(job: &JobRow) -> Option<UserGuid> {
    job.payload.get("user").and_then(Value::as_str).and_then(|user| user.parse().ok())
}

/// The job: reads the catalog and makes it rows.
///
/// # Errors
/// What is wrong with the broker or its catalog; the broker stays, with nothing to offer.
pub(crate) async fn work(controller: &Controller, job: &JobRow) -> Result<Vec<String>> {
    let guid = broker_of(job)?;
    let broker = service_brokers::find(&mut *controller.store.read().await?, guid).await?.ok_or_else(gone)?;
    let taken = match catalog::read(controller, &broker, user_of(job)).await {
        Ok(catalog) => take(controller, guid, catalog).await,
        Err(error) => Err(error),
    };
    let Err(error) = taken else { return Ok(Vec::new()) };
    if !jobs::must_wait(&error) {
        fail(controller, guid).await?;
    }
    Err(error)
}

async fn take(controller: &Controller, guid: ServiceBrokerGuid, catalog: Vec<Offered>) -> Result<()> {
    let mut tx = controller.store.begin().await?;
    let mut broker = service_brokers::find(&mut tx, guid).await?.ok_or_else(gone)?;
    // Somebody deletes it meanwhile.
    if broker.state == BrokerState::DeleteInProgress {
        return Err(gone().into());
    }
    service_brokers::hold(&mut tx, &broker).await?;
    synchronize(controller, &mut tx, &broker, catalog).await?;
    broker.state = BrokerState::Available;
    service_brokers::update(&mut tx, &mut broker, controller.now()).await?;
    tx.commit().await?;
    Ok(())
}

async fn fail(controller: &Controller, guid: ServiceBrokerGuid) -> Result<()> {
    let mut tx = controller.store.begin().await?;
    if let Some(mut broker) = service_brokers::find(&mut tx, guid).await?
        && broker.state == BrokerState::Synchronizing
    {
        broker.state = BrokerState::SynchronizationFailed;
        service_brokers::update(&mut tx, &mut broker, controller.now()).await?;
        tx.commit().await?;
    }
    Ok(())
}
