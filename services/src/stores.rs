//! The databases of instances: opened when first asked, one operation at a time on each, closed when nobody uses them.

use crate::{
    error::{DataError, OpenError},
    registry::Registry,
};
use rusqlite::Connection;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use virga_model::ServiceInstanceGuid;
use virga_serve::axum::http::StatusCode;

/// An instance's database, in its folder.
const DATA: &str = "data.sqlite";
/// The folder of its backups.
const BACKUPS: &str = "backups";
/// Operations that may be at work or wait for one instance.
const QUEUE: usize = 64;
/// Operations at work at one time, over all instances.
const AT_WORK: usize = 32;
/// After so long without an operation a database is closed.
const IDLE: Duration = Duration::from_secs(60);
/// What SQLite may use of this process's memory, bytes; an operation that wants more fails, and no other.
const MEMORY: i64 = 1 << 30;

/// See the module.
pub(crate) struct Stores {
    registry: Arc<Registry>,
    folder: PathBuf,
    open: Mutex<HashMap<ServiceInstanceGuid, Arc<Slot>>>,
    at_work: Arc<Semaphore>,
}

struct Slot {
    queue: Arc<Semaphore>,
    database: Arc<tokio::sync::Mutex<Option<Connection>>>,
    used: Mutex<Instant>,
}

/// Bounds what SQLite uses of the process's memory.
pub(crate) fn limit_memory() -> Result<(), OpenError> {
    let sql = format!("PRAGMA hard_heap_limit = {MEMORY}");
    Ok(Connection::open_in_memory()?.query_row(&sql, [], |_| Ok(()))?)
}

impl Stores {
    /// Of the instances that `registry` knows.
    pub fn new(registry: Arc<Registry>, folder: PathBuf) -> Self {
        Self { registry, folder, open: Mutex::default(), at_work: Arc::new(Semaphore::new(AT_WORK)) }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<ServiceInstanceGuid, Arc<Slot>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, instance: ServiceInstanceGuid) -> Arc<Slot> {
        let new = || Slot { queue: Arc::new(Semaphore::new(QUEUE)), database: Arc::default(), used: Mutex::new(Instant::now()) };
        let slot = Arc::clone(self.open().entry(instance).or_insert_with(|| Arc::new(new())));
        *slot.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        slot
    }

    /// A place among the operations of an instance.
    ///
    /// # Errors
    /// 503 when there is none.
    pub fn place(&self, instance: ServiceInstanceGuid) -> Result<OwnedSemaphorePermit, DataError> {
        let busy = |_| {
            let message = format!("{QUEUE} operations wait for this instance; come again in a second");
            DataError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
        };
        Arc::clone(&self.slot(instance).queue).try_acquire_owned().map_err(busy)
    }

    /// Does something to the files of an instance while nobody else does.
    async fn alone<T: Send + 'static>(
        &self,
        instance: ServiceInstanceGuid,
        work: impl FnOnce(&mut Option<Connection>) -> Result<T, DataError> + Send + 'static,
    ) -> Result<T, DataError> {
        let slot = self.slot(instance);
        let mut database = Arc::clone(&slot.database).lock_owned().await;
        let at_work = Arc::clone(&self.at_work).acquire_owned().await.map_err(std::io::Error::other)?;
        // Deleted meanwhile: nobody makes it anew.
        if self.registry.find(instance).is_none() {
            return Err(DataError::new(StatusCode::GONE, "deleted", "the instance was deleted"));
        }
        let done = tokio::task::spawn_blocking(move || {
            let _at_work = at_work;
            work(&mut database)
        });
        done.await.unwrap_or_else(|error| Err(DataError::from(std::io::Error::other(error))))
    }

    /// Does `work` with the database of an instance, which `open` opens at its path where it is not open yet.
    ///
    /// # Errors
    /// 410 for an instance that is not there any more; those of `open` and `work`.
    pub async fn with<T: Send + 'static>(
        &self,
        instance: ServiceInstanceGuid,
        open: fn(&Path) -> Result<Connection, DataError>,
        work: impl FnOnce(&mut Connection) -> Result<T, DataError> + Send + 'static,
    ) -> Result<T, DataError> {
        let folder = self.folder_of(instance);
        let opened = move |database: &mut Option<Connection>| {
            if let Some(database) = database {
                return work(database);
            }
            std::fs::create_dir_all(&folder)?;
            work(database.insert(open(&folder.join(DATA))?))
        };
        self.alone(instance, opened).await
    }

    fn folder_of(&self, instance: ServiceInstanceGuid) -> PathBuf {
        self.folder.join(instance.to_string())
    }

    fn backup_of(&self, instance: ServiceInstanceGuid, name: &str) -> PathBuf {
        self.folder_of(instance).join(BACKUPS).join(format!("{name}.sqlite"))
    }

    /// Names of an instance's backups, in their order.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn backups(&self, instance: ServiceInstanceGuid) -> Result<Vec<String>, DataError> {
        let mut names = Vec::new();
        let mut files = match tokio::fs::read_dir(self.folder_of(instance).join(BACKUPS)).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
            files => files?,
        };
        while let Some(file) = files.next_entry().await? {
            // What a backup that broke off left has no such name.
            names.extend(file.file_name().to_str().and_then(|name| name.strip_suffix(".sqlite")).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Copies what an instance holds; operations wait meanwhile. An older backup of the name is replaced.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn back_up(&self, instance: ServiceInstanceGuid, name: String) -> Result<(), DataError> {
        let (source, target) = (self.folder_of(instance).join(DATA), self.backup_of(instance, &name));
        let copy = move |_: &mut Option<Connection>| {
            let unfinished = target.with_extension("unfinished");
            std::fs::create_dir_all(target.parent().unwrap_or(&target))?;
            remove(&unfinished)?;
            // A connection of its own: that of guests may not do this.
            Connection::open(source)?.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()])?;
            std::fs::File::open(&unfinished)?.sync_all()?;
            std::fs::rename(&unfinished, &target)?;
            Ok(())
        };
        self.alone(instance, copy).await
    }

    /// Makes an instance hold what it held at a backup.
    ///
    /// # Errors
    /// Those of the disk; the instance then holds what it held.
    pub async fn restore(&self, instance: ServiceInstanceGuid, name: &str) -> Result<(), DataError> {
        let (source, target) = (self.backup_of(instance, name), self.folder_of(instance).join(DATA));
        let copy = move |database: &mut Option<Connection>| {
            // Its last connection takes the write-ahead log along when it is closed.
            if let Some(connection) = database.take() {
                connection.close().map_err(|(_, error)| error)?;
            }
            let unfinished = target.with_extension("unfinished");
            std::fs::copy(&source, &unfinished)?;
            std::fs::File::open(&unfinished)?.sync_all()?;
            // One that a crash left belongs to what is replaced.
            remove(&target.with_extension("sqlite-wal"))?;
            remove(&target.with_extension("sqlite-shm"))?;
            std::fs::rename(&unfinished, &target)?;
            Ok(())
        };
        self.alone(instance, copy).await
    }

    /// Deletes a backup.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn delete_backup(&self, instance: ServiceInstanceGuid, name: &str) -> Result<(), DataError> {
        let path = self.backup_of(instance, name);
        Ok(tokio::task::spawn_blocking(move || remove(&path)).await.map_err(std::io::Error::other)??)
    }

    /// Deletes everything of an instance, after the operation at work.
    ///
    /// # Errors
    /// When its folder cannot be deleted; it may be half gone then, and the call is to be repeated.
    pub async fn delete(&self, instance: ServiceInstanceGuid) -> Result<(), DataError> {
        let slot = self.slot(instance);
        let mut database = slot.database.lock().await;
        *database = None;
        match tokio::fs::remove_dir_all(self.folder_of(instance)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        self.open().remove(&instance);
        Ok(())
    }

    /// Closes what nobody used for a while.
    pub fn close_idle(&self) {
        self.open().retain(|_, slot| {
            let used = *slot.used.lock().unwrap_or_else(PoisonError::into_inner);
            // Somebody else who has the slot is about to use it.
            Arc::strong_count(slot) > 1 || used.elapsed() < IDLE || slot.database.try_lock().is_err()
        });
    }
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
