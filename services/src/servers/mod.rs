//! Servers of the operator that tenants share (ADR 0023). What each instance and binding is on the server is told by its guid alone, so that every step may be
//! repeated, and nothing has to be remembered for it to be deleted.

pub(crate) mod postgres;
pub(crate) mod redis;
mod tls;

use crate::{
    catalog::{Kind, Plan},
    data::Usage,
    error::{DataError, OpenError},
    registry::Registry,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use postgres::{Postgres, PostgresServer};
use rand::Rng as _;
use redis::{Redis, RedisServer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use virga_model::{ServiceCredentialBindingGuid, ServiceInstanceGuid};
use virga_serve::axum::http::StatusCode;

/// The operator's servers. Its serialization holds their passwords.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServersConfig {
    /// Whose databases the offering `postgres` gives out; none without it.
    pub postgres: Option<PostgresServer>,
    /// Which Redis the offering `redis` gives out parts of; none without it.
    pub redis: Option<RedisServer>,
}

/// What a binding is given.
pub(crate) struct Login {
    /// For the app.
    pub credentials: Map<String, Value>,
    /// Of its password, where it must be made again on a server that has forgotten it.
    pub digest: Option<String>,
}

impl Login {
    fn none() -> Self {
        Self { credentials: Map::new(), digest: None }
    }
}

/// A guid as a word that every server takes in a name.
fn hex(guid: impl ToString) -> String {
    guid.to_string().replace('-', "")
}

/// The login of a binding.
fn login_of(binding: ServiceCredentialBindingGuid) -> String {
    format!("virga_b_{}", hex(binding))
}

/// The login of the platform's own way in.
fn host_login_of(guid: ServiceInstanceGuid) -> String {
    format!("virga_h_{}", hex(guid))
}

fn new_password() -> String {
    let mut random = [0; 24];
    rand::rng().fill_bytes(&mut random);
    BASE64_URL_SAFE_NO_PAD.encode(random)
}

/// Those that are there.
pub(crate) struct Servers {
    postgres: Option<Postgres>,
    redis: Option<Redis>,
}

impl Servers {
    pub fn new(config: ServersConfig) -> Result<Self, OpenError> {
        Ok(Self { postgres: config.postgres.map(Postgres::new).transpose()?, redis: config.redis.map(Redis::new).transpose()? })
    }

    /// Whether instances of this kind can be made here.
    pub fn offers(&self, kind: Kind) -> bool {
        match kind {
            Kind::KeyValue | Kind::Sqlite | Kind::Config => true,
            Kind::Postgres => self.postgres.is_some(),
            Kind::Redis => self.redis.is_some(),
        }
    }

    /// # Errors
    /// 503 where the operator has named no server.
    pub fn postgres(&self) -> Result<&Postgres, DataError> {
        let message = "this platform has no PostgreSQL for its services any more";
        self.postgres.as_ref().ok_or_else(|| DataError::new(StatusCode::SERVICE_UNAVAILABLE, "no_server", message))
    }

    /// # Errors
    /// 503 where the operator has named no server.
    pub fn redis(&self) -> Result<&Redis, DataError> {
        let message = "this platform has no Redis for its services any more";
        self.redis.as_ref().ok_or_else(|| DataError::new(StatusCode::SERVICE_UNAVAILABLE, "no_server", message))
    }

    /// Makes on a server what an instance needs there.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn provision(&self, kind: Kind, guid: ServiceInstanceGuid, plan: &Plan) -> Result<(), DataError> {
        match kind {
            Kind::KeyValue | Kind::Sqlite | Kind::Config => Ok(()),
            Kind::Postgres => self.postgres()?.provision(guid, plan).await,
            Kind::Redis => self.redis()?.provision().await,
        }
    }

    /// Deletes everything that an instance has on a server.
    ///
    /// # Errors
    /// Those of the server; the call is to be repeated.
    pub async fn deprovision(&self, kind: Kind, guid: ServiceInstanceGuid) -> Result<(), DataError> {
        match kind {
            Kind::KeyValue | Kind::Sqlite | Kind::Config => Ok(()),
            Kind::Postgres => self.postgres()?.deprovision(guid).await,
            Kind::Redis => self.redis()?.deprovision(guid).await,
        }
    }

    /// A login for a binding; that of an earlier call for it does not hold any more.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn bind(&self, kind: Kind, guid: ServiceInstanceGuid, binding: ServiceCredentialBindingGuid) -> Result<Login, DataError> {
        match kind {
            Kind::KeyValue | Kind::Sqlite | Kind::Config => Ok(Login::none()),
            Kind::Postgres => self.postgres()?.bind(guid, binding).await,
            Kind::Redis => self.redis()?.bind(guid, binding).await,
        }
    }

    /// Takes a binding's login back, and ends what uses it.
    ///
    /// # Errors
    /// Those of the server; the call is to be repeated.
    pub async fn unbind(&self, kind: Kind, guid: ServiceInstanceGuid, binding: ServiceCredentialBindingGuid) -> Result<(), DataError> {
        match kind {
            Kind::KeyValue | Kind::Sqlite | Kind::Config => Ok(()),
            Kind::Postgres => self.postgres()?.unbind(guid, binding).await,
            Kind::Redis => self.redis()?.unbind(binding).await,
        }
    }

    /// What an instance holds.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn usage(&self, kind: Kind, guid: ServiceInstanceGuid) -> Result<Usage, DataError> {
        match kind {
            Kind::KeyValue | Kind::Sqlite | Kind::Config => Ok(Usage { bytes: 0, keys: None }),
            Kind::Postgres => self.postgres()?.usage(guid).await,
            Kind::Redis => self.redis()?.usage(guid).await,
        }
    }

    /// Compares what instances hold with what their plans allow.
    pub async fn sweep(&self, registry: &Registry) {
        if let Some(postgres) = &self.postgres {
            let plans: Vec<_> = registry.of_kind(Kind::Postgres).into_iter().map(|(guid, instance)| (guid, instance.plan)).collect();
            if let Err(error) = postgres.sweep(&plans).await {
                tracing::error!(error = %error.message(), "the sizes of the tenants' databases cannot be looked at");
            }
        }
        if let Some(redis) = &self.redis
            && let Err(error) = redis.sweep(registry).await
        {
            tracing::error!(error = %error.message(), "what tenants hold in Redis cannot be looked at");
        }
    }
}
