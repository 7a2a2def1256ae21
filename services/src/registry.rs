//! Which instances and bindings there are. Written through to `instances.sqlite`, read from memory: every request of an app asks here whether its
//! binding still holds.

use crate::{
    catalog::{self, Offering, Plan},
    error::OpenError,
};
use rusqlite::{Connection, params};
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use virga_model::{ServiceCredentialBindingGuid, ServiceInstanceGuid};

/// One instance.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub offering: &'static Offering,
    pub plan: &'static Plan,
    /// What the instance was made or last updated with.
    pub parameters: Map<String, Value>,
    /// Whom each binding was made for, as the platform wrote it.
    pub bindings: HashMap<ServiceCredentialBindingGuid, String>,
}

/// See the module.
pub(crate) struct Registry(Mutex<Inner>);

struct Inner {
    database: Connection,
    instances: HashMap<ServiceInstanceGuid, Arc<Instance>>,
}

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS instances (guid TEXT PRIMARY KEY, offering TEXT NOT NULL, plan TEXT NOT NULL, parameters TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS bindings (
        guid TEXT PRIMARY KEY,
        instance TEXT NOT NULL REFERENCES instances (guid) ON DELETE CASCADE,
        resource TEXT NOT NULL
    );
";

impl Registry {
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let database = Connection::open(folder.join("instances.sqlite"))?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        database.pragma_update(None, "foreign_keys", true)?;
        database.execute_batch(SCHEMA)?;
        let instances = read(&database)?;
        Ok(Self(Mutex::new(Inner { database, instances })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn find(&self, guid: ServiceInstanceGuid) -> Option<Arc<Instance>> {
        self.inner().instances.get(&guid).cloned()
    }

    /// Adds an instance, or gives one another plan and parameters; its bindings stay.
    pub fn save(
        &self,
        guid: ServiceInstanceGuid,
        offering: &'static Offering,
        plan: &'static Plan,
        parameters: Map<String, Value>,
    ) -> Result<(), OpenError> {
        let mut inner = self.inner();
        inner.database.execute(
            "INSERT INTO instances VALUES (?1, ?2, ?3, ?4) ON CONFLICT (guid) DO UPDATE SET plan = excluded.plan, parameters = excluded.parameters",
            params![guid.to_string(), offering.id, plan.id, serde_json::to_string(&parameters)?],
        )?;
        let bindings = inner.instances.get(&guid).map(|known| known.bindings.clone()).unwrap_or_default();
        inner.instances.insert(guid, Arc::new(Instance { offering, plan, parameters, bindings }));
        Ok(())
    }

    /// Forgets an instance and its bindings.
    pub fn remove(&self, guid: ServiceInstanceGuid) -> Result<(), OpenError> {
        let mut inner = self.inner();
        inner.database.execute("DELETE FROM instances WHERE guid = ?1", params![guid.to_string()])?;
        inner.instances.remove(&guid);
        Ok(())
    }

    /// Adds a binding to an instance that is there.
    pub fn bind(&self, guid: ServiceInstanceGuid, binding: ServiceCredentialBindingGuid, resource: &str) -> Result<(), OpenError> {
        let mut inner = self.inner();
        let (text, of) = (binding.to_string(), guid.to_string());
        inner.database.execute("INSERT INTO bindings VALUES (?1, ?2, ?3)", params![text, of, resource])?;
        if let Some(instance) = inner.instances.get_mut(&guid) {
            Arc::make_mut(instance).bindings.insert(binding, resource.to_owned());
        }
        Ok(())
    }

    /// Forgets a binding.
    pub fn unbind(&self, guid: ServiceInstanceGuid, binding: ServiceCredentialBindingGuid) -> Result<(), OpenError> {
        let mut inner = self.inner();
        inner.database.execute("DELETE FROM bindings WHERE guid = ?1", params![binding.to_string()])?;
        if let Some(instance) = inner.instances.get_mut(&guid) {
            Arc::make_mut(instance).bindings.remove(&binding);
        }
        Ok(())
    }
}

fn read(database: &Connection) -> Result<HashMap<ServiceInstanceGuid, Arc<Instance>>, OpenError> {
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
    let mut statement = database.prepare("SELECT guid, instance, resource FROM bindings")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (guid, instance): (String, String) = (row.get(0)?, row.get(1)?);
        let guid = guid.parse().map_err(|_| unknown(format!("{guid} is no guid")))?;
        let instance = instance.parse().ok().and_then(|instance| instances.get_mut(&instance));
        instance.ok_or_else(|| unknown(format!("binding {guid} is of no instance")))?.bindings.insert(guid, row.get(2)?);
    }
    Ok(instances.into_iter().map(|(guid, instance)| (guid, Arc::new(instance))).collect())
}
