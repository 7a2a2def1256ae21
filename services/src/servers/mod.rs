//! Servers of the operator that tenants share (ADR 0023). What each instance and binding is on the server is told by its guid alone, so that every step may be
//! repeated, and nothing has to be remembered for it to be deleted.

pub(crate) mod postgres;

use crate::{
    catalog::{Kind, Plan},
    data::Usage,
    error::{DataError, OpenError},
    registry::Registry,
};
use postgres::{Postgres, PostgresServer};
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
}

/// Those that are there.
pub(crate) struct Servers {
    postgres: Option<Postgres>,
}

impl Servers {
    pub fn new(config: ServersConfig) -> Result<Self, OpenError> {
        Ok(Self { postgres: config.postgres.map(Postgres::new).transpose()? })
    }

    /// Whether instances of this kind can be made here.
    pub fn offers(&self, kind: Kind) -> bool {
        match kind {
            Kind::KeyValue | Kind::Sqlite | Kind::Config => true,
            Kind::Postgres => self.postgres.is_some(),
        }
    }

    /// # Errors
    /// 503 where the operator has named no server.
    pub fn postgres(&self) -> Result<&Postgres, DataError> {
        let message = "this platform has no PostgreSQL for its services any more";
        self.postgres.as_ref().ok_or_else(|| DataError::new(StatusCode::SERVICE_UNAVAILABLE, "no_server", message))
    }

    /// Makes on a server what an instance needs there.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn provision(&self, kind: Kind, guid: ServiceInstanceGuid, plan: &Plan) -> Result<(), DataError> {
        match kind {
            Kind::KeyValue | Kind::Sqlite | Kind::Config => Ok(()),
            Kind::Postgres => self.postgres()?.provision(guid, plan).await,
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
        }
    }

    /// A login for a binding; that of an earlier call for it does not hold any more.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn bind(
        &self,
        kind: Kind,
        guid: ServiceInstanceGuid,
        binding: ServiceCredentialBindingGuid,
    ) -> Result<Map<String, Value>, DataError> {
        match kind {
            Kind::KeyValue | Kind::Sqlite | Kind::Config => Ok(Map::new()),
            Kind::Postgres => self.postgres()?.bind(guid, binding).await,
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
        }
    }

    /// Compares what instances hold with what their plans allow.
    pub async fn sweep(&self, registry: &Registry) {
        if let Some(postgres) = &self.postgres {
            let plans = registry.of_kind(Kind::Postgres).into_iter().map(|(guid, instance)| (guid, instance.plan)).collect();
            if let Err(error) = postgres.sweep(plans).await {
                tracing::error!(error = %error.message(), "the sizes of the tenants' databases cannot be looked at");
            }
        }
    }
}
