//! Uses services of the platform by HTTP, with `wstd`. There is no credential in this app.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use wstd::http::{Body, Client, Method, Request, Response, StatusCode};

/// What the credentials of the first bound instance of an offering say.
fn credential(offering: &str, name: &str) -> anyhow::Result<String> {
    let services: Value = serde_json::from_str(&std::env::var("VCAP_SERVICES")?)?;
    let value = services[offering][0]["credentials"][name].as_str();
    Ok(value.with_context(|| format!("no {offering} is bound"))?.to_owned())
}

/// Where it is.
fn url(offering: &str) -> anyhow::Result<String> {
    credential(offering, "url")
}

async fn ask(method: Method, url: String, body: impl Into<Body>) -> anyhow::Result<String> {
    let answer = Client::new().send(Request::builder().method(method).uri(url).body(body.into())?).await?;
    let status = answer.status();
    let mut body = answer.into_body();
    let text = body.str_contents().await?.to_owned();
    if !status.is_success() {
        bail!("{status}: {text}");
    }
    Ok(text)
}

async fn query(offering: &str, sql: &str, params: Value) -> anyhow::Result<Value> {
    let body = json!({ "sql": sql, "params": params }).to_string();
    Ok(serde_json::from_str(&ask(Method::POST, url(offering)? + "/v1/query", body).await?)?)
}

/// The first column of a query's rows, as JSON.
async fn texts(offering: &str, sql: &str) -> anyhow::Result<String> {
    let found = query(offering, sql, json!([])).await?;
    let texts: Vec<_> = found["rows"].as_array().into_iter().flatten().map(|row| row[0].clone()).collect();
    Ok(Value::from(texts).to_string())
}

async fn answer(request: Request<Body>) -> anyhow::Result<String> {
    let (parts, mut body) = request.into_parts();
    let path = parts.uri.path();
    let key = |key: &str| Ok::<_, anyhow::Error>(format!("{}/v1/keys/{}", url("keyvalue")?, key.replace('/', "%2F")));
    match (parts.method.as_str(), path, path.strip_prefix("/keys/")) {
        ("GET", "/", _) => Ok("Hello from Rust, with services\n".to_owned()),
        ("POST", "/hits", _) => {
            let found: Value = serde_json::from_str(&ask(Method::POST, key("hits")? + "/increment", "").await?)?;
            Ok(found["value"].to_string())
        }
        ("PUT", _, Some(name)) => ask(Method::PUT, key(name)?, body.str_contents().await?.to_owned()).await,
        ("GET", _, Some(name)) => ask(Method::GET, key(name)?, "").await,
        ("POST", "/notes", _) => {
            query("sqlite", "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)", json!([])).await?;
            let found = query("sqlite", "INSERT INTO notes (text) VALUES (?)", json!([body.str_contents().await?])).await?;
            Ok(found["last_insert_rowid"].to_string())
        }
        ("GET", "/notes", _) => texts("sqlite", "SELECT text FROM notes ORDER BY id").await,
        ("POST", "/orders", _) => {
            let table = "CREATE TABLE IF NOT EXISTS orders (id SERIAL PRIMARY KEY, text TEXT NOT NULL)";
            query("postgres", table, json!([])).await?;
            let insert = "INSERT INTO orders (text) VALUES ($1) RETURNING id";
            let found = query("postgres", insert, json!([body.str_contents().await?])).await?;
            Ok(found["rows"][0][0].to_string())
        }
        ("GET", "/orders", _) => texts("postgres", "SELECT text FROM orders ORDER BY id").await,
        ("POST", "/visits", _) => {
            let body = json!({ "command": ["INCR", credential("redis", "prefix")? + "visits"] }).to_string();
            let found: Value = serde_json::from_str(&ask(Method::POST, url("redis")? + "/v1/command", body).await?)?;
            Ok(found["value"].to_string())
        }
        ("GET", "/motto", _) => ask(Method::GET, url("config")? + "/v1/values/motto", "").await,
        _ => bail!("no such path: {path}"),
    }
}

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, wstd::http::Error> {
    let (status, text) = match answer(request).await {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}\n")),
    };
    Ok(Response::builder().status(status).body(text.into())?)
}
