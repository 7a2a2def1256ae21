//! A service broker over a real socket that does what a test tells it.

use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, task::JoinSet};
use virga_serve::axum::{
    self, Json, Router,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};

/// What the broker asks for.
pub(crate) const USER: &str = "platform";
/// What the broker asks for.
pub(crate) const PASSWORD: &str = "hunter2";

/// What the broker answers.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// This status and body.
    Is(u16, Value),
    /// Status 200 and a text that is no JSON.
    Junk,
    /// Never anything.
    Hangs,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method and path, without the query.
    pub what: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Value,
}

#[derive(Debug, Default)]
struct Script {
    asked: Vec<Asked>,
    replies: HashMap<&'static str, Vec<Reply>>,
}

/// The broker; it ends with this value.
pub(crate) struct Broker {
    /// Where it is.
    pub url: String,
    script: Arc<Mutex<Script>>,
    _server: JoinSet<()>,
}

impl Broker {
    /// A broker on a free port whose catalog is this one.
    pub async fn start(catalog: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::default()));
        let router = Router::new().fallback(answer).with_state(script.clone());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let broker = Self { url, script, _server: server };
        broker.always("catalog", Reply::Is(200, catalog));
        broker
    }

    /// From now on answers to `catalog`, `provision`, `update`, `deprovision`, `fetch`, `bind`, `unbind`, `fetch_binding`,
    /// `last_operation` are these, the last of them for ever.
    pub fn answers(&self, operation: &'static str, mut replies: Vec<Reply>) {
        replies.reverse();
        self.script.lock().unwrap().replies.insert(operation, replies);
    }

    /// One answer for ever.
    pub fn always(&self, operation: &'static str, reply: Reply) {
        self.answers(operation, vec![reply]);
    }

    /// Every request that came, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.script.lock().unwrap().asked.clone()
    }

    /// What was asked, as methods and paths.
    pub fn said(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.what).collect()
    }

    /// The body that registers it.
    pub fn registration(&self, name: &str) -> Value {
        let credentials = json!({ "username": USER, "password": PASSWORD });
        json!({ "name": name, "url": self.url, "authentication": { "type": "basic", "credentials": credentials } })
    }
}

fn operation(method: &str, path: &str) -> &'static str {
    let is_binding = path.contains("/service_bindings/");
    match (method, path) {
        (_, "/v2/catalog") => "catalog",
        (_, path) if path.ends_with("/last_operation") => "last_operation",
        ("PUT", _) if is_binding => "bind",
        ("PUT", _) => "provision",
        ("PATCH", _) => "update",
        ("DELETE", _) if is_binding => "unbind",
        ("DELETE", _) => "deprovision",
        _ if is_binding => "fetch_binding",
        _ => "fetch",
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let operation = operation(parts.method.as_str(), parts.uri.path());
    let reply = {
        let mut script = script.lock().unwrap();
        script.asked.push(Asked { what: format!("{} {}", parts.method, parts.uri.path()), headers: parts.headers.clone(), body });
        let replies = script.replies.entry(operation).or_insert_with(|| vec![Reply::Is(200, json!({}))]);
        if replies.len() > 1 { replies.pop().unwrap() } else { replies[0].clone() }
    };
    let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    if parts.headers.get(header::AUTHORIZATION).is_none_or(|sent| sent.as_bytes() != expected.as_bytes()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match reply {
        Reply::Is(status, body) => (StatusCode::from_u16(status).unwrap(), Json(body)).into_response(),
        Reply::Junk => "<html>".into_response(),
        Reply::Hangs => std::future::pending().await,
    }
}
