//! A fresh database per test, on SQLite always and on PostgreSQL where `VIRGA_TEST_POSTGRES_URL` names a server.
#![expect(clippy::expect_used, reason = "code of tests: a failure here is a failed test")]

use crate::{SealingKey, Store, StoreOptions};
use futures::FutureExt as _;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use std::{future::Future, panic::AssertUnwindSafe};

/// Names a PostgreSQL server (`postgres://user@host/database`) on which the tests may create databases.
pub const POSTGRES_URL: &str = "VIRGA_TEST_POSTGRES_URL";

/// A store of one test. Keep it alive while the store is used; [`TestStore::close`] takes the database away.
#[derive(Debug)]
pub struct TestStore {
    /// The store.
    pub store: Store,
    /// What [`Store::connect`] took, to open the same database once more.
    pub url: String,
    _folder: Option<tempfile::TempDir>,
    postgres: Option<(String, String)>,
}

/// How a test's database is opened: with a key that is the same in every test.
///
/// # Panics
/// Where the cipher cannot be set up.
#[must_use]
pub fn options() -> StoreOptions {
    StoreOptions { sealing_key: Some(SealingKey::new(&[7; 32]).expect("a cipher")), ..StoreOptions::default() }
}

impl TestStore {
    /// A new SQLite file in a folder of its own.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("virga.db").display());
        let store = Store::connect_with(&url, options()).await.expect("a new SQLite database");
        Self { store, url, _folder: Some(folder), postgres: None }
    }

    /// A new PostgreSQL database; `None` where the environment names no server.
    pub async fn postgres() -> Option<Self> {
        let server = std::env::var(POSTGRES_URL).ok().filter(|url| !url.is_empty())?;
        let name = format!("virga_test_{}", uuid::Uuid::new_v4().simple());
        on_server(&server, format!("CREATE DATABASE {name}")).await;
        let (base, query) = server.split_once('?').map_or((server.as_str(), String::new()), |(base, query)| (base, format!("?{query}")));
        let host = base.rsplit_once('/').map_or(base, |(host, _)| host);
        let url = format!("{host}/{name}{query}");
        let store = Store::connect_with(&url, options()).await.expect("a new PostgreSQL database");
        Some(Self { store, url, _folder: None, postgres: Some((server, name)) })
    }

    /// Closes the store and removes its database.
    pub async fn close(self) {
        self.store.close().await;
        if let Some((server, name)) = self.postgres {
            on_server(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

async fn on_server(server: &str, statement: String) {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(server).await.expect("the test server of PostgreSQL");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("a statement about databases");
    connection.close().await.expect("an orderly end");
}

/// Runs the test on a database of its own of each kind there is.
///
/// ```
/// # use virga_store::{Store, testing};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// testing::on_both(|store: Store| async move {
///     assert!(!store.store_id().is_empty());
/// })
/// .await;
/// # }
/// ```
pub async fn on_both<F: Future<Output = ()>>(test: impl Fn(Store) -> F) {
    on_both_urls(|store, _| test(store)).await;
}

/// As [`on_both`], with the URL of the database too.
pub async fn on_both_urls<F: Future<Output = ()>>(test: impl Fn(Store, String) -> F) {
    for database in [Some(TestStore::sqlite().await), TestStore::postgres().await].into_iter().flatten() {
        let outcome = AssertUnwindSafe(test(database.store.clone(), database.url.clone())).catch_unwind().await;
        database.close().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    }
}
