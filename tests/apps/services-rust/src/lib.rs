//! Uses three services of the platform by HTTP, with `wstd`. There is no credential in this app.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use wstd::http::{Body, Client, Method, Request, Response, StatusCode};

/// Where the first bound instance of an offering is.
fn url(offering: &str) -> anyhow::Result<String> {
    let services: Value = serde_json::from_str(&std::env::var("VCAP_SERVICES")?)?;
    let url = services[offering][0]["credentials"]["url"].as_str();
    Ok(url.with_context(|| format!("no {offering} is bound"))?.to_owned())
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

async fn query(sql: &str, params: Value) -> anyhow::Result<Value> {
    let body = json!({ "sql": sql, "params": params }).to_string();
    Ok(serde_json::from_str(&ask(Method::POST, url("sqlite")? + "/v1/query", body).await?)?)
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
            query("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)", json!([])).await?;
            let found = query("INSERT INTO notes (text) VALUES (?)", json!([body.str_contents().await?])).await?;
            Ok(found["last_insert_rowid"].to_string())
        }
        ("GET", "/notes", _) => {
            let found = query("SELECT text FROM notes ORDER BY id", json!([])).await?;
            let notes: Vec<_> = found["rows"].as_array().into_iter().flatten().map(|row| row[0].clone()).collect();
            Ok(Value::from(notes).to_string())
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
