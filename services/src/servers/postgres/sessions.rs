//! The platform's own way into databases: sessions of a role of each instance that may log in only while one is made, by a password of that moment. A tenant's
//! statement may change the password of the role that it runs as; nobody gets in by it.

use super::{
    Postgres, database_of,
    query::MAX_SECONDS,
    server::{Login, Refusal},
};
use crate::{
    error::DataError,
    servers::{host_login_of, new_password},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use tokio_postgres::Client;
use virga_model::ServiceInstanceGuid;

/// Sessions of one instance at one time; further requests wait.
const SESSIONS: usize = 4;
/// After so long without a request a session is closed.
const IDLE: Duration = Duration::from_secs(60);
/// How long the password of a new session lets in anybody.
const HOLDS_SECONDS: u64 = 30;

#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<ServiceInstanceGuid, Arc<Slot>>>);

/// An instance's.
struct Slot {
    places: Semaphore,
    /// Held while a session is made.
    making: tokio::sync::Mutex<()>,
    idle: Mutex<Vec<(Client, Instant)>>,
}

impl Slot {
    fn idle(&self) -> MutexGuard<'_, Vec<(Client, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    fn slots(&self) -> MutexGuard<'_, HashMap<ServiceInstanceGuid, Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, guid: ServiceInstanceGuid) -> Arc<Slot> {
        let new = || Slot { places: Semaphore::new(SESSIONS), making: tokio::sync::Mutex::default(), idle: Mutex::default() };
        Arc::clone(self.slots().entry(guid).or_insert_with(|| Arc::new(new())))
    }

    /// Forgets an instance, which is deleted.
    pub fn forget(&self, guid: ServiceInstanceGuid) {
        self.slots().remove(&guid);
    }

    /// Closes an instance's sessions that nobody uses now.
    pub fn close(&self, guid: ServiceInstanceGuid) {
        self.slot(guid).idle().clear();
    }

    /// Closes sessions that nobody used for a while.
    pub fn close_idle(&self) {
        for slot in self.slots().values() {
            slot.idle().retain(|(client, since)| since.elapsed() < IDLE && !client.is_closed());
        }
    }
}

impl Postgres {
    /// Does `work` in a session of an instance. The session is kept where `work` gives it back.
    pub(super) async fn in_session<T>(
        &self,
        guid: ServiceInstanceGuid,
        work: impl AsyncFnOnce(Client) -> (Option<Client>, Result<T, DataError>),
    ) -> Result<T, DataError> {
        let slot = self.sessions.slot(guid);
        let _place = slot.places.acquire().await.map_err(std::io::Error::other)?;
        // The one that was used last: the others grow old and are closed.
        let idle = std::iter::from_fn(|| slot.idle().pop()).find(|(client, _)| !client.is_closed());
        let client = match idle {
            Some((client, _)) => client,
            None => self.new_session(guid, &slot).await?,
        };
        let (client, result) = work(client).await;
        if let Some(client) = client {
            slot.idle().push((client, Instant::now()));
        }
        result
    }

    async fn new_session(&self, guid: ServiceInstanceGuid, slot: &Slot) -> Result<Client, DataError> {
        if self.is_closed(guid) {
            return Err(closed());
        }
        let (database, role, password) = (database_of(guid), host_login_of(guid), new_password());
        let _making = slot.making.lock().await;
        self.login(guid, &role, &password).await?;
        // Nothing below is done where the request, or the process, ends before it. A role may change its password, and not how long that holds.
        self.administer(&format!(
            "DO $$ BEGIN EXECUTE format('ALTER ROLE {role} VALID UNTIL %L', now() + interval '{HOLDS_SECONDS} seconds'); END $$"
        ))
        .await?;
        let login = Login { role: &role, password: &password };
        let connected = self.server.connect_to(&database, login, MAX_SECONDS).await;
        self.administer(&format!("ALTER ROLE {role} NOLOGIN")).await?;
        match connected {
            Ok(client) => Ok(client),
            // A process before this one closed it.
            Err(Refusal::NotLetIn) => {
                self.close_door(guid);
                Err(closed())
            }
            Err(Refusal::Other(error)) => Err(error),
        }
    }
}

fn closed() -> DataError {
    DataError::full("the database holds twice what its plan allows, and lets nobody in until the plan is larger")
}
