//! SQL by HTTP: the same requests and answers as of `sqlite`, in PostgreSQL's dialect. The session is a tenant's own role; what it may do is PostgreSQL's to say,
//! and how long and how much, ours.

use super::values::{self, Shown};
use crate::{
    data::{Bound, parsed},
    error::DataError,
};
use bytes::Bytes;
use futures::{StreamExt as _, pin_mut};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::{Client, Transaction, error::SqlState};
use virga_serve::axum::{Json, http::StatusCode};

/// How long a query or a whole batch may take, seconds.
pub(super) const MAX_SECONDS: u64 = 5;
/// Statements of one batch.
const MAX_STATEMENTS: usize = 1000;
/// The longest statement, bytes.
const MAX_SQL_BYTES: usize = 100_000;
/// Rows of one answer.
const MAX_ROWS: usize = 10_000;
/// Bytes of one answer, about.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// One statement with its values, for `$1`, `$2`, ….
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    sql: String,
    #[serde(default)]
    params: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statements {
    statements: Vec<Query>,
}

/// `POST /v1/query`: one statement.
pub(crate) async fn query(bound: Bound, body: &Bytes) -> Result<Json<Value>, DataError> {
    let query: Query = parsed(body)?;
    let mut results = run(bound, vec![query]).await?;
    Ok(Json(results.pop().unwrap_or_default()))
}

/// `POST /v1/batch`: several statements in one transaction, all or none.
pub(crate) async fn batch(bound: Bound, body: &Bytes) -> Result<Json<Value>, DataError> {
    let Statements { statements } = parsed(body)?;
    if statements.len() > MAX_STATEMENTS {
        return Err(DataError::bad(format!("a batch has at most {MAX_STATEMENTS} statements")));
    }
    Ok(Json(json!({ "results": run(bound, statements).await? })))
}

async fn run(bound: Bound, queries: Vec<Query>) -> Result<Vec<Value>, DataError> {
    for query in &queries {
        if query.sql.len() > MAX_SQL_BYTES {
            return Err(DataError::too_large(format!("a statement has at most {MAX_SQL_BYTES} bytes")));
        }
        if is_of_transactions(&query.sql) {
            let message = "a transaction is one request: send its statements together to /v1/batch";
            return Err(DataError::new(StatusCode::FORBIDDEN, "not_allowed", message));
        }
    }
    let postgres = bound.services.servers.postgres()?;
    let work = async |mut client: Client| {
        let results = timeout(Duration::from_secs(MAX_SECONDS), in_transaction(&mut client, &queries)).await;
        let results = match results {
            Ok(results) => results,
            Err(_) => {
                // The server stops it on its own too; a tenant may have told it not to.
                if let Err(error) = client.cancel_token().cancel_query(postgres.server.tls()).await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "a late query cannot be stopped");
                }
                return (None, Err(too_slow()));
            }
        };
        // What a session was told holds for nobody else. One that has failed is not worth asking.
        let is_clean = results.is_ok() && matches!(timeout(Duration::from_secs(1), client.batch_execute("DISCARD ALL")).await, Ok(Ok(())));
        (is_clean.then_some(client), results)
    };
    postgres.in_session(bound.guid, work).await
}

async fn in_transaction(client: &mut Client, queries: &[Query]) -> Result<Vec<Value>, DataError> {
    let transaction = client.transaction().await.map_err(|error| refused(&error))?;
    let mut room = MAX_ANSWER_BYTES;
    let mut results = Vec::with_capacity(queries.len());
    for query in queries {
        results.push(execute(&transaction, query, &mut room).await?);
    }
    transaction.commit().await.map_err(|error| refused(&error))?;
    Ok(results)
}

async fn execute(transaction: &Transaction<'_>, query: &Query, room: &mut usize) -> Result<Value, DataError> {
    let statement = transaction.prepare(&query.sql).await.map_err(|error| refused(&error))?;
    let (wanted, given) = (statement.params().len(), query.params.len());
    if wanted != given {
        return Err(DataError::bad(format!("the statement takes {wanted} values, {given} are given")));
    }
    let params =
        query.params.iter().zip(statement.params()).map(|(value, kind)| values::given(value, kind)).collect::<Result<Vec<_>, _>>()?;
    let columns: Vec<&str> = statement.columns().iter().map(tokio_postgres::Column::name).collect();
    let rows = transaction.query_raw(&statement, params).await.map_err(|error| refused(&error))?;
    pin_mut!(rows);
    let mut found = Vec::new();
    while let Some(row) = rows.next().await {
        let row = row.map_err(|error| refused(&error))?;
        let bytes = row.raw_size_bytes();
        if found.len() == MAX_ROWS || bytes > *room {
            return Err(DataError::too_large(format!("an answer has at most {MAX_ROWS} rows and {MAX_ANSWER_BYTES} bytes; use LIMIT")));
        }
        *room -= bytes;
        let shown = (0..row.len()).map(|column| Ok(row.try_get::<_, Option<Shown>>(column)?.map_or(Value::Null, |shown| shown.0)));
        found.push(Value::Array(shown.collect::<Result<_, _>>().map_err(|error| refused(&error))?));
    }
    let affected = rows.rows_affected().filter(|_| columns.is_empty()).unwrap_or(0);
    Ok(json!({ "columns": columns, "rows": found, "rows_affected": affected }))
}

/// Whether the first word of a statement is one that begins or ends transactions.
fn is_of_transactions(sql: &str) -> bool {
    const WORDS: &[&str] = &["begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "prepare"];
    let mut rest = sql.trim_start_matches(|letter: char| letter.is_whitespace() || letter == ';');
    loop {
        let after = match (rest.strip_prefix("--"), rest.strip_prefix("/*")) {
            (Some(comment), _) => comment.split_once('\n').map(|(_, after)| after),
            (None, Some(comment)) => after_comment(comment),
            (None, None) => break,
        };
        rest = after.unwrap_or_default().trim_start_matches(|letter: char| letter.is_whitespace() || letter == ';');
    }
    let word = rest.split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// What follows a comment that has begun; PostgreSQL's may hold others.
fn after_comment(mut rest: &str) -> Option<&str> {
    let mut depth = 1;
    while depth > 0 {
        let (end, begin) = (rest.find("*/")?, rest.find("/*").unwrap_or(usize::MAX));
        depth = if begin < end { depth + 1 } else { depth - 1 };
        rest = rest.get(end.min(begin) + 2..)?;
    }
    Some(rest)
}

fn too_slow() -> DataError {
    let message = format!("the statements took more than {MAX_SECONDS} seconds and were taken back");
    DataError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message)
}

/// What PostgreSQL says to a tenant's statement is the tenant's to read.
fn refused(error: &tokio_postgres::Error) -> DataError {
    let Some(said) = error.as_db_error() else {
        // A value that cannot be shown, or a connection that is gone.
        let Some(cause) = std::error::Error::source(error).filter(|_| !error.is_closed()) else {
            return DataError::new(StatusCode::SERVICE_UNAVAILABLE, "server_unavailable", "the connection to PostgreSQL was lost");
        };
        return DataError::bad(format!("{error}: {cause}"));
    };
    let message = format!("{} (SQLSTATE {})", said.message(), said.code().code());
    let code = said.code();
    if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        let message = "the database is as large as its plan allows, or larger; a batch whose first statement is SET TRANSACTION READ WRITE may delete";
        return DataError::full(message);
    }
    if *code == SqlState::QUERY_CANCELED {
        return too_slow();
    }
    match code.code().get(..2) {
        Some("23") => DataError::new(StatusCode::CONFLICT, "constraint", message),
        Some("08" | "53" | "57" | "58" | "XX") => DataError::new(StatusCode::SERVICE_UNAVAILABLE, "server_unavailable", message),
        _ if *code == SqlState::INSUFFICIENT_PRIVILEGE => DataError::new(StatusCode::FORBIDDEN, "not_allowed", message),
        _ => DataError::bad(message),
    }
}

#[cfg(test)]
mod tests {
    use super::is_of_transactions;

    #[test]
    fn words_of_transactions_are_found_behind_whatever_may_stand_before_them() {
        for sql in ["COMMIT", " begin;", "/* a /* b */ */ rollback", "-- x\n;End", "Start transaction", "PREPARE TRANSACTION 'x'", "abort"]
        {
            assert!(is_of_transactions(sql), "{sql}");
        }
        for sql in ["SELECT 1", "/* commit */ SELECT 1", "SELECT 'commit'", "", "/* unfinished", "-- commit", "UPDATE begin SET a = 1"] {
            assert!(!is_of_transactions(sql), "{sql}");
        }
    }
}
