//! What apps ask of their services. A worker hands on `http://<binding>.services.internal/…` as `/data/<instance>/…` and says in `virga-binding`
//! on whose behalf; the binding must still hold.

mod config;
mod keyvalue;
mod sqlite;

use crate::{
    Services,
    catalog::Kind,
    error::DataError,
    registry::Instance,
    servers::{postgres, redis},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use virga_model::{ServiceCredentialBindingGuid, ServiceInstanceGuid};
use virga_serve::axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, RawPathParams},
    http::request::Parts,
    routing::{get, post},
};

/// The longest body of a request, bytes.
const MAX_BODY_BYTES: usize = 2 << 20;

/// The data's routes.
pub(crate) fn routes() -> Router<Services> {
    let routes = Router::new()
        .route("/v1/keys", get(keyvalue::list))
        .route("/v1/keys/{key}", get(keyvalue::get).put(keyvalue::put).delete(keyvalue::delete))
        .route("/v1/keys/{key}/increment", post(keyvalue::increment))
        .route("/v1/batch", post(batch))
        .route("/v1/query", post(query))
        .route("/v1/command", post(redis::command))
        .route("/v1/values", get(config::list))
        .route("/v1/values/{name}", get(config::get));
    Router::new().nest("/data/{instance}", routes).layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

/// The body of a request that has none to speak of, read to its end: some clients send an empty one in pieces, and a connection that is closed with
/// something unread loses its answer.
type Whole = Bytes;

/// `POST /v1/batch`, of whichever kind the instance is.
async fn batch(bound: Bound, body: Bytes) -> Result<virga_serve::axum::Json<Value>, DataError> {
    match bound.instance.offering.kind {
        Kind::KeyValue => keyvalue::batch(bound, &body).await,
        Kind::Sqlite => sqlite::batch(bound, &body).await,
        Kind::Postgres => postgres::batch(bound, &body).await,
        Kind::Redis => redis::batch(bound, &body).await,
        Kind::Config => Err(other_kind(&bound.instance)),
    }
}

/// `POST /v1/query`, of whichever kind the instance is.
async fn query(bound: Bound, body: Bytes) -> Result<virga_serve::axum::Json<Value>, DataError> {
    match bound.instance.offering.kind {
        Kind::Sqlite => sqlite::query(bound, &body).await,
        Kind::Postgres => postgres::query(bound, &body).await,
        Kind::KeyValue | Kind::Config | Kind::Redis => Err(other_kind(&bound.instance)),
    }
}

/// An instance, asked by a binding that holds.
pub(crate) struct Bound {
    pub(crate) services: Services,
    pub(crate) guid: ServiceInstanceGuid,
    instance: Arc<Instance>,
    /// Among those of the instance; taken before the body is read, so that bodies and answers in memory are bounded too.
    _place: OwnedSemaphorePermit,
}

impl Bound {
    /// # Errors
    /// 404 when the instance is of another kind: it has no such path.
    pub(crate) fn of(self, kind: Kind) -> Result<Self, DataError> {
        if self.instance.offering.kind == kind { Ok(self) } else { Err(other_kind(&self.instance)) }
    }
}

fn other_kind(instance: &Instance) -> DataError {
    DataError::not_found(format!("an instance of {} has no such path", instance.offering.name))
}

impl FromRequestParts<Services> for Bound {
    type Rejection = DataError;

    async fn from_request_parts(parts: &mut Parts, services: &Services) -> Result<Self, DataError> {
        let params = RawPathParams::from_request_parts(parts, services).await.map_err(|_| DataError::unbound())?;
        let guid =
            params.iter().find(|(name, _)| *name == "instance").and_then(|(_, guid)| guid.parse().ok()).ok_or_else(DataError::unbound)?;
        let binding = parts.headers.get("virga-binding").and_then(|binding| binding.to_str().ok());
        let binding: ServiceCredentialBindingGuid = binding.and_then(|binding| binding.parse().ok()).ok_or_else(DataError::unbound)?;
        let instance =
            services.registry.find(guid).filter(|instance| instance.bindings.contains_key(&binding)).ok_or_else(DataError::unbound)?;
        Ok(Self { services: services.clone(), guid, instance, _place: services.stores.place(guid)? })
    }
}

/// What an instance holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub bytes: u64,
    /// Where there are keys.
    pub keys: Option<u64>,
}

/// What an instance holds now.
///
/// # Errors
/// Those of its database.
pub(crate) async fn usage(services: &Services, guid: ServiceInstanceGuid, instance: &Instance) -> Result<Usage, DataError> {
    match instance.offering.kind {
        Kind::KeyValue => services.stores.with(guid, keyvalue::open, |database| keyvalue::usage(database)).await,
        Kind::Sqlite => services.stores.with(guid, sqlite::open, |database| sqlite::usage(database)).await,
        Kind::Postgres | Kind::Redis => services.servers.usage(instance.offering.kind, guid).await,
        Kind::Config => {
            let none = Map::new();
            Ok(size_of_values(instance.parameters.get("values").and_then(Value::as_object).unwrap_or(&none)))
        }
    }
}

/// What a configuration's values take.
pub(crate) fn size_of_values(values: &Map<String, Value>) -> Usage {
    let bytes = values.iter().map(|(name, value)| name.len() + value.as_str().map_or(0, str::len)).sum::<usize>();
    Usage { bytes: bytes as u64, keys: Some(values.len() as u64) }
}

/// A body as what it should be.
pub(crate) fn parsed<T: for<'a> Deserialize<'a>>(body: &Bytes) -> Result<T, DataError> {
    serde_json::from_slice(body).map_err(|error| DataError::bad(format!("the body is not understood: {error}")))
}
