//! `sqlite`: a database of one's own. The SQL is a stranger's: it reaches its own file and nothing else, for a limited time.

use super::{Bound, Usage, parsed};
use crate::{catalog::Kind, error::DataError};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use rusqlite::{
    Batch, Connection, Statement,
    config::DbConfig,
    fallible_iterator::FallibleIterator as _,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    types::{ToSqlOutput, Value as Stored, ValueRef},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use virga_serve::axum::{Json, http::StatusCode};

/// The longest statement, bytes.
const MAX_SQL_BYTES: i32 = 100_000;
/// The longest text or blob, bytes. Some functions (`instr`, `replace`) take time by its square, and are not interrupted.
const MAX_VALUE_BYTES: i32 = 1 << 20;
/// The longest pattern of LIKE and GLOB, bytes; for the same reason.
const MAX_PATTERN_BYTES: i32 = 1000;
/// Statements of one batch.
const MAX_STATEMENTS: usize = 1000;
/// Rows of one answer.
const MAX_ROWS: usize = 10_000;
/// Bytes of one answer, about.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// How long a query or a whole batch may take.
const MAX_TIME: Duration = Duration::from_secs(5);
/// SQLite's steps between two looks at the clock: few, since one of them may take long.
const STEPS: i32 = 10;
/// Bytes of a page of a new database.
const PAGE_BYTES: u64 = 4096;
/// What a guest may ask or say about its database; everything else (files, memory, integrity of others) is the platform's.
const PRAGMAS: &[&str] = &[
    "table_info",
    "table_xinfo",
    "table_list",
    "index_info",
    "index_xinfo",
    "index_list",
    "foreign_key_list",
    "foreign_key_check",
    "foreign_keys",
    "defer_foreign_keys",
    "user_version",
    "application_id",
    "page_count",
    "freelist_count",
];

pub(super) fn open(path: &std::path::Path) -> Result<Connection, DataError> {
    let database = Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.pragma_update(None, "foreign_keys", true)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN_BYTES),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        database.set_limit(limit, value)?;
    }
    Ok(database)
}

pub(super) fn usage(database: &Connection) -> Result<Usage, DataError> {
    let pages: u64 = database.query_row("SELECT page_count FROM pragma_page_count()", [], |row| row.get(0))?;
    Ok(Usage { bytes: pages * PAGE_BYTES, keys: None })
}

/// One statement with its values: a list for `?`, an object for `:name`, `@name`, `$name`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    sql: String,
    #[serde(default)]
    params: Params,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Params {
    List(Vec<Value>),
    Named(Map<String, Value>),
}

impl Default for Params {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statements {
    statements: Vec<Query>,
}

/// `POST /v1/query`: one statement.
pub(super) async fn query(bound: Bound, body: &Bytes) -> Result<Json<Value>, DataError> {
    let query: Query = parsed(body)?;
    let mut results = bound.run(vec![query]).await?;
    Ok(Json(results.pop().unwrap_or_default()))
}

/// `POST /v1/batch`: several statements in one transaction, all or none.
pub(super) async fn batch(bound: Bound, body: &Bytes) -> Result<Json<Value>, DataError> {
    let Statements { statements } = parsed(body)?;
    if statements.len() > MAX_STATEMENTS {
        return Err(DataError::bad(format!("a batch has at most {MAX_STATEMENTS} statements")));
    }
    Ok(Json(json!({ "results": bound.run(statements).await? })))
}

impl Bound {
    async fn run(self, queries: Vec<Query>) -> Result<Vec<Value>, DataError> {
        let bound = self.of(Kind::Sqlite)?;
        let pages = bound.instance.plan.bytes / PAGE_BYTES;
        bound.services.stores.with(bound.guid, open, move |database| run(database, pages, &queries)).await
    }
}

/// Runs statements of a guest in one transaction.
fn run(database: &Connection, pages: u64, queries: &[Query]) -> Result<Vec<Value>, DataError> {
    // The plan may have changed since the database was opened.
    database.pragma_update(None, "max_page_count", i64::try_from(pages).unwrap_or(i64::MAX)).or_else(returned)?;
    // One that a panic left.
    if !database.is_autocommit() {
        database.execute_batch("ROLLBACK")?;
    }
    database.execute_batch("BEGIN IMMEDIATE")?;
    let guard = Guard::new(database)?;
    let mut room = MAX_ANSWER_BYTES;
    let results = queries.iter().map(|query| execute(database, query, &guard, &mut room)).collect::<Result<Vec<_>, _>>();
    drop(guard);
    match results {
        Ok(results) => {
            database.execute_batch("COMMIT").map_err(|error| undone(database, refused(&error, None)))?;
            Ok(results)
        }
        Err(error) => Err(undone(database, error)),
    }
}

/// A pragma that answers with what was set is no error.
fn returned(error: rusqlite::Error) -> Result<(), rusqlite::Error> {
    if matches!(error, rusqlite::Error::ExecuteReturnedResults) { Ok(()) } else { Err(error) }
}

/// Takes everything back. SQLite has done so already after some errors.
fn undone(database: &Connection, error: DataError) -> DataError {
    if !database.is_autocommit()
        && let Err(error) = database.execute_batch("ROLLBACK")
    {
        return error.into();
    }
    error
}

/// What a guest's statements may do, and for how long; nothing of it holds for ours.
struct Guard<'a> {
    database: &'a Connection,
    is_late: Arc<AtomicBool>,
    /// What was asked for and refused, in the guest's words.
    denied: Arc<Mutex<Option<String>>>,
}

impl<'a> Guard<'a> {
    fn new(database: &'a Connection) -> Result<Self, DataError> {
        let (is_late, denied) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
        let (deadline, late) = (Instant::now() + MAX_TIME, Arc::clone(&is_late));
        database.progress_handler(
            STEPS,
            Some(move || {
                let is_late = Instant::now() > deadline;
                late.store(is_late, Relaxed);
                is_late
            }),
        )?;
        let reason = Arc::clone(&denied);
        database.authorizer(Some(move |context: AuthContext<'_>| match denial(&context.action) {
            None => Authorization::Allow,
            Some(why) => {
                *reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                Authorization::Deny
            }
        }))?;
        Ok(Self { database, is_late, denied })
    }

    fn refused(&self, error: &rusqlite::Error) -> DataError {
        if self.is_late.load(Relaxed) {
            let message = format!("the statements took more than {} seconds and were taken back", MAX_TIME.as_secs());
            return DataError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message);
        }
        refused(error, self.denied.lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let lifted = self
            .database
            .progress_handler(0, None::<fn() -> bool>)
            .and_then(|()| self.database.authorizer(None::<fn(AuthContext<'_>) -> Authorization>));
        if let Err(error) = lifted {
            tracing::error!(error = &error as &dyn std::error::Error, "an instance's database stays guarded");
        }
    }
}

/// Why this is not a guest's to do.
fn denial(action: &AuthAction<'_>) -> Option<String> {
    match action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => Some("other databases cannot be attached".to_owned()),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
            Some("a transaction is one request: send its statements together to /v1/batch".to_owned())
        }
        AuthAction::Pragma { pragma_name, .. } if !PRAGMAS.contains(&pragma_name.to_ascii_lowercase().as_str()) => {
            Some(format!("PRAGMA {pragma_name} is the platform's"))
        }
        AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. } => {
            Some("temporary tables, indexes, triggers and views would be gone with the next request".to_owned())
        }
        AuthAction::Function { function_name } if function_name.eq_ignore_ascii_case("load_extension") => {
            Some("extensions cannot be loaded".to_owned())
        }
        AuthAction::Unknown { .. } => Some("an unknown action".to_owned()),
        _ => None,
    }
}

fn refused(error: &rusqlite::Error, denied: Option<String>) -> DataError {
    use rusqlite::ErrorCode as Code;
    if let Some(why) = denied {
        return DataError::new(StatusCode::FORBIDDEN, "not_allowed", why);
    }
    let message = error.to_string();
    match error.sqlite_error_code() {
        Some(Code::DiskFull) => DataError::full("the database is as large as its plan allows"),
        Some(Code::ConstraintViolation) => DataError::new(StatusCode::CONFLICT, "constraint", message),
        Some(Code::TooBig) => DataError::too_large(message),
        Some(Code::OutOfMemory) => {
            DataError::new(StatusCode::SERVICE_UNAVAILABLE, "no_memory", "the services have no memory left for this statement")
        }
        Some(Code::SystemIoFailure | Code::DatabaseCorrupt | Code::NotADatabase | Code::CannotOpen | Code::ReadOnly) => {
            tracing::error!(error = error as &dyn std::error::Error, "an instance's database cannot be used");
            DataError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the database cannot be used; the platform's log says why")
        }
        _ => DataError::bad(message),
    }
}

fn execute(database: &Connection, query: &Query, guard: &Guard<'_>, room: &mut usize) -> Result<Value, DataError> {
    let mut batch = Batch::new(database, &query.sql);
    let statement = batch.next().map_err(|error| guard.refused(&error))?;
    let mut statement = statement.ok_or_else(|| DataError::bad("there is no statement"))?;
    if !matches!(batch.next(), Ok(None)) {
        return Err(DataError::bad("one statement at a time; send several to /v1/batch"));
    }
    bind(&mut statement, &query.params)?;
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let before = database.total_changes();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|error| guard.refused(&error))? {
        let values = (0..columns.len()).map(|column| Ok(shown(row.get_ref(column)?))).collect::<Result<Vec<_>, rusqlite::Error>>()?;
        let bytes = values.iter().map(size).sum::<usize>();
        if found.len() == MAX_ROWS || bytes > *room {
            return Err(DataError::too_large(format!("an answer has at most {MAX_ROWS} rows and {MAX_ANSWER_BYTES} bytes; use LIMIT")));
        }
        *room -= bytes;
        found.push(Value::Array(values));
    }
    let affected = database.total_changes() - before;
    Ok(json!({ "columns": columns, "rows": found, "rows_affected": affected, "last_insert_rowid": database.last_insert_rowid() }))
}

fn bind(statement: &mut Statement<'_>, params: &Params) -> Result<(), DataError> {
    let wanted = statement.parameter_count();
    let given = match params {
        Params::List(values) => values.len(),
        Params::Named(values) => values.len(),
    };
    if wanted != given {
        return Err(DataError::bad(format!("the statement takes {wanted} values, {given} are given")));
    }
    match params {
        Params::List(values) => {
            for (at, value) in values.iter().enumerate() {
                statement.raw_bind_parameter(at + 1, stored(value)?)?;
            }
        }
        Params::Named(values) => {
            for (name, value) in values {
                let index = [":", "@", "$"].iter().find_map(|sign| statement.parameter_index(&format!("{sign}{name}")).transpose());
                let index = index.transpose()?.ok_or_else(|| DataError::bad(format!("the statement has no value called \"{name}\"")))?;
                statement.raw_bind_parameter(index, stored(value)?)?;
            }
        }
    }
    Ok(())
}

/// A value as SQLite keeps it: blobs are `{"$base64": "…"}`.
fn stored(value: &Value) -> Result<ToSqlOutput<'static>, DataError> {
    let unknown = || DataError::bad("values are null, true, false, numbers, texts and {\"$base64\": \"…\"}");
    let stored = match value {
        Value::Null => Stored::Null,
        Value::Bool(flag) => Stored::Integer(i64::from(*flag)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Stored::Integer(whole),
            (None, Some(real)) => Stored::Real(real),
            (None, None) => return Err(unknown()),
        },
        Value::String(text) => Stored::Text(text.clone()),
        Value::Object(object) if object.len() == 1 => {
            let bytes = object.get("$base64").and_then(Value::as_str).and_then(|text| BASE64_STANDARD.decode(text).ok());
            Stored::Blob(bytes.ok_or_else(unknown)?)
        }
        Value::Array(_) | Value::Object(_) => return Err(unknown()),
    };
    Ok(ToSqlOutput::Owned(stored))
}

/// About how many bytes a value takes in an answer.
fn size(value: &Value) -> usize {
    const NUMBER: usize = 24;
    match value {
        Value::String(text) => text.len(),
        Value::Object(blob) => blob.values().map(size).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => NUMBER,
    }
}

fn shown(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(whole) => json!(whole),
        ValueRef::Real(real) => json!(real),
        ValueRef::Text(text) => Value::String(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => json!({ "$base64": BASE64_STANDARD.encode(bytes) }),
    }
}
