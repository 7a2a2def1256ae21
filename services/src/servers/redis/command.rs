//! Commands by HTTP, by a user of the instance whose password nobody but this process has. What it may do is the access list's to say.

use super::{
    Redis, digest_of, is_bound, prefix_of,
    server::{Connection, MAX_ANSWER_BYTES, MAX_SECONDS, User},
};
use crate::{
    catalog::Kind,
    data::{Bound, parsed},
    error::DataError,
    registry::Registry,
    servers::{host_login_of, new_password},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use redis::{Cmd, Pipeline, RedisError, Value as Answer};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_model::ServiceInstanceGuid;
use virga_serve::axum::{Json, http::StatusCode};

/// Commands of one batch.
const MAX_COMMANDS: usize = 1000;
/// What the access list forbids nobody, though it is about the connection, and what begins and ends batches.
const OURS: &[&str] = &["auth", "hello", "quit", "reset", "multi", "exec", "discard", "watch", "unwatch"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    command: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Several {
    commands: Vec<Vec<Value>>,
}

/// `POST /v1/command`: one command, as a list of its words.
pub(crate) async fn command(bound: Bound, body: Bytes) -> Result<Json<Value>, DataError> {
    let bound = bound.of(Kind::Redis)?;
    let One { command } = parsed(&body)?;
    let command = read(&command)?;
    let answer = run(&bound, async |connection| connection.send::<Answer>(&command).await).await?;
    Ok(Json(json!({ "value": shown(answer)? })))
}

/// `POST /v1/batch`: several commands, with nobody else's between them, or none.
pub(crate) async fn batch(bound: Bound, body: &Bytes) -> Result<Json<Value>, DataError> {
    let Several { commands } = parsed(body)?;
    if commands.len() > MAX_COMMANDS {
        return Err(DataError::bad(format!("a batch has at most {MAX_COMMANDS} commands")));
    }
    let mut together = Pipeline::with_capacity(commands.len());
    together.atomic();
    for command in &commands {
        together.add_command(read(command)?);
    }
    if commands.is_empty() {
        return Ok(Json(json!({ "values": [] })));
    }
    let answers = run(&bound, async |connection| connection.send_all::<Vec<Answer>>(&together).await).await?;
    Ok(Json(json!({ "values": answers.into_iter().map(shown).collect::<Result<Vec<_>, _>>()? })))
}

/// A command of a guest: texts, numbers, and bytes as `{"$base64": "…"}`.
fn read(words: &[Value]) -> Result<Cmd, DataError> {
    let name = words.first().and_then(Value::as_str).ok_or_else(|| DataError::bad("a command is a list whose first word is its name"))?;
    if OURS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        let message =
            format!("{} is the platform's: requests are nobody's connection, and a batch is one request to /v1/batch", name.to_uppercase());
        return Err(DataError::new(StatusCode::FORBIDDEN, "not_allowed", message));
    }
    let mut command = Cmd::new();
    for word in words {
        match word {
            Value::String(text) => command.arg(text),
            Value::Number(number) => command.arg(number.to_string()),
            Value::Object(object) if object.len() == 1 => {
                let bytes = object.get("$base64").and_then(Value::as_str).and_then(|text| BASE64_STANDARD.decode(text).ok());
                command.arg(bytes.ok_or_else(unknown_word)?)
            }
            _ => return Err(unknown_word()),
        };
    }
    Ok(command)
}

fn unknown_word() -> DataError {
    DataError::bad("words of a command are texts, numbers and {\"$base64\": \"…\"}")
}

async fn run<T>(bound: &Bound, work: impl AsyncFnOnce(&mut Connection) -> Result<T, RedisError>) -> Result<T, DataError> {
    let redis = bound.services.servers.redis()?;
    let session = redis.session(bound.guid);
    let mut session = session.lock().await;
    let mut connection = match session.connection.take().filter(Connection::is_open) {
        Some(connection) => connection,
        None => redis.enter(&bound.services.registry, bound.guid, &mut session.password).await?,
    };
    let answer = work(&mut connection).await;
    match answer {
        Ok(answer) => {
            session.connection = Some(connection);
            Ok(answer)
        }
        Err(error) => {
            let refused = redis.refused(bound.guid, &connection, &error);
            // One that a part of an answer may still come on is of no use to anybody.
            if error.code().is_some() {
                session.connection = Some(connection);
            }
            Err(refused)
        }
    }
}

impl Redis {
    /// A connection as the instance's own user, which is made where this process has not, or Redis has forgotten it.
    async fn enter(&self, registry: &Registry, guid: ServiceInstanceGuid, password: &mut Option<String>) -> Result<Connection, DataError> {
        let name = host_login_of(guid);
        if let Some(known) = &*password
            && let Ok(connection) = self.server.connect(Some(User { name: &name, password: known })).await
        {
            return Ok(connection);
        }
        let _users = self.users.lock().await;
        if !is_bound(registry, guid) {
            return Err(DataError::unbound());
        }
        let new = new_password();
        self.set_user(guid, &name, &digest_of(&new)).await?;
        let new = password.insert(new);
        self.server.connect(Some(User { name: &name, password: new })).await
    }

    /// What Redis says to a tenant's command is the tenant's to read.
    fn refused(&self, guid: ServiceInstanceGuid, connection: &Connection, error: &RedisError) -> DataError {
        if connection.is_spent() {
            return DataError::too_large(format!("an answer has at most {MAX_ANSWER_BYTES} bytes"));
        }
        if error.is_timeout() {
            let message = format!("the command took more than {MAX_SECONDS} seconds");
            return DataError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message);
        }
        let message = error.to_string();
        match error.code() {
            Some("NOPERM" | "EXECABORT") if self.full().contains(&guid) => {
                DataError::full("the instance holds as much as its plan allows, or more; what deletes is all that may be written")
            }
            Some("NOPERM") => {
                let message = format!("{message}; keys and channels begin with {}", prefix_of(guid));
                DataError::new(StatusCode::FORBIDDEN, "not_allowed", message)
            }
            Some("OOM" | "MISCONF" | "LOADING" | "BUSY" | "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "NOAUTH" | "WRONGPASS") | None => {
                tracing::warn!(error = error as &dyn std::error::Error, "the operator's Redis does not do what tenants ask");
                DataError::new(StatusCode::SERVICE_UNAVAILABLE, "server_unavailable", message)
            }
            Some(_) => DataError::bad(message),
        }
    }
}

/// An answer as guests read it; bytes that are no text are `{"$base64": "…"}`.
fn shown(answer: Answer) -> Result<Value, DataError> {
    let all = |answers: Vec<Answer>| answers.into_iter().map(shown).collect::<Result<Value, _>>();
    Ok(match answer {
        Answer::Nil => Value::Null,
        Answer::Int(number) => json!(number),
        Answer::BulkString(bytes) => match String::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(error) => json!({ "$base64": BASE64_STANDARD.encode(error.as_bytes()) }),
        },
        Answer::Array(answers) | Answer::Set(answers) => all(answers)?,
        Answer::SimpleString(text) | Answer::VerbatimString { text, .. } => json!(text),
        Answer::Okay => json!("OK"),
        Answer::Double(number) => json!(number),
        Answer::Boolean(flag) => json!(flag),
        Answer::ServerError(error) => return Err(DataError::bad(error.to_string())),
        // Of a newer protocol than is spoken.
        _ => return Err(DataError::bad("the answer is of a kind that is not shown")),
    })
}
