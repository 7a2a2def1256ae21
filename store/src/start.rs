//! Opening a database: where it is, its settings, its schema, its identity.

use crate::{
    Result, Store, StoreError, StoreOptions, row,
    sealing::{Sealed, Sealer},
};
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
    let mut store = Store { pool, writer, store_id: Arc::from(""), sealer: Sealer(options.sealing_key) };
    store.store_id = identify(&store).await?.into();
    check_key(&store).await?;
    Ok(store)
}

/// The first key that comes is the database's from then on. Another one is refused before anything is written under it.
async fn check_key(store: &Store) -> Result<()> {
    const PLACE: &str = "installation";
    if store.sealer.0.is_none() {
        return Ok(());
    }
    let mut transaction = store.begin().await?;
    let fresh = store.seal(PLACE, store.store_id())?;
    sqlx::query("UPDATE installation SET key_check = $1 WHERE key_check IS NULL")
        .bind(fresh.as_str().to_owned())
        .execute(&mut *transaction)
        .await?;
    let row = sqlx::query("SELECT key_check FROM installation").fetch_one(&mut *transaction).await?;
    let known = Sealed::from_stored(row.try_get("key_check")?);
    let opened = store.unseal(PLACE, &known);
    if !matches!(&opened, Ok(text) if text == store.store_id()) {
        return Err(StoreError::Sealing("the secrets in the database were sealed with another key than the one given"));
    }
    transaction.commit().await
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::on_both_urls;
    use std::borrow::Cow;

    /// One of each that a route hangs on, as the first release wrote them.
    const ROWS: &str = "
        INSERT INTO organization_quotas (guid, created_at, updated_at, name, paid_services_allowed) VALUES ('q', 1, 1, 'q', 1);
        INSERT INTO organizations (guid, created_at, updated_at, name, suspended, quota_guid, labels, annotations)
            VALUES ('o', 1, 1, 'o', 0, 'q', '{}', '{}');
        INSERT INTO spaces (guid, created_at, updated_at, name, organization_guid, allow_ssh, labels, annotations)
            VALUES ('s', 1, 1, 's', 'o', 1, '{}', '{}');
        INSERT INTO domains (guid, created_at, updated_at, name, internal, labels, annotations)
            VALUES ('d', 1, 1, 'd.example', 0, '{}', '{}');
        INSERT INTO apps (guid, created_at, updated_at, name, space_guid, state, buildpacks, stack, environment, features, labels, annotations)
            VALUES ('a', 1, 1, 'a', 's', 'STOPPED', '[]', 'x', '{}', '{}', '{}', '{}');
        INSERT INTO routes (guid, created_at, updated_at, space_guid, domain_guid, host, path, options, labels, annotations)
            VALUES ('r', 2, 3, 's', 'd', 'h', '/p', '{\"loadbalancing\":\"round-robin\"}', '{}', '{}');
        INSERT INTO route_destinations (guid, created_at, updated_at, route_guid, app_guid, process_type, port, weight, protocol)
            VALUES ('x', 4, 5, 'r', 'a', 'web', NULL, 20, 'http1');
    ";

    /// The migrations up to this one.
    fn until(version: i64) -> Migrator {
        let migrations = MIGRATIONS.migrations.iter().filter(|migration| migration.version <= version).cloned().collect();
        Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT }
    }

    #[tokio::test]
    async fn only_the_first_key_opens_a_database_with_secrets() {
        on_both_urls(|store, url| async move {
            let with = |byte| StoreOptions { sealing_key: Some(crate::SealingKey::new(&[byte; 32]).unwrap()), ..StoreOptions::default() };
            let other = Store::connect_with(&url, with(9)).await.unwrap_err();
            assert!(matches!(other, StoreError::Sealing(_)), "{other}");
            let sealed = store.seal("x", "text").unwrap();
            let same = Store::connect_with(&url, crate::testing::options()).await.unwrap();
            assert_eq!(same.unseal("x", &sealed).unwrap(), "text");
            let keyless = Store::connect(&url).await.unwrap();
            assert!(keyless.unseal("x", &sealed).is_err() && keyless.seal("x", "text").is_err());
            // What docs/operating.md says to do once the key is lost.
            let operating = include_str!("../../docs/operating.md");
            let statements = operating.split("```sql").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&store.pool).await.unwrap();
            let other = Store::connect_with(&url, with(9)).await.unwrap();
            assert_eq!(other.unseal("x", &other.seal("x", "new").unwrap()).unwrap(), "new");
        })
        .await;
    }

    #[tokio::test]
    async fn rows_of_a_table_that_is_made_anew_stay() {
        on_both_urls(|store, url| async move {
            let pool = match url.strip_prefix("sqlite:") {
                Some(path) => {
                    let options = AnyPoolOptions::new().max_connections(1);
                    options.connect(&sqlite_url(&format!("{path}.old")).unwrap()).await.unwrap()
                }
                None => {
                    sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").execute(&store.pool).await.unwrap();
                    store.pool.clone()
                }
            };
            let mut connection = pool.acquire().await.unwrap();
            if url.starts_with("sqlite:") {
                sqlx::raw_sql(SQLITE_SETTINGS).execute(&mut *connection).await.unwrap();
            }
            until(4).run_direct(None, &mut *connection, false).await.unwrap();
            sqlx::raw_sql(ROWS).execute(&mut *connection).await.unwrap();
            drop(connection);
            migrate(&pool, url.starts_with("sqlite:")).await.unwrap();
            let sql = "SELECT r.guid, r.updated_at, r.host, r.path, r.port AS route_port, r.options, x.guid AS destination, x.port, x.weight \
                       FROM routes r JOIN route_destinations x ON x.route_guid = r.guid";
            let row = sqlx::query(sql).fetch_one(&pool).await.unwrap();
            let text = |column: &str| row.try_get::<String, _>(column).unwrap();
            let number = |column: &str| row.try_get::<Option<i64>, _>(column).unwrap();
            assert_eq!((text("guid"), text("host"), text("path"), text("destination")), ("r".into(), "h".into(), "/p".into(), "x".into()));
            assert_eq!(text("options"), "{\"loadbalancing\":\"round-robin\"}");
            assert_eq!((number("updated_at"), number("route_port"), number("port"), number("weight")), (Some(3), Some(0), None, Some(20)));
            pool.close().await;
        })
        .await;
    }
}
