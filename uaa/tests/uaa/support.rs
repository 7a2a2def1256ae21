use argon2::{Argon2, PasswordHash, PasswordHasher as _};
use http_body_util::BodyExt as _;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tower::ServiceExt as _;
use virga_model::Timestamp;
use virga_serve::{
    Clock as _, Endpoints, Secret, ServerLimits, Tasks,
    axum::{
        Router,
        body::Body,
        http::{HeaderMap, Method, Request},
    },
    clock::ManualClock,
    server::{ApiContext, api},
};
use virga_store::{
    Store,
    testing::TestStore,
    uaa::clients::{self, UaaClientRow},
};
use virga_uaa::{Uaa, UaaSettings, bootstrap, router};

pub const ADMIN_PASSWORD: &str = "admin's own";

/// A UAA of one test.
pub struct Harness {
    pub clock: Arc<ManualClock>,
    pub uaa: Arc<Uaa>,
    app: Router,
    database: TestStore,
}

pub struct Answer {
    pub status: u16,
    pub body: Value,
    /// What is no JSON.
    pub html: String,
    pub location: Option<String>,
    pub etag: Option<String>,
    pub headers: HeaderMap,
}

impl Answer {
    pub fn text(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_else(|| panic!("{member} in {}", self.body)).to_owned()
    }

    pub fn is(&self, status: u16, error: &str) {
        assert_eq!((self.status, self.body["error"].as_str()), (status, Some(error)), "{}", self.body);
    }
}

impl Harness {
    pub async fn start() -> Self {
        Self::with(UaaSettings::default()).await
    }

    pub async fn with(settings: UaaSettings) -> Self {
        Self::on(TestStore::sqlite().await, settings).await
    }

    /// On this database, which is taken away by [`Harness::close`].
    pub async fn on(database: TestStore, settings: UaaSettings) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_800_000_000).unwrap()));
        bootstrap(&database.store, &settings, clock.now(), Some(Secret::new(ADMIN_PASSWORD.to_owned()))).await.unwrap();
        let (app, uaa) = open(&database.store, &clock, settings).await;
        Self { clock, uaa, app, database }
    }

    /// Takes the database away.
    pub async fn close(self) {
        self.database.close().await;
    }

    pub fn store(&self) -> &Store {
        &self.database.store
    }

    /// Another process on the same database.
    pub async fn second_process(&self) -> Self {
        let store = Store::connect(&self.database.url).await.unwrap();
        let (app, uaa) = open(&store, &self.clock, UaaSettings::default()).await;
        Self { clock: self.clock.clone(), uaa, app, database: TestStore::sqlite().await }
    }

    /// The same database, opened by a process that starts anew.
    pub async fn restart(self) -> Self {
        let (app, uaa) = open(&self.database.store, &self.clock, UaaSettings::default()).await;
        Self { app, uaa, ..self }
    }

    pub fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let (location, etag) = (header("location"), header("etag"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let html = String::from_utf8_lossy(&body).into_owned();
        Answer { status, body: serde_json::from_slice(&body).unwrap_or_default(), html, location, etag, headers }
    }

    /// A form, with `Authorization: Basic` where a client is given.
    pub async fn form(&self, path: &str, client: Option<&str>, fields: &[(&str, &str)]) -> Answer {
        use base64::Engine as _;
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        if let Some(client) = client {
            request = request.header("authorization", format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(client)));
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// A login as the `cf` CLI does it.
    pub async fn log_in(&self, username: &str, password: &str) -> Answer {
        let fields = [("grant_type", "password"), ("username", username), ("password", password)];
        self.form("/oauth/token", Some("cf:"), &fields).await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.form("/oauth/token", Some("cf:"), &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    pub async fn admin(&self) -> String {
        self.log_in("admin", ADMIN_PASSWORD).await.text("access_token")
    }

    pub async fn call(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("bearer {token}"));
        }
        self.send(request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap()).await
    }

    /// A change with `If-Match`, where a version is given.
    pub async fn call_if(&self, method: Method, path: &str, token: &str, version: Option<&str>, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("authorization", format!("bearer {token}"));
        if let Some(version) = version {
            request = request.header("if-match", version);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// A token of a client of its own with these authorities.
    pub async fn client_token(&self, client_id: &str, authorities: &[&str]) -> String {
        let hash: PasswordHash = Argon2::default().hash_password(b"s").unwrap();
        self.create_client(client_id, &hash.to_string(), authorities).await;
        let client = format!("{client_id}:s");
        self.form("/oauth/token", Some(&client), &[("grant_type", "client_credentials")]).await.text("access_token")
    }

    /// A client with the secret `s`, made by an administrator.
    pub async fn create_secret_client(&self, client_id: &str, body: &Value) {
        let mut body = body.clone();
        body["client_id"] = client_id.into();
        body["client_secret"] = "s".into();
        let token = self.client_token("op", &["clients.admin"]).await;
        let made = self.call(Method::POST, "/oauth/clients", Some(&token), Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.body);
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, Some(token), None).await
    }

    /// A new user; gives its id.
    pub async fn create_user(&self, username: &str, password: &str) -> String {
        let body = serde_json::json!({
            "userName": username, "password": password, "origin": "",
            "name": {"familyName": username, "givenName": username}, "emails": [{"value": username, "primary": true}],
        });
        let answer = self.call(Method::POST, "/Users", Some(&self.admin().await), Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.text("id")
    }

    /// A client with a secret (its hash given) that gets tokens of its own.
    pub async fn create_client(&self, client_id: &str, secret_hash: &str, authorities: &[&str]) {
        let client = UaaClientRow {
            secret_hash: Some(secret_hash.to_owned()),
            grant_types: vec!["client_credentials".to_owned()],
            scopes: vec!["uaa.none".to_owned()],
            authorities: authorities.iter().map(|authority| (*authority).to_owned()).collect(),
            access_token_seconds: 600,
            refresh_token_seconds: 600,
            ..UaaClientRow::new(client_id, self.clock.now())
        };
        let mut transaction = self.store().begin().await.unwrap();
        clients::upsert(&mut transaction, &client).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

async fn open(store: &Store, clock: &Arc<ManualClock>, settings: UaaSettings) -> (Router, Arc<Uaa>) {
    let endpoints = Endpoints { domain: "virga.localhost".into(), scheme: "http".into(), port: 8080, names: vec![] };
    let uaa = Uaa::open(store.clone(), settings, endpoints.issuer(), clock.clone()).await.unwrap();
    let context =
        ApiContext { tasks: Tasks::new(), limits: ServerLimits::default(), endpoints: Arc::new(endpoints), verifier: uaa.verifier() };
    (api(router(&uaa), context), uaa)
}
