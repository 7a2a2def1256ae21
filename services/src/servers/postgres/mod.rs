//! `postgres`: a database on the operator's PostgreSQL for each instance, a role for each binding.

mod query;
mod server;
mod sessions;
mod values;

use crate::{
    catalog::Plan,
    data::Usage,
    error::{DataError, OpenError},
    servers::{Login, hex, login_of, new_password},
};
use serde_json::{Map, json};
use server::{Server, unavailable};
use sessions::Sessions;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio_postgres::{Client, config::Host};
use virga_model::{ServiceCredentialBindingGuid, ServiceInstanceGuid};

pub(crate) use query::{batch, query};
pub use server::PostgresServer;

/// Connections to one database, those of the platform's own way in included.
const CONNECTIONS: usize = 20;

/// See the module.
pub(crate) struct Postgres {
    server: Server,
    /// The operator's login; one step after the other.
    admin: tokio::sync::Mutex<Option<Client>>,
    sessions: Sessions,
    /// How far each database was closed when it was last looked at.
    doors: Mutex<HashMap<ServiceInstanceGuid, Door>>,
}

/// How far a database is closed for what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// As much as its plan allows: what connects from now on reads, unless it says that it will delete.
    ReadOnly,
    /// Twice that: whoever used that permission did not delete.
    Closed,
}

impl Door {
    fn of(bytes: u64, plan: &Plan) -> Self {
        match bytes {
            bytes if bytes > plan.bytes.saturating_mul(2) => Self::Closed,
            bytes if bytes > plan.bytes => Self::ReadOnly,
            _ => Self::Open,
        }
    }
}

/// The database of an instance, and its group role.
fn database_of(guid: ServiceInstanceGuid) -> String {
    format!("virga_{}", hex(guid))
}

impl Postgres {
    pub fn new(server: PostgresServer) -> Result<Self, OpenError> {
        Ok(Self {
            server: Server::new(server)?,
            admin: tokio::sync::Mutex::default(),
            sessions: Sessions::default(),
            doors: Mutex::default(),
        })
    }

    /// Does something as the operator's login. A connection on which something failed is not used again: it may be waiting still.
    async fn as_operator<T>(&self, work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>) -> Result<T, DataError> {
        let mut admin = self.admin.lock().await;
        let client = match admin.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => self.server.connect_as_operator().await?,
        };
        let done = self.server.within(work(&client)).await?;
        *admin = Some(client);
        Ok(done)
    }

    /// Runs statements of ours; several in one text are one transaction.
    async fn administer(&self, statements: &str) -> Result<(), DataError> {
        self.as_operator(async |client| client.batch_execute(statements).await).await
    }

    /// Runs statements of ours in the database of an instance.
    async fn administer_in(&self, database: &str, statements: &str) -> Result<(), DataError> {
        let client = self.server.connect_to_as_operator(database).await?;
        self.server.within(client.batch_execute(statements)).await
    }

    async fn has_role(&self, name: &str) -> Result<bool, DataError> {
        let query = "SELECT 1 FROM pg_roles WHERE rolname = $1";
        Ok(self.as_operator(async |client| client.query_opt(query, &[&name]).await).await?.is_some())
    }

    async fn has_database(&self, name: &str) -> Result<bool, DataError> {
        let query = "SELECT 1 FROM pg_database WHERE datname = $1";
        Ok(self.as_operator(async |client| client.query_opt(query, &[&name]).await).await?.is_some())
    }

    pub async fn provision(&self, guid: ServiceInstanceGuid, plan: &Plan) -> Result<(), DataError> {
        let name = database_of(guid);
        if !self.has_role(&name).await? {
            // The operator's login is a member: it may end its sessions and delete what they made.
            self.administer(&format!("CREATE ROLE {name} NOLOGIN; GRANT {name} TO CURRENT_USER")).await?;
        }
        if !self.has_database(&name).await? {
            // Alone: it cannot be part of a transaction. Nobody is ever connected to the template.
            self.administer(&format!("CREATE DATABASE {name} TEMPLATE template0")).await?;
        }
        self.administer(&format!(
            "REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CREATE, TEMPORARY ON DATABASE {name} TO {name}; \
             ALTER DATABASE {name} CONNECTION LIMIT {CONNECTIONS}"
        ))
        .await?;
        self.administer_in(&name, &format!("REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT ALL ON SCHEMA public TO {name}")).await?;
        // It is let in, or not, by what it holds; the plan may just have become another.
        self.doors().remove(&guid);
        self.look_at(guid, plan, self.sizes(&[guid]).await?.get(&guid).copied().unwrap_or(0)).await
    }

    fn doors(&self) -> MutexGuard<'_, HashMap<ServiceInstanceGuid, Door>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn deprovision(&self, guid: ServiceInstanceGuid) -> Result<(), DataError> {
        let name = database_of(guid);
        self.sessions.forget(guid);
        self.doors().remove(&guid);
        let members = "SELECT member.rolname::text FROM pg_auth_members \
                       JOIN pg_roles AS member ON member.oid = pg_auth_members.member \
                       JOIN pg_roles AS of ON of.oid = pg_auth_members.roleid \
                       WHERE of.rolname = $1";
        let members = self.as_operator(async |client| client.query(members, &[&name]).await).await?;
        self.administer(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        for member in members {
            let role: String = member.try_get(0).map_err(|error| unavailable(&error))?;
            // The operator's login is a member too.
            if role.starts_with("virga_b_") || role.starts_with("virga_h_") {
                self.administer(&format!("DROP ROLE IF EXISTS {role}")).await?;
            }
        }
        self.administer(&format!("DROP ROLE IF EXISTS {name}")).await
    }

    /// A role that may log in and takes the part of the instance's group, with this password from now on.
    async fn login(&self, guid: ServiceInstanceGuid, role: &str, password: &str) -> Result<(), DataError> {
        let group = database_of(guid);
        // The server is not told the password, and cannot write it into its log.
        let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
        if !self.has_role(role).await? {
            self.administer(&format!("CREATE ROLE {role} IN ROLE {group}; GRANT {role} TO CURRENT_USER")).await?;
        }
        self.administer(&format!("ALTER ROLE {role} SET role TO {group}; ALTER ROLE {role} LOGIN PASSWORD '{verifier}'")).await
    }

    pub async fn bind(&self, guid: ServiceInstanceGuid, binding: ServiceCredentialBindingGuid) -> Result<Login, DataError> {
        let (database, role, password) = (database_of(guid), login_of(binding), new_password());
        self.login(guid, &role, &password).await?;
        let mut credentials = Map::new();
        // Guests reach no Unix socket of the machine, nor anything else on it.
        if let Some(Host::Tcp(host)) = self.server.config().get_hosts().first() {
            let port = self.server.config().get_ports().first().copied().unwrap_or(5432);
            let at = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            credentials.insert("uri".to_owned(), json!(format!("postgres://{role}:{password}@{at}:{port}/{database}")));
            credentials.insert("host".to_owned(), json!(host));
            credentials.insert("port".to_owned(), json!(port));
            credentials.insert("database".to_owned(), json!(database));
            credentials.insert("username".to_owned(), json!(role));
            credentials.insert("password".to_owned(), json!(password));
        }
        Ok(Login { credentials, digest: None })
    }

    pub async fn unbind(&self, guid: ServiceInstanceGuid, binding: ServiceCredentialBindingGuid) -> Result<(), DataError> {
        let (database, role) = (database_of(guid), login_of(binding));
        if !self.has_role(&role).await? {
            return Ok(());
        }
        self.administer(&format!("ALTER ROLE {role} NOLOGIN")).await?;
        self.administer(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'")).await?;
        // What it made under its own name stays, as the group's.
        if self.has_database(&database).await? {
            self.administer_in(&database, &format!("REASSIGN OWNED BY {role} TO {database}; DROP OWNED BY {role}")).await?;
        }
        self.administer(&format!("DROP ROLE {role}")).await
    }

    pub async fn usage(&self, guid: ServiceInstanceGuid) -> Result<Usage, DataError> {
        let bytes = self.sizes(&[guid]).await?.get(&guid).copied().unwrap_or(0);
        Ok(Usage { bytes, keys: None })
    }

    /// Bytes on the disk of the databases that are there.
    async fn sizes(&self, guids: &[ServiceInstanceGuid]) -> Result<HashMap<ServiceInstanceGuid, u64>, DataError> {
        let names: HashMap<String, ServiceInstanceGuid> = guids.iter().map(|guid| (database_of(*guid), *guid)).collect();
        let wanted: Vec<&str> = names.keys().map(String::as_str).collect();
        let query = "SELECT datname::text, pg_database_size(oid) FROM pg_database WHERE datname = ANY($1)";
        let mut sizes = HashMap::new();
        for row in self.as_operator(async |client| client.query(query, &[&wanted]).await).await? {
            let name: String = row.try_get(0).map_err(|error| unavailable(&error))?;
            let bytes: i64 = row.try_get(1).map_err(|error| unavailable(&error))?;
            if let Some(guid) = names.get(&name) {
                sizes.insert(*guid, bytes.unsigned_abs());
            }
        }
        Ok(sizes)
    }

    /// Closes databases that hold more than their plans allow, and opens those that do not any more.
    pub async fn sweep(&self, plans: &[(ServiceInstanceGuid, &Plan)]) -> Result<(), DataError> {
        self.sessions.close_idle();
        if plans.is_empty() {
            return Ok(());
        }
        let guids: Vec<_> = plans.iter().map(|(guid, _)| *guid).collect();
        let sizes = self.sizes(&guids).await?;
        for (guid, plan) in plans {
            let Some(bytes) = sizes.get(guid) else { continue };
            if let Err(error) = self.look_at(*guid, plan, *bytes).await {
                tracing::error!(service_instance.guid = %guid, error = %error.message(), "a database cannot be closed or opened for what it holds");
            }
        }
        Ok(())
    }

    async fn look_at(&self, guid: ServiceInstanceGuid, plan: &Plan, bytes: u64) -> Result<(), DataError> {
        let door = Door::of(bytes, plan);
        if self.doors().get(&guid) == Some(&door) {
            return Ok(());
        }
        self.set_door(guid, door).await?;
        self.doors().insert(guid, door);
        Ok(())
    }

    /// Whether nobody is let into a database for what it holds.
    fn is_closed(&self, guid: ServiceInstanceGuid) -> bool {
        self.doors().get(&guid) == Some(&Door::Closed)
    }

    /// An instance's database was found closed.
    fn close_door(&self, guid: ServiceInstanceGuid) {
        self.doors().insert(guid, Door::Closed);
    }

    async fn set_door(&self, guid: ServiceInstanceGuid, door: Door) -> Result<(), DataError> {
        let name = database_of(guid);
        let connect = match door {
            Door::Open | Door::ReadOnly => format!("GRANT CONNECT ON DATABASE {name} TO {name}"),
            Door::Closed => format!("REVOKE CONNECT ON DATABASE {name} FROM {name}"),
        };
        let read_only = if door == Door::Open { "off" } else { "on" };
        self.administer(&format!("{connect}; ALTER DATABASE {name} SET default_transaction_read_only TO {read_only}")).await?;
        self.sessions.close(guid);
        if door == Door::Open {
            return Ok(());
        }
        tracing::warn!(service_instance.guid = %guid, ?door, "a database holds more than its plan allows");
        // Sessions that are open go by what held when they connected.
        let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> CURRENT_USER AND datname";
        self.administer(&format!("{terminate} = '{name}'")).await
    }
}
