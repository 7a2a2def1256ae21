//! `keyvalue`: durable keys and values. Every change is on the disk before it is answered; each has a version of its own, which is the `ETag`.

use super::{Bound, Usage, Whole, parsed};
use crate::{
    catalog::{Kind, Plan},
    error::DataError,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use virga_serve::axum::{
    Json,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};

/// The longest key, bytes.
const MAX_KEY_BYTES: usize = 1024;
/// The longest value, bytes.
const MAX_VALUE_BYTES: usize = 1 << 20;
/// Keys of one batch.
const MAX_BATCH: usize = 1000;
/// The most bytes of values that one batch reads.
const MAX_READ_BYTES: usize = 2 << 20;
/// Keys in one answer of a list, and when nothing is said.
const MAX_LIST: usize = 1000;
const LIST: usize = 100;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS entries (key TEXT NOT NULL UNIQUE, value BLOB NOT NULL, version INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS totals (one INTEGER PRIMARY KEY CHECK (one = 1), keys INTEGER NOT NULL, bytes INTEGER NOT NULL, version INTEGER NOT NULL);
    INSERT OR IGNORE INTO totals VALUES (1, 0, 0, 0);
";

pub(super) fn open(path: &std::path::Path) -> Result<Connection, DataError> {
    let database = Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.execute_batch(SCHEMA)?;
    Ok(database)
}

pub(super) fn usage(database: &Connection) -> Result<Usage, DataError> {
    let usage = |row: &rusqlite::Row<'_>| Ok(Usage { bytes: row.get(0)?, keys: Some(row.get(1)?) });
    Ok(database.query_row("SELECT bytes, keys FROM totals", [], usage)?)
}

/// Which version a change wants to find.
#[derive(Debug, Clone, Copy)]
enum Condition {
    Any,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: *`
    Present,
    /// `If-Match: "3"`
    Version(i64),
}

impl Condition {
    fn of(headers: &HeaderMap) -> Result<Self, DataError> {
        let text = |name| headers.get(name).map(|value: &header::HeaderValue| value.to_str().unwrap_or_default());
        match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
            (None, None) => Ok(Self::Any),
            (None, Some("*")) => Ok(Self::Absent),
            (Some("*"), None) => Ok(Self::Present),
            (Some(tag), None) => {
                let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).and_then(|tag| tag.parse().ok());
                Ok(Self::Version(version.ok_or_else(|| DataError::bad("If-Match takes * or one ETag that was given out"))?))
            }
            _ => Err(DataError::bad("a change takes If-Match or If-None-Match: *, not both")),
        }
    }

    fn check(self, version: Option<i64>) -> Result<(), DataError> {
        let holds = match self {
            Self::Any => true,
            Self::Absent => version.is_none(),
            Self::Present => version.is_some(),
            Self::Version(wanted) => version == Some(wanted),
        };
        let changed = || DataError::new(StatusCode::PRECONDITION_FAILED, "changed", "the key is not as If-Match or If-None-Match say");
        if holds { Ok(()) } else { Err(changed()) }
    }
}

/// What one change does to the plan's limits.
struct Change<'a> {
    tx: Transaction<'a>,
    plan: &'static Plan,
}

impl<'a> Change<'a> {
    fn begin(database: &'a mut Connection, plan: &'static Plan) -> Result<Self, DataError> {
        Ok(Self { tx: database.transaction_with_behavior(TransactionBehavior::Immediate)?, plan })
    }

    /// Version and length of a key's value.
    fn entry(&self, key: &str) -> Result<Option<(i64, i64)>, DataError> {
        let mut statement = self.tx.prepare_cached("SELECT version, length(value) FROM entries WHERE key = ?1")?;
        Ok(statement.query_row(params![key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    fn set(&self, key: &str, value: &[u8], condition: Condition) -> Result<i64, DataError> {
        check_key(key)?;
        if value.len() > MAX_VALUE_BYTES {
            return Err(DataError::too_large(format!("a value has at most {MAX_VALUE_BYTES} bytes, this one has {}", value.len())));
        }
        let known = self.entry(key)?;
        condition.check(known.map(|(version, _)| version))?;
        let length = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        let (keys, bytes) = match known {
            Some((_, before)) => (0, length(value.len()) - before),
            None => (1, length(value.len() + key.len())),
        };
        let version = self.account(keys, bytes)?;
        self.tx
            .prepare_cached("INSERT INTO entries VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version")?
            .execute(params![key, value, version])?;
        Ok(version)
    }

    fn delete(&self, key: &str, condition: Condition) -> Result<bool, DataError> {
        let known = self.entry(key)?;
        condition.check(known.map(|(version, _)| version))?;
        let Some((_, before)) = known else { return Ok(false) };
        self.account(-1, -(before + i64::try_from(key.len()).unwrap_or(0)))?;
        self.tx.prepare_cached("DELETE FROM entries WHERE key = ?1")?.execute(params![key])?;
        Ok(true)
    }

    /// Adds to what the instance holds and gives out the change's version. Less is always allowed.
    fn account(&self, keys: i64, bytes: i64) -> Result<i64, DataError> {
        let mut statement = self.tx.prepare_cached(
            "UPDATE totals SET keys = keys + ?1, bytes = bytes + ?2, version = version + 1 RETURNING keys, bytes, version",
        )?;
        let (all_keys, all_bytes, version): (u64, u64, i64) =
            statement.query_row(params![keys, bytes], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if keys > 0 && all_keys > self.plan.keys {
            return Err(DataError::full(format!("the plan allows {} keys", self.plan.keys)));
        }
        if bytes > 0 && all_bytes > self.plan.bytes {
            return Err(DataError::full(format!("the plan allows {} bytes of keys and values", self.plan.bytes)));
        }
        Ok(version)
    }

    fn end(self) -> Result<(), DataError> {
        Ok(self.tx.commit()?)
    }
}

fn check_key(key: &str) -> Result<(), DataError> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(DataError::bad(format!("a key has 1 to {MAX_KEY_BYTES} bytes")));
    }
    Ok(())
}

fn read(database: &Connection, key: &str) -> Result<Option<(Vec<u8>, i64)>, DataError> {
    let mut statement = database.prepare_cached("SELECT value, version FROM entries WHERE key = ?1")?;
    Ok(statement.query_row(params![key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

impl Bound {
    /// Does something to the store.
    async fn store<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut Connection, &'static Plan) -> Result<T, DataError> + Send + 'static,
    ) -> Result<T, DataError> {
        let bound = self.of(Kind::KeyValue)?;
        let plan = bound.instance.plan;
        bound.services.stores.with(bound.guid, open, move |database| work(database, plan)).await
    }
}

type Key = Path<(String, String)>;

/// `GET /v1/keys/{key}`: the value's bytes. `HEAD` too.
pub(crate) async fn get(bound: Bound, Path((_, key)): Key, _: Whole) -> Result<Response, DataError> {
    let found = bound.store(move |database, _| read(database, &key)).await?;
    let (value, version) = found.ok_or_else(|| DataError::not_found("there is no such key"))?;
    let headers = [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::ETAG, format!("\"{version}\""))];
    Ok((headers, value).into_response())
}

/// `PUT /v1/keys/{key}`: the body is the value.
pub(crate) async fn put(bound: Bound, Path((_, key)): Key, headers: HeaderMap, value: Bytes) -> Result<Response, DataError> {
    let condition = Condition::of(&headers)?;
    let version = bound
        .store(move |database, plan| {
            let change = Change::begin(database, plan)?;
            let version = change.set(&key, &value, condition)?;
            change.end().map(|()| version)
        })
        .await?;
    Ok((StatusCode::NO_CONTENT, [(header::ETAG, format!("\"{version}\""))]).into_response())
}

/// `DELETE /v1/keys/{key}`; a key that is not there is deleted already.
pub(crate) async fn delete(bound: Bound, Path((_, key)): Key, headers: HeaderMap, _: Whole) -> Result<StatusCode, DataError> {
    let condition = Condition::of(&headers)?;
    bound
        .store(move |database, plan| {
            let change = Change::begin(database, plan)?;
            change.delete(&key, condition)?;
            change.end()
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a list is to hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    #[serde(default)]
    prefix: String,
    /// The last key of the page before.
    cursor: Option<String>,
    limit: Option<usize>,
}

/// `GET /v1/keys`: keys in the order of their bytes; `cursor` is null on the last page.
pub(crate) async fn list(bound: Bound, query: Query<ListQuery>, _: Whole) -> Result<Json<Value>, DataError> {
    let Query(ListQuery { prefix, cursor, limit }) = query;
    let limit = limit.unwrap_or(LIST);
    if !(1..=MAX_LIST).contains(&limit) {
        return Err(DataError::bad(format!("limit is 1 to {MAX_LIST}")));
    }
    let keys = bound
        .store(move |database, _| {
            let mut statement = database.prepare_cached("SELECT key FROM entries WHERE key >= ?1 AND key > ?2 ORDER BY key")?;
            let mut rows = statement.query(params![prefix, cursor.unwrap_or_default()])?;
            let mut keys: Vec<String> = Vec::new();
            while let Some(row) = rows.next()? {
                let key: String = row.get(0)?;
                if !key.starts_with(&prefix) || keys.len() > limit {
                    break;
                }
                keys.push(key);
            }
            Ok(keys)
        })
        .await?;
    let has_more = keys.len() > limit;
    let keys: Vec<_> = keys.into_iter().take(limit).collect();
    let cursor = keys.last().filter(|_| has_more);
    Ok(Json(json!({ "keys": keys, "cursor": cursor })))
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Increment {
    by: i64,
}

/// `POST /v1/keys/{key}/increment`: adds to a whole number in decimal digits; a key that is not there counts as 0.
pub(crate) async fn increment(bound: Bound, Path((_, key)): Key, body: Bytes) -> Result<Json<Value>, DataError> {
    let by = if body.is_empty() { 1 } else { parsed::<Increment>(&body)?.by };
    let value = bound
        .store(move |database, plan| {
            let change = Change::begin(database, plan)?;
            let before = match read(&change.tx, &key)? {
                None => 0,
                Some((value, _)) => {
                    let number = std::str::from_utf8(&value).ok().and_then(|text| text.parse::<i64>().ok());
                    number.ok_or_else(|| DataError::bad("the value is no whole number of 64 bits"))?
                }
            };
            let after = before.checked_add(by).ok_or_else(|| DataError::bad("the sum is no whole number of 64 bits"))?;
            change.set(&key, after.to_string().as_bytes(), Condition::Any)?;
            change.end().map(|()| after)
        })
        .await?;
    Ok(Json(json!({ "value": value })))
}

/// Several operations at once, all or none; values in base64.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    #[serde(default)]
    get: Vec<String>,
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    delete: Vec<String>,
}

/// `POST /v1/batch`: deletes, then sets, then reads.
pub(super) async fn batch(bound: Bound, body: &Bytes) -> Result<Json<Value>, DataError> {
    let Batch { get, set, delete } = parsed(body)?;
    if get.len() + set.len() + delete.len() > MAX_BATCH {
        return Err(DataError::bad(format!("a batch names at most {MAX_BATCH} keys")));
    }
    let decode = |(key, value): (String, String)| {
        let value = BASE64_STANDARD.decode(value).map_err(|_| DataError::bad(format!("the value of \"{key}\" is no base64")))?;
        Ok((key, value))
    };
    let set = set.into_iter().map(decode).collect::<Result<Vec<_>, DataError>>()?;
    let values = bound
        .store(move |database, plan| {
            let change = Change::begin(database, plan)?;
            for key in &delete {
                change.delete(key, Condition::Any)?;
            }
            for (key, value) in &set {
                change.set(key, value, Condition::Any)?;
            }
            let (mut values, mut bytes) = (Map::new(), 0);
            for key in get {
                let value = read(&change.tx, &key)?.map(|(value, _)| value);
                bytes += value.as_ref().map_or(0, Vec::len);
                if bytes > MAX_READ_BYTES {
                    return Err(DataError::too_large(format!("a batch reads at most {MAX_READ_BYTES} bytes")));
                }
                values.insert(key, json!(value.map(|value| BASE64_STANDARD.encode(value))));
            }
            change.end().map(|()| values)
        })
        .await?;
    Ok(Json(json!({ "values": values })))
}
