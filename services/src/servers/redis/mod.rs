//! `redis`: a prefix of keys and channels in the operator's Redis for each instance, a user of its access list for each binding.

mod command;
mod server;

use super::{Login, host_login_of, login_of, new_password};
use crate::{
    catalog::{Kind, Plan},
    data::Usage,
    error::{DataError, OpenError},
    registry::Registry,
};
use redis::{Cmd, FromRedisValue, Pipeline, RedisError, cmd};
use serde_json::{Map, json};
use server::{Connection, Server, failed};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use virga_model::{ServiceCredentialBindingGuid, ServiceInstanceGuid};
use virga_serve::axum::http::StatusCode;

pub(crate) use command::{batch, command};
pub use server::RedisServer;

/// Keys of one step of a walk through the server's.
const STEP: usize = 1000;
/// A walk through all keys is followed by a rest this many times as long: the server does one thing at a time.
const REST: u32 = 20;

/// What tenants never need, and what shows, stops or takes what is others'. Names of keys that a pattern of the access list hides are in the answers of the first three.
const NEVER: &str = "-scan -randomkey -dbsize -pubsub -select -move -copy -swapdb -wait -@scripting -@admin -@dangerous";
/// What a driver may do.
const DRIVER: &str = "-@all +@read +@write +@pubsub +@transaction +@connection -client +client|setname +client|getname +client|id";
/// What a request by HTTP may do: nothing that waits, or that concerns the connection, which is everybody's of that instance.
const HOST: &str = "-@all +@read +@write +multi +exec -@blocking -@pubsub -@connection";
/// What is left of writing when a plan is full.
const FULL: &str =
    "-@write +del +unlink +getdel +expire +pexpire +hdel +srem +zrem +lrem +ltrim +lpop +rpop +spop +zpopmin +zpopmax +xdel +xtrim";

/// See the module.
pub(crate) struct Redis {
    server: Server,
    /// The operator's user; one step after the other.
    admin: tokio::sync::Mutex<Option<Connection>>,
    /// Held from the look at whether a binding is still there until its user is made, and while users are deleted.
    users: tokio::sync::Mutex<()>,
    /// The platform's own way in.
    sessions: Mutex<HashMap<ServiceInstanceGuid, Arc<tokio::sync::Mutex<Session>>>>,
    /// Those that hold what their plan allows, or more.
    full: Mutex<HashSet<ServiceInstanceGuid>>,
    next_walk: Mutex<Instant>,
}

/// Of one instance.
#[derive(Default)]
struct Session {
    /// Set in the life of this process.
    password: Option<String>,
    connection: Option<Connection>,
}

/// How far all keys of the server were gone through: the cursor of the next step, none at the end.
struct Walk(Option<u64>);

impl Default for Walk {
    fn default() -> Self {
        Self(Some(0))
    }
}

/// What every key and channel of an instance begins with.
fn prefix_of(guid: ServiceInstanceGuid) -> String {
    format!("virga:{guid}:")
}

fn digest_of(password: &str) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(password) {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Redis {
    pub fn new(server: RedisServer) -> Result<Self, OpenError> {
        Ok(Self {
            server: Server::new(server)?,
            admin: tokio::sync::Mutex::default(),
            users: tokio::sync::Mutex::default(),
            sessions: Mutex::default(),
            full: Mutex::default(),
            next_walk: Mutex::new(Instant::now()),
        })
    }

    fn full(&self) -> MutexGuard<'_, HashSet<ServiceInstanceGuid>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of our own commands, as the operator's user.
    async fn administer<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, DataError> {
        self.as_operator(async |connection| connection.send(command).await).await
    }

    async fn as_operator<T>(&self, work: impl AsyncFnOnce(&mut Connection) -> Result<T, RedisError>) -> Result<T, DataError> {
        let mut admin = self.admin.lock().await;
        let mut connection = match admin.take().filter(Connection::is_open) {
            Some(connection) => connection,
            None => self.server.connect(None).await?,
        };
        // A connection on which something failed is not used again: its answer may come still.
        let answer = work(&mut connection).await.map_err(|error| failed(&error))?;
        *admin = Some(connection);
        Ok(answer)
    }

    /// # Errors
    /// 503 where whoever reaches the server may do everything there.
    pub async fn provision(&self) -> Result<(), DataError> {
        let users: Vec<String> = self.administer(cmd("ACL").arg("LIST")).await?;
        if users.iter().any(|user| user.starts_with("user default on") && user.split(' ').any(|rule| rule == "nopass")) {
            let message = "the platform's Redis lets in everybody: its user \"default\" has no password, and no tenant is to be put there";
            return Err(DataError::new(StatusCode::SERVICE_UNAVAILABLE, "server_unavailable", message));
        }
        // A plan may have become another.
        *self.next_walk.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(())
    }

    pub async fn deprovision(&self, guid: ServiceInstanceGuid) -> Result<(), DataError> {
        let prefix = prefix_of(guid);
        // Users first: nobody makes keys anew.
        self.delete_users(guid).await?;
        self.full().remove(&guid);
        let (mut walk, pattern) = (Walk::default(), format!("{prefix}*"));
        while let Some(keys) = self.step(&mut walk, &pattern).await? {
            if !keys.is_empty() {
                self.administer::<i64>(cmd("UNLINK").arg(keys)).await?;
            }
        }
        Ok(())
    }

    async fn delete_users(&self, guid: ServiceInstanceGuid) -> Result<(), DataError> {
        let _users = self.users.lock().await;
        let pattern = format!("~{}*", prefix_of(guid));
        let users: Vec<String> = self.administer(cmd("ACL").arg("LIST")).await?;
        for user in users.iter().filter(|user| user.split(' ').any(|rule| rule == pattern)) {
            if let Some(name) = user.split(' ').nth(1) {
                self.administer::<i64>(cmd("ACL").arg("DELUSER").arg(name)).await?;
            }
        }
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&guid);
        Ok(())
    }

    /// The next keys that are like `pattern`; none at the end. Keys that are there all the time are met at least once.
    async fn step(&self, walk: &mut Walk, pattern: &str) -> Result<Option<Vec<Vec<u8>>>, DataError> {
        let Walk(Some(cursor)) = *walk else { return Ok(None) };
        let scan = cmd("SCAN").arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(STEP).to_owned();
        let (next, keys): (u64, _) = self.administer(&scan).await?;
        *walk = Walk(Some(next).filter(|next| *next != 0));
        Ok(Some(keys))
    }

    /// What each instance holds, of the keys like `pattern`.
    async fn holdings(&self, pattern: &str) -> Result<HashMap<String, Usage>, DataError> {
        const PREFIX: usize = "virga:00000000-0000-0000-0000-000000000000:".len();
        let mut found: HashMap<String, Usage> = HashMap::new();
        let (mut seen, mut walk) = (HashSet::<u64>::new(), Walk::default());
        let hasher = RandomState::new();
        while let Some(mut keys) = self.step(&mut walk, pattern).await? {
            // A walk may meet a key twice.
            keys.retain(|key| seen.insert(hasher.hash_one(key)));
            let mut question = Pipeline::with_capacity(keys.len());
            for key in &keys {
                question.cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(5);
            }
            let sizes: Vec<Option<u64>> = self.as_operator(async |connection| connection.send_all(&question).await).await?;
            for (key, bytes) in keys.iter().zip(sizes) {
                let Some(prefix) = key.get(..PREFIX).and_then(|prefix| std::str::from_utf8(prefix).ok()) else { continue };
                let usage = found.entry(prefix.to_owned()).or_insert(Usage { bytes: 0, keys: Some(0) });
                usage.bytes += bytes.unwrap_or(0);
                usage.keys = usage.keys.map(|keys| keys + 1);
            }
        }
        Ok(found)
    }

    pub async fn usage(&self, guid: ServiceInstanceGuid) -> Result<Usage, DataError> {
        let prefix = prefix_of(guid);
        let held = self.holdings(&format!("{prefix}*")).await?.remove(&prefix);
        Ok(held.unwrap_or(Usage { bytes: 0, keys: Some(0) }))
    }

    /// Makes a user, or makes it what it should be now.
    async fn set_user(&self, guid: ServiceInstanceGuid, name: &str, digest: &str) -> Result<(), DataError> {
        let mut command = cmd("ACL");
        command.arg("SETUSER").arg(name).arg("reset").arg("on").arg(format!("#{digest}"));
        command.arg(format!("~{}*", prefix_of(guid))).arg("resetchannels").arg(format!("&{}*", prefix_of(guid)));
        let may = if name.starts_with("virga_h_") { HOST } else { DRIVER };
        let full = if self.full().contains(&guid) { FULL } else { "" };
        for rule in [may, full, NEVER].into_iter().flat_map(|rules| rules.split_ascii_whitespace()) {
            command.arg(rule);
        }
        self.administer::<()>(&command).await
    }

    pub async fn bind(&self, guid: ServiceInstanceGuid, binding: ServiceCredentialBindingGuid) -> Result<Login, DataError> {
        let (name, password) = (login_of(binding), new_password());
        let digest = digest_of(&password);
        self.set_user(guid, &name, &digest).await?;
        let mut credentials = Map::new();
        credentials.insert("prefix".to_owned(), json!(prefix_of(guid)));
        // Guests reach no Unix socket of the machine, nor anything else on it.
        if let Some((scheme, host, port)) = self.server.address() {
            let at = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            credentials.insert("uri".to_owned(), json!(format!("{scheme}://{name}:{password}@{at}:{port}")));
            credentials.insert("host".to_owned(), json!(host));
            credentials.insert("port".to_owned(), json!(port));
            credentials.insert("username".to_owned(), json!(name));
            credentials.insert("password".to_owned(), json!(password));
        }
        Ok(Login { credentials, digest: Some(digest) })
    }

    /// Its connections end with it.
    pub async fn unbind(&self, binding: ServiceCredentialBindingGuid) -> Result<(), DataError> {
        let _users = self.users.lock().await;
        self.administer::<i64>(cmd("ACL").arg("DELUSER").arg(login_of(binding))).await.map(|_| ())
    }

    /// Makes users that Redis has forgotten, and takes writing from those whose plan is full.
    pub async fn sweep(&self, registry: &Registry) -> Result<(), DataError> {
        let instances = registry.of_kind(Kind::Redis);
        if instances.is_empty() {
            return Ok(());
        }
        let names: HashSet<String> = self.administer(cmd("ACL").arg("USERS")).await?;
        for (guid, instance) in &instances {
            for binding in instance.bindings.keys().filter(|binding| !names.contains(&login_of(**binding))) {
                tracing::warn!(service_binding.guid = %binding, "Redis has forgotten the user of a binding, which is made again");
                self.set_user_again(registry, *guid, *binding).await?;
            }
        }
        let began = Instant::now();
        if *self.next_walk.lock().unwrap_or_else(PoisonError::into_inner) > began {
            return Ok(());
        }
        let held = self.holdings("virga:*").await?;
        *self.next_walk.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + began.elapsed() * REST;
        for (guid, instance) in &instances {
            let is_full = held.get(&prefix_of(*guid)).is_some_and(|usage| is_beyond(*usage, instance.plan));
            if is_full == self.full().contains(guid) {
                continue;
            }
            if is_full {
                tracing::warn!(service_instance.guid = %guid, "an instance of redis holds more than its plan allows");
                self.full().insert(*guid);
            } else {
                self.full().remove(guid);
            }
            self.set_users(registry, *guid).await.inspect_err(|_| {
                // Looked at again, as if nothing had been seen.
                if is_full {
                    self.full().remove(guid)
                } else {
                    self.full().insert(*guid)
                };
            })?;
        }
        Ok(())
    }

    /// Makes a binding's user what it should be now, unless the binding was deleted meanwhile.
    async fn set_user_again(
        &self,
        registry: &Registry,
        guid: ServiceInstanceGuid,
        binding: ServiceCredentialBindingGuid,
    ) -> Result<(), DataError> {
        let _users = self.users.lock().await;
        let instance = registry.find(guid);
        match instance.as_ref().and_then(|instance| instance.bindings.get(&binding)?.digest.as_ref()) {
            Some(digest) => self.set_user(guid, &login_of(binding), digest).await,
            None => Ok(()),
        }
    }

    async fn set_users(&self, registry: &Registry, guid: ServiceInstanceGuid) -> Result<(), DataError> {
        for binding in registry.find(guid).iter().flat_map(|instance| instance.bindings.keys()) {
            self.set_user_again(registry, guid, *binding).await?;
        }
        let session = self.session(guid);
        let session = session.lock().await;
        let _users = self.users.lock().await;
        match &session.password {
            Some(password) if is_bound(registry, guid) => self.set_user(guid, &host_login_of(guid), &digest_of(password)).await,
            _ => Ok(()),
        }
    }

    fn session(&self, guid: ServiceInstanceGuid) -> Arc<tokio::sync::Mutex<Session>> {
        Arc::clone(self.sessions.lock().unwrap_or_else(PoisonError::into_inner).entry(guid).or_default())
    }
}

/// Whether an instance has bindings; one that is being deleted has none.
fn is_bound(registry: &Registry, guid: ServiceInstanceGuid) -> bool {
    registry.find(guid).is_some_and(|instance| !instance.bindings.is_empty())
}

fn is_beyond(usage: Usage, plan: &Plan) -> bool {
    usage.bytes > plan.bytes || usage.keys.is_some_and(|keys| keys > plan.keys)
}
