//! Opening a database: where it is, its settings, its schema, its identity.

use crate::{Result, Store, StoreError, StoreOptions, row};
use sqlx::{AnyPool, Connection as _, Row as _, any::AnyPoolOptions, migrate::Migrator};
use std::{path::Path, sync::Arc};
use tokio::sync::Mutex;
use virga_model::Timestamp;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Write-ahead logging lets readers and the one writer go side by side; NORMAL keeps the file whole through a crash of the
/// process or of the machine (only the last commits before a power cut may be missing).
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384";

pub(crate) async fn start(url: &str, options: StoreOptions) -> Result<Store> {
    sqlx::any::install_default_drivers();
    let sqlite = url.strip_prefix("sqlite:");
    let target = match sqlite {
        Some(path) => sqlite_url(path)?,
        None if url.starts_with("postgres://") || url.starts_with("postgresql://") => url.to_owned(),
        None => return Err(location(url, "it must start with sqlite: or postgres://")),
    };
    let mut pool = AnyPoolOptions::new().max_connections(options.max_connections).acquire_timeout(options.acquire_timeout);
    if sqlite.is_some() {
        pool = pool
            .after_connect(|connection, _| Box::pin(async move { sqlx::raw_sql(SQLITE_SETTINGS).execute(connection).await.map(|_| ()) }));
    }
    let pool = pool.connect(&target).await.map_err(|error| match error {
        sqlx::Error::Configuration(reason) => location(url, &reason.to_string()),
        other => other.into(),
    })?;
    migrate(&pool, sqlite.is_some()).await?;
    let writer = sqlite.map(|_| Arc::new(Mutex::new(())));
    let mut store = Store { pool, writer, store_id: Arc::from("") };
    store.store_id = identify(&store).await?.into();
    Ok(store)
}

fn location(url: &str, reason: &str) -> StoreError {
    // user:password@ is cut out of what is shown.
    let shown = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    };
    StoreError::Location { url: shown, reason: reason.to_owned() }
}

/// A path may hold what has a meaning in URLs; sqlx undoes this encoding.
fn sqlite_url(path: &str) -> Result<String> {
    let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(location(&format!("sqlite:{path}"), &format!("the folder {} does not exist", folder.display())));
    }
    let mut url = String::from("sqlite:");
    for character in path.chars() {
        match character {
            '%' => url.push_str("%25"),
            '?' => url.push_str("%3F"),
            '#' => url.push_str("%23"),
            ' ' => url.push_str("%20"),
            other => url.push(other),
        }
    }
    url.push_str("?mode=rwc");
    Ok(url)
}

/// PostgreSQL's migrator holds an advisory lock. SQLite's holds none, so all of it runs in one immediate transaction: of two
/// processes that start at once, the second waits and then finds nothing to do.
async fn migrate(pool: &AnyPool, sqlite: bool) -> Result<()> {
    let mut connection = pool.acquire().await?;
    if sqlite {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        MIGRATIONS.run_direct(None, &mut *transaction, false).await?;
        transaction.commit().await?;
    } else {
        MIGRATIONS.run_direct(None, &mut *connection, false).await?;
    }
    Ok(())
}

/// The installation's row, made on the first start.
async fn identify(store: &Store) -> Result<String> {
    let mut transaction = store.begin().await?;
    let fresh = uuid::Uuid::new_v4().to_string();
    sqlx::query("INSERT INTO installation (singleton, store_id, created_at) VALUES (1, $1, $2) ON CONFLICT (singleton) DO NOTHING")
        .bind(fresh)
        .bind(row::micros(Timestamp::now()))
        .execute(&mut *transaction)
        .await?;
    let row = sqlx::query("SELECT store_id FROM installation").fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(row.try_get("store_id")?)
}
