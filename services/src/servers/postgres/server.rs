//! Connections to the operator's PostgreSQL.

use crate::{
    error::{DataError, OpenError},
    servers::tls,
};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{task::JoinSet, time::timeout};
use tokio_postgres::{Client, Config, error::SqlState};
use tokio_postgres_rustls::MakeRustlsConnect;
use virga_serve::axum::http::StatusCode;

/// How long one of our own statements may take, and a connection.
const PATIENCE: Duration = Duration::from_secs(20);
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// An operator's PostgreSQL.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresServer {
    /// `postgres://user:password@host:port/database?sslmode=require` of a role that may create databases and roles. A secret.
    pub url: String,
    /// Certificates of the authorities that vouch for the server, PEM; without it, Mozilla's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresServer")
    }
}

/// How to connect.
pub(super) struct Server {
    config: Config,
    tls: MakeRustlsConnect,
    /// What carries requests; each ends with its client.
    connections: Mutex<JoinSet<()>>,
}

/// A login other than the operator's.
pub(super) struct Login<'a> {
    pub role: &'a str,
    pub password: &'a str,
}

/// Why there is no connection.
pub(super) enum Refusal {
    /// The database lets in no such role.
    NotLetIn,
    Other(DataError),
}

impl From<Refusal> for DataError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotLetIn => unreachable_server("the platform's PostgreSQL does not let in its operator's role"),
            Refusal::Other(error) => error,
        }
    }
}

impl Server {
    pub fn new(server: PostgresServer) -> Result<Self, OpenError> {
        let wrong = |what: String| OpenError::Io(std::io::Error::other(what));
        let mut config: Config = server.url.parse().map_err(|error| wrong(format!("services.postgres.url cannot be used: {error}")))?;
        config.connect_timeout(CONNECT_WAIT).application_name("virga");
        let tls = tls::client("services.postgres.ca_file", server.ca_file.as_deref())?;
        Ok(Self { config, tls: MakeRustlsConnect::new(tls), connections: Mutex::default() })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How a session is told from outside to give up what it does.
    pub fn tls(&self) -> MakeRustlsConnect {
        self.tls.clone()
    }

    /// A connection as the operator's login, to the database of its URL.
    pub async fn connect_as_operator(&self) -> Result<Client, DataError> {
        Ok(self.connect(&self.config).await?)
    }

    /// A connection to one database as the operator's login.
    pub async fn connect_to_as_operator(&self, database: &str) -> Result<Client, DataError> {
        let mut config = self.config.clone();
        // A database that is full is not so for what is done to it from here.
        config.dbname(database).options("-c default_transaction_read_only=off");
        Ok(self.connect(&config).await?)
    }

    /// A connection to one database as another login, whose statements may take `seconds`.
    pub async fn connect_to(&self, database: &str, login: Login<'_>, seconds: u64) -> Result<Client, Refusal> {
        let mut config = self.config.clone();
        config.dbname(database).user(login.role).password(login.password).options(format!("-c statement_timeout={seconds}s"));
        self.connect(&config).await
    }

    async fn connect(&self, config: &Config) -> Result<Client, Refusal> {
        let connecting = timeout(PATIENCE, config.connect(self.tls.clone()));
        let (client, connection) = match connecting.await {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => return Err(Refusal::NotLetIn),
            Ok(Err(error)) => return Err(Refusal::Other(failed(&error))),
            Err(late) => return Err(Refusal::Other(unavailable(&late))),
        };
        let carry = async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = &error as &dyn std::error::Error, "a connection to PostgreSQL ended");
            }
        };
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        while connections.try_join_next().is_some() {}
        connections.spawn(carry);
        Ok(client)
    }

    /// One of our own statements, for as long as we wait.
    pub async fn within<T>(&self, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, DataError> {
        timeout(PATIENCE, work).await.map_err(|late| unavailable(&late))?.map_err(|error| failed(&error))
    }
}

/// What the server answered to one of our own statements is the operator's to know.
fn failed(error: &tokio_postgres::Error) -> DataError {
    tracing::error!(error = error as &dyn std::error::Error, "the operator's PostgreSQL did not do what it was asked");
    let code = error.code().map(|code| format!(" (SQLSTATE {})", code.code())).unwrap_or_default();
    unreachable_server(&format!("the platform's PostgreSQL cannot be used{code}; the platform's log says why"))
}

pub(super) fn unavailable(error: &dyn fmt::Display) -> DataError {
    tracing::error!(%error, "the operator's PostgreSQL does not answer");
    unreachable_server("the platform's PostgreSQL does not answer; the platform's log says why")
}

fn unreachable_server(message: &str) -> DataError {
    DataError::new(StatusCode::SERVICE_UNAVAILABLE, "server_unavailable", message)
}
