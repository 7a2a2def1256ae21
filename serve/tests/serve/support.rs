use std::{path::Path, sync::Arc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use virga_contract::ApiError;
use virga_model::Timestamp;
use virga_serve::{
    Endpoints, ServerLimits, Tasks,
    auth::{Claims, SigningKey, Standing, Verifier},
    axum::Router,
    clock::ManualClock,
    listener::connect_unix,
    server::{ApiContext, api},
};

pub const ISSUER: &str = "http://uaa.virga.localhost/oauth/token";

struct AlwaysStands;

#[async_trait::async_trait]
impl Standing for AlwaysStands {
    async fn stands(&self, _: &Claims) -> Result<bool, ApiError> {
        Ok(true)
    }
}

pub fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

pub fn verifier(keys: &[&SigningKey]) -> Arc<Verifier> {
    let verifier = Verifier::new(ISSUER.to_owned(), Arc::new(ManualClock::at(now())), Arc::new(AlwaysStands));
    verifier.set_keys(keys.iter().map(|key| key.public()));
    Arc::new(verifier)
}

pub fn app(tasks: &Tasks, routes: Router, keys: &[&SigningKey]) -> Router {
    let endpoints = Endpoints { domain: "virga.localhost".into(), scheme: "http".into(), port: 80, names: vec![] };
    let limits = ServerLimits { body_bytes: 64, ..ServerLimits::default() };
    api(routes, ApiContext { tasks: tasks.clone(), limits, endpoints: Arc::new(endpoints), verifier: verifier(keys) })
}

/// Sends `request` and reads until the server closes the connection.
pub async fn exchange(socket: &Path, request: &str) -> std::io::Result<String> {
    let mut stream = connect_unix(socket).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n")
}
