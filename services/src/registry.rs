//! Which instances and bindings there are. Written through to `instances.sqlite`, read from memory: every request of an app asks here whether its
//! binding still holds.

use crate::{
    catalog::{self, Kind, Offering, Plan},
    error::OpenError,
};
use rusqlite::{Connection, params};
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};
use virga_model::{ServiceCredentialBindingGuid, ServiceInstanceGuid};

/// One instance.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub offering: &'static Offering,
    pub plan: &'static Plan,
    /// What the instance was made or last updated with.
    pub parameters: Map<String, Value>,
    /// The bindings.
    pub bindings: HashMap<ServiceCredentialBindingGuid, Binding>,
}

/// A binding of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    /// Whom it was made for, as the platform wrote it.
    pub resource: String,
    /// Of its password on a server that may forget it.
    pub digest: Option<String>,
}

/// See the module.
pub(crate) struct Registry {
    /// Held while something is changed, until `instances` says so too.
    database: Mutex<Connection>,
    instances: RwLock<Instances>,
}

type Instances = HashMap<ServiceInstanceGuid, Arc<Instance>>;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS instances (guid TEXT PRIMARY KEY, offering TEXT NOT NULL, plan TEXT NOT NULL, parameters TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS bindings (
        guid TEXT PRIMARY KEY,
        instance TEXT NOT NULL REFERENCES instances (guid) ON DELETE CASCADE,
        resource TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS digests (binding TEXT PRIMARY KEY REFERENCES bindings (guid) ON DELETE CASCADE, digest TEXT NOT NULL);
";

impl Registry {
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let database = Connection::open(folder.join("instances.sqlite"))?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        database.pragma_update(None, "foreign_keys", true)?;
        database.execute_batch(SCHEMA)?;
        let instances = RwLock::new(read(&database)?);
        Ok(Self { database: Mutex::new(database), instances })
    }

    /// Every instance of this kind.
    pub fn of_kind(&self, kind: Kind) -> Vec<(ServiceInstanceGuid, Arc<Instance>)> {
        let instances = self.instances.read().unwrap_or_else(PoisonError::into_inner);
        instances.iter().filter(|(_, instance)| instance.offering.kind == kind).map(|(guid, known)| (*guid, Arc::clone(known))).collect()
    }

    pub fn find(&self, guid: ServiceInstanceGuid) -> Option<Arc<Instance>> {
        self.instances.read().unwrap_or_else(PoisonError::into_inner).get(&guid).cloned()
    }

    /// Adds an instance, or gives one another plan and parameters; its bindings stay.
    pub async fn save(
        self: &Arc<Self>,
        guid: ServiceInstanceGuid,
        offering: &'static Offering,
        plan: &'static Plan,
        parameters: Map<String, Value>,
    ) -> Result<(), OpenError> {
        let text = serde_json::to_string(&parameters)?;
        let write = move |database: &Connection| {
            database.execute(
                "INSERT INTO instances VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (guid) DO UPDATE SET plan = excluded.plan, parameters = excluded.parameters",
                params![guid.to_string(), offering.id, plan.id, text],
            )
        };
        self.change(write, move |instances| {
            let bindings = instances.get(&guid).map(|known| known.bindings.clone()).unwrap_or_default();
            instances.insert(guid, Arc::new(Instance { offering, plan, parameters, bindings }));
        })
        .await
    }

    /// Forgets an instance and its bindings.
    pub async fn remove(self: &Arc<Self>, guid: ServiceInstanceGuid) -> Result<(), OpenError> {
        let write = move |database: &Connection| database.execute("DELETE FROM instances WHERE guid = ?1", params![guid.to_string()]);
        self.change(write, move |instances| drop(instances.remove(&guid))).await
    }

    /// Forgets an instance's bindings.
    pub async fn unbind_all(self: &Arc<Self>, guid: ServiceInstanceGuid) -> Result<(), OpenError> {
        let write = move |database: &Connection| database.execute("DELETE FROM bindings WHERE instance = ?1", params![guid.to_string()]);
        self.change(write, move |instances| {
            if let Some(instance) = instances.get_mut(&guid) {
                Arc::make_mut(instance).bindings.clear();
            }
        })
        .await
    }

    /// Adds a binding to an instance that is there, or makes it what it is now.
    pub async fn bind(
        self: &Arc<Self>,
        guid: ServiceInstanceGuid,
        binding: ServiceCredentialBindingGuid,
        known: Binding,
    ) -> Result<(), OpenError> {
        let Binding { resource, digest } = known.clone();
        let write = move |database: &Connection| {
            let change = database.unchecked_transaction()?;
            let name = binding.to_string();
            let sql = "INSERT INTO bindings VALUES (?1, ?2, ?3) ON CONFLICT (guid) DO NOTHING";
            change.execute(sql, params![name, guid.to_string(), resource])?;
            change.execute("DELETE FROM digests WHERE binding = ?1", params![name])?;
            if let Some(digest) = digest {
                change.execute("INSERT INTO digests VALUES (?1, ?2)", params![name, digest])?;
            }
            change.commit()?;
            Ok(1)
        };
        self.change(write, move |instances| {
            if let Some(instance) = instances.get_mut(&guid) {
                Arc::make_mut(instance).bindings.insert(binding, known);
            }
        })
        .await
    }

    /// Forgets a binding.
    pub async fn unbind(self: &Arc<Self>, guid: ServiceInstanceGuid, binding: ServiceCredentialBindingGuid) -> Result<(), OpenError> {
        let write = move |database: &Connection| database.execute("DELETE FROM bindings WHERE guid = ?1", params![binding.to_string()]);
        self.change(write, move |instances| {
            if let Some(instance) = instances.get_mut(&guid) {
                Arc::make_mut(instance).bindings.remove(&binding);
            }
        })
        .await
    }

    /// Writes a change, then makes it known. Aside, since it waits for the disk.
    async fn change(
        self: &Arc<Self>,
        write: impl FnOnce(&Connection) -> rusqlite::Result<usize> + Send + 'static,
        tell: impl FnOnce(&mut Instances) + Send + 'static,
    ) -> Result<(), OpenError> {
        let registry = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let database = registry.database.lock().unwrap_or_else(PoisonError::into_inner);
            write(&database)?;
            tell(&mut registry.instances.write().unwrap_or_else(PoisonError::into_inner));
            Ok(())
        });
        done.await.map_err(std::io::Error::other)?
    }
}

fn read(database: &Connection) -> Result<Instances, OpenError> {
    let unknown = |what: String| OpenError::Io(std::io::Error::other(what));
    let mut instances = HashMap::new();
    let mut statement = database.prepare("SELECT guid, offering, plan, parameters FROM instances")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (guid, offering, plan): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let offering =
            catalog::offering(&offering).ok_or_else(|| unknown(format!("instance {guid} is of the unknown offering {offering}")))?;
        let plan = offering.plan(&plan).ok_or_else(|| unknown(format!("instance {guid} is of the unknown plan {plan}")))?;
        let parameters = serde_json::from_str(&row.get::<_, String>(3)?)?;
        let guid = guid.parse().map_err(|_| unknown(format!("{guid} is no guid")))?;
        instances.insert(guid, Instance { offering, plan, parameters, bindings: HashMap::new() });
    }
    let mut statement = database.prepare(
        "SELECT bindings.guid, bindings.instance, bindings.resource, digests.digest FROM bindings LEFT JOIN digests ON digests.binding = bindings.guid",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (guid, instance): (String, String) = (row.get(0)?, row.get(1)?);
        let guid = guid.parse().map_err(|_| unknown(format!("{guid} is no guid")))?;
        let instance = instance.parse().ok().and_then(|instance| instances.get_mut(&instance));
        instance
            .ok_or_else(|| unknown(format!("binding {guid} is of no instance")))?
            .bindings
            .insert(guid, Binding { resource: row.get(2)?, digest: row.get(3)? });
    }
    Ok(instances.into_iter().map(|(guid, instance)| (guid, Arc::new(instance))).collect())
}
