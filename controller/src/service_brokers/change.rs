//! Changing and deleting brokers.

use super::{
    body::{Authentication, Check},
    catalog,
    create::{broker_of, gone, taken, user_of},
    lookup::writable,
    record,
    synchronize::{Offered, synchronize},
    view,
};
use crate::{Access, Controller, Result, answer, jobs, metadata::MetadataPatch};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{ServiceBrokerGuid, SpaceGuid, service::BrokerState};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, Sealed,
    jobs::JobRow,
    service_brokers::{self, ServiceBrokerRow, place_of_password},
    service_instances,
};

/// Body of `PATCH /v3/service_brokers/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateServiceBroker {
    name: Option<String>,
    url: Option<String>,
    authentication: Option<Authentication>,
    metadata: Option<MetadataPatch>,
}

/// What a broker is to become once its catalog was read; the input of the job. The password is sealed as in the broker's row.
#[derive(Debug, Serialize, Deserialize)]
struct Change {
    user: Option<String>,
    name: Option<String>,
    url: Option<String>,
    username: Option<String>,
    password: Option<String>,
    metadata: Option<MetadataPatch>,
    /// The state to go back to when the new catalog cannot be had.
    previous: String,
}

impl Change {
    /// Whether the broker has to be asked.
    fn needs_catalog(&self) -> bool {
        self.url.is_some() || self.username.is_some()
    }

    fn apply(&self, broker: &mut ServiceBrokerRow) -> Result<()> {
        if let Some(name) = &self.name {
            broker.name.clone_from(name);
        }
        if let Some(url) = &self.url {
            broker.url.clone_from(url);
        }
        if let (Some(username), Some(password)) = (&self.username, &self.password) {
            broker.username.clone_from(username);
            broker.password = Sealed::from_stored(password.clone());
        }
        // Merged into what the broker has by then: others may label it while its catalog is read.
        if let Some(patch) = &self.metadata {
            patch.clone().apply(&mut broker.metadata)?;
        }
        Ok(())
    }
}

/// `PATCH /v3/service_brokers/:guid`: a job that reads the catalog; where only labels and annotations change, at once.
///
/// # Errors
/// 404, 403, 422 for a name that is taken and while something else is done to the broker.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceBrokerGuid>,
    Json(body): Json<UpdateServiceBroker>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut broker = writable(&mut tx, &access, guid).await?;
    refuse_own(&broker)?;
    let mut check = Check::default();
    body.name.iter().for_each(|name| check.name(name));
    body.url.iter().for_each(|url| check.url(url));
    body.authentication.iter().for_each(|authentication| check.authentication(authentication));
    check.end()?;
    let mut metadata = broker.metadata.clone();
    if let Some(patch) = &body.metadata {
        patch.clone().apply(&mut metadata)?;
    }
    let now = controller.now();
    if body.name.is_none() && body.url.is_none() && body.authentication.is_none() {
        broker.metadata = metadata;
        service_brokers::update(&mut tx, &mut broker, now).await?;
        record::by_caller(&controller, &mut tx, &access, "update", &broker, json!({})).await?;
        tx.commit().await?;
        return Ok(answer::ok(view(&base, &broker)));
    }
    if let Some(name) = &body.name
        && service_brokers::find_by_name(&mut tx, name).await?.is_some_and(|other| other.guid != guid)
    {
        return Err(ApiError::unprocessable("Name must be unique").into());
    }
    if matches!(broker.state, BrokerState::Synchronizing | BrokerState::DeleteInProgress) {
        return Err(ApiError::unprocessable("Cannot update a broker when other operation is already in progress").into());
    }
    let credentials = body.authentication.map(|authentication| authentication.credentials);
    let password = match &credentials {
        Some(credentials) => Some(controller.store.seal(place_of_password(guid), &credentials.password)?.as_str().to_owned()),
        None => None,
    };
    let mut request = Map::new();
    request.extend(body.name.iter().map(|name| ("name".to_owned(), json!(name))));
    request.extend(body.url.iter().map(|url| ("url".to_owned(), json!(url))));
    request.extend(credentials.iter().map(|_| ("authentication".to_owned(), json!("[PRIVATE DATA HIDDEN]"))));
    let change = Change {
        user: access.user().map(|user| user.to_string()),
        name: body.name,
        url: body.url,
        username: credentials.map(|credentials| credentials.username),
        password,
        metadata: body.metadata,
        previous: broker.state.as_str().to_owned(),
    };
    broker.state = BrokerState::Synchronizing;
    service_brokers::update(&mut tx, &mut broker, now).await?;
    record::by_caller(&controller, &mut tx, &access, "update", &broker, Value::Object(request)).await?;
    let payload = serde_json::to_value(&change).map_err(ApiError::internal)?;
    let job = jobs::start(&mut tx, now, "service_broker.update", guid, payload).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::job(&base, job))
}

/// The job of a change. Nothing of the broker has changed when it fails.
///
/// # Errors
/// What is wrong with the broker or its catalog.
pub(crate) async fn update_work(controller: &Controller, job: &JobRow) -> Result<Vec<String>> {
    let guid = broker_of(job)?;
    let change: Change = serde_json::from_value(job.payload.clone()).map_err(ApiError::internal)?;
    let mut wanted = service_brokers::find(&mut *controller.store.read().await?, guid).await?.ok_or_else(gone)?;
    let read = match change.apply(&mut wanted) {
        Ok(()) if change.needs_catalog() => catalog::read(controller, &wanted, user_of(job)).await.map(Some),
        Ok(()) => Ok(None),
        Err(error) => Err(error),
    };
    let applied = match read {
        Ok(catalog) => apply(controller, guid, &change, catalog).await,
        Err(error) => Err(error),
    };
    let Err(error) = applied else { return Ok(Vec::new()) };
    if !jobs::must_wait(&error) {
        go_back(controller, guid, &change).await?;
    }
    Err(error)
}

async fn apply(controller: &Controller, guid: ServiceBrokerGuid, change: &Change, catalog: Option<Vec<Offered>>) -> Result<()> {
    let mut tx = controller.store.begin().await?;
    let mut broker = service_brokers::find(&mut tx, guid).await?.ok_or_else(gone)?;
    service_brokers::hold(&mut tx, &broker).await?;
    change.apply(&mut broker)?;
    if broker.state == BrokerState::Synchronizing {
        broker.state = BrokerState::Available;
    }
    service_brokers::update(&mut tx, &mut broker, controller.now()).await.map_err(taken)?;
    if let Some(catalog) = catalog {
        synchronize(controller, &mut tx, &broker, catalog).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn go_back(controller: &Controller, guid: ServiceBrokerGuid, change: &Change) -> Result<()> {
    let mut tx = controller.store.begin().await?;
    if let Some(mut broker) = service_brokers::find(&mut tx, guid).await?
        && broker.state == BrokerState::Synchronizing
    {
        broker.state = change.previous.parse().unwrap_or(BrokerState::SynchronizationFailed);
        service_brokers::update(&mut tx, &mut broker, controller.now()).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// `DELETE /v3/service_brokers/:guid`: a job.
///
/// # Errors
/// 404, 403, 422 while there are instances of its plans.
pub async fn delete(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceBrokerGuid>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut broker = writable(&mut tx, &access, guid).await?;
    refuse_own(&broker)?;
    if service_instances::any_of_broker(&mut tx, guid).await? {
        return Err(not_removable(&broker).into());
    }
    broker.state = BrokerState::DeleteInProgress;
    service_brokers::update(&mut tx, &mut broker, controller.now()).await?;
    record::by_caller(&controller, &mut tx, &access, "delete", &broker, json!({})).await?;
    let job = jobs::start(&mut tx, controller.now(), "service_broker.delete", guid, Value::Null).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::job(&base, job))
}

/// The job of a deletion.
///
/// # Errors
/// Those of the database.
pub(crate) async fn delete_work(controller: &Controller, job: &JobRow) -> Result<Vec<String>> {
    let mut tx = controller.store.begin().await?;
    let Some(mut broker) = service_brokers::find(&mut tx, broker_of(job)?).await? else { return Ok(Vec::new()) };
    let Err(error) = remove(controller, &mut tx, &broker).await else {
        tx.commit().await?;
        return Ok(Vec::new());
    };
    drop(tx);
    if !jobs::must_wait(&error) {
        let mut tx = controller.store.begin().await?;
        broker.state = BrokerState::Available;
        service_brokers::update(&mut tx, &mut broker, controller.now()).await?;
        tx.commit().await?;
    }
    Err(error)
}

/// Deletes the brokers of a space, when the space goes.
///
/// # Errors
/// Those of the database.
pub(crate) async fn delete_of_space(controller: &Controller, db: &mut Connection, space: SpaceGuid) -> Result<()> {
    for broker in service_brokers::list_of_space(db, space).await? {
        remove(controller, db, &broker).await?;
    }
    Ok(())
}

/// The platform's own broker stays as it is.
fn refuse_own(broker: &ServiceBrokerRow) -> Result<()> {
    if broker.is_own {
        let detail = format!("The service broker {} belongs to the platform, and cannot be changed or deleted.", broker.name);
        return Err(ApiError::unprocessable(detail).into());
    }
    Ok(())
}

fn not_removable(broker: &ServiceBrokerRow) -> ApiError {
    let detail = format!("Cannot remove brokers that have associated service instances: {}", broker.name);
    ApiError::new(ErrorCode::ServiceBrokerNotRemovable, detail)
}

async fn remove(controller: &Controller, db: &mut Connection, broker: &ServiceBrokerRow) -> Result<()> {
    service_brokers::hold(db, broker).await?;
    // An instance that was made meanwhile keeps its plan, and this holds the plans.
    synchronize(controller, db, broker, Vec::new()).await?;
    if service_instances::any_of_broker(db, broker.guid).await? {
        return Err(not_removable(broker).into());
    }
    service_brokers::delete(db, broker.guid).await?;
    Ok(())
}
