//! The store itself: its pool, reads, and write transactions.

use crate::{
    Connection, Result, StoreError,
    sealing::{Sealed, Sealer, SealingKey},
};
use sqlx::{AnyPool, any::Any, pool::PoolConnection};
use std::{
    fmt::Display,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How the pool behaves.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Connections at most (default 16).
    pub max_connections: u32,
    /// How long a caller waits for a connection (default 10 s).
    pub acquire_timeout: Duration,
    /// Seals what is secret; without it nothing secret can be written or read.
    pub sealing_key: Option<SealingKey>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { max_connections: 16, acquire_timeout: Duration::from_secs(10), sealing_key: None }
    }
}

/// The database of an installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: AnyPool,
    /// SQLite takes one writer at a time. Writers of this process queue here, in order, rather than poll its lock.
    pub(crate) writer: Option<Arc<Mutex<()>>>,
    pub(crate) store_id: Arc<str>,
    pub(crate) sealer: Sealer,
}

/// A connection for reading, taken from the pool; derefs to [`Connection`].
#[derive(Debug)]
pub struct ReadConnection(PoolConnection<Any>);

/// A write transaction; derefs to [`Connection`]. Dropped without [`Transaction::commit`] it is rolled back.
#[derive(Debug)]
pub struct Transaction {
    inner: sqlx::Transaction<'static, Any>,
    // After `inner`, so that the next writer's turn comes once the rollback is on its way.
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Store {
    /// Opens `sqlite:<path>` (made where missing) or `postgres://…` and brings its schema up to date. Several processes
    /// may do so at the same time.
    ///
    /// # Errors
    /// [`StoreError::Location`] for a URL or path that cannot be used, [`StoreError::Unavailable`] for a database that
    /// does not answer, [`StoreError::Migrate`] for one of a newer or foreign schema, [`StoreError::Sealing`] for one whose secrets
    /// have another key than the one given.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, StoreOptions::default()).await
    }

    /// As [`Store::connect`], with pool options.
    ///
    /// # Errors
    /// As [`Store::connect`].
    pub async fn connect_with(url: &str, options: StoreOptions) -> Result<Self> {
        crate::start::start(url, options).await
    }

    /// A connection for reading.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn read(&self) -> Result<ReadConnection> {
        Ok(ReadConnection(self.pool.acquire().await?))
    }

    /// A write transaction. On SQLite it holds the write lock from the start, so that what it reads cannot change before
    /// it commits; keep it short and never wait inside it for anything but the database.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin(&self) -> Result<Transaction> {
        let turn = match &self.writer {
            Some(writer) => Some(Arc::clone(writer).lock_owned().await),
            None => None,
        };
        let inner = match turn {
            Some(_) => self.pool.begin_with("BEGIN IMMEDIATE").await?,
            None => self.pool.begin().await?,
        };
        Ok(Transaction { inner, _turn: turn })
    }

    /// Names this database for ever: made on its first start. A desired state that comes with another id belongs to
    /// another (for example a restored or emptied) database.
    #[must_use]
    pub fn store_id(&self) -> &str {
        &self.store_id
    }

    /// Makes a text secret, to be opened at this place (`table/guid`) only.
    ///
    /// # Errors
    /// [`StoreError::Sealing`] without a key.
    pub fn seal(&self, place: impl Display, text: &str) -> Result<Sealed> {
        self.sealer.seal(&place, text)
    }

    /// The text that was sealed for this place.
    ///
    /// # Errors
    /// [`StoreError::Sealing`] for one of another place or key, or a damaged one.
    pub fn unseal(&self, place: impl Display, sealed: &Sealed) -> Result<String> {
        self.sealer.open(&place, sealed)
    }

    /// Closes the pool once every connection has come back.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl Transaction {
    /// Makes every change last.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Conflict`]; nothing has changed then.
    pub async fn commit(self) -> Result<()> {
        self.inner.commit().await.map_err(StoreError::from)
    }

    /// Undoes every change, and waits for it; dropping does the same in the background.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; nothing has changed then either.
    pub async fn rollback(self) -> Result<()> {
        self.inner.rollback().await.map_err(StoreError::from)
    }
}

impl Deref for ReadConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for ReadConnection {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

impl Deref for Transaction {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.inner
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.inner
    }
}

#[cfg(test)]
mod tests {
    use crate::{Store, testing};
    use sqlx::Row as _;

    #[tokio::test]
    async fn processes_that_start_at_once_do_not_clash_and_agree_who_they_serve() {
        testing::on_both_urls(|store, url| async move {
            let (one, two) = tokio::join!(Store::connect(&url), Store::connect(&url));
            assert_eq!(one.unwrap().store_id(), store.store_id());
            assert_eq!(two.unwrap().store_id(), store.store_id());
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("a new ?#% one.db").display());
        let (one, two, three) = tokio::join!(Store::connect(&url), Store::connect(&url), Store::connect(&url));
        assert_eq!(one.unwrap().store_id(), two.unwrap().store_id());
        assert!(folder.path().join("a new ?#% one.db").exists());
        three.unwrap();
    }

    #[tokio::test]
    async fn a_dropped_transaction_changes_nothing_and_writers_queue() {
        testing::on_both(|store| async move {
            let flag = "INSERT INTO feature_flags (name, enabled, updated_at) VALUES ($1, 1, 0)";
            let mut dropped = store.begin().await.unwrap();
            sqlx::query(flag).bind("dropped").execute(&mut *dropped).await.unwrap();
            drop(dropped);
            let add = async |name: &'static str| {
                let mut transaction = store.begin().await.unwrap();
                sqlx::query(flag).bind(name).execute(&mut *transaction).await.unwrap();
                transaction.commit().await.unwrap();
            };
            tokio::join!(add("a"), add("b"), add("c"), add("d"));
            let mut read = store.read().await.unwrap();
            let rows = sqlx::query("SELECT name FROM feature_flags ORDER BY name").fetch_all(&mut *read).await.unwrap();
            let names: Vec<String> = rows.iter().map(|row| row.get("name")).collect();
            assert_eq!(names, ["a", "b", "c", "d"]);
        })
        .await;
    }

    #[tokio::test]
    async fn a_location_that_cannot_be_used_is_named_without_its_password() {
        let missing = Store::connect("sqlite:/nowhere/at/all/virga.db").await.unwrap_err().to_string();
        assert!(missing.contains("/nowhere/at/all does not exist"), "{missing}");
        let other = Store::connect("mysql://user:hunter2@host/db").await.unwrap_err().to_string();
        assert!(other.contains("mysql://host/db") && !other.contains("hunter2"), "{other}");
    }
}
