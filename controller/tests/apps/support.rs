//! A controller of one test: its jobs and stagings run as they do in production.

use crate::simulated::{SimulatedLogs, SimulatedScheduler, SimulatedStager};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::{
    io::{Cursor, Write as _},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use tower::ServiceExt as _;
use virga_blobstore::Blobstore;
use virga_broker::{BrokerPolicy, Brokers, Polling};
use virga_contract::ApiError;
use virga_controller::{Bootstrap, Controller, ControllerConfig, ControllerLimits, Parts, bootstrap, jobs};
use virga_model::{Timestamp, UserGuid};
use virga_serve::{
    Clock, Endpoints, ServerLimits, Tasks,
    auth::{Claims, SigningKey, Standing, Verifier},
    axum::{
        Router,
        body::{Body, Bytes},
        http::{Method, Request, header},
    },
    server::{ApiContext, api},
};
use virga_store::testing::TestStore;
use zip::{ZipWriter, write::SimpleFileOptions};

pub const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "http://uaa.virga.localhost:8080/oauth/token";

pub struct Harness {
    pub controller: Controller,
    pub stager: Arc<SimulatedStager>,
    pub scheduler: Arc<SimulatedScheduler>,
    pub logs: Arc<SimulatedLogs>,
    pub space: String,
    pub organization: String,
    pub blobs: tempfile::TempDir,
    app: Router,
    tasks: Tasks,
    key: SigningKey,
    admin: UserGuid,
    database: TestStore,
}

pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub body: Value,
    pub bytes: Bytes,
}

impl Answer {
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }

    pub fn text(&self, pointer: &str) -> String {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {}", self.body)).to_owned()
    }

    pub fn guid(&self) -> String {
        self.text("/guid")
    }

    /// Details of every error.
    pub fn details(&self) -> Vec<String> {
        let errors = self.body["errors"].as_array().unwrap_or_else(|| panic!("errors in {}", self.body));
        errors.iter().map(|error| error["detail"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    pub fn refused(self, status: u16, detail: &str) {
        let answer = self.is(status);
        assert!(answer.details().iter().any(|text| text.contains(detail)), "{detail}: {:?}", answer.details());
    }
}

/// Each look at the clock is a microsecond later, so that the order of creation is one.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(NOW * 1_000_000 + self.0.fetch_add(1, Ordering::SeqCst)).unwrap()
    }
}

struct AlwaysStanding;

#[async_trait::async_trait]
impl Standing for AlwaysStanding {
    async fn stands(&self, _: &Claims) -> Result<bool, ApiError> {
        Ok(true)
    }
}

impl Harness {
    /// With a runner of jobs and stagings.
    pub async fn start() -> Self {
        let harness = Self::idle().await;
        harness.run_jobs();
        harness
    }

    /// Where nothing runs in the background.
    pub async fn idle() -> Self {
        let database = TestStore::sqlite().await;
        let blobs = tempfile::tempdir().unwrap();
        Self::over(database, blobs, UserGuid::random()).await
    }

    /// The same rows and blobs, with a process that starts anew.
    pub async fn restarted(self) -> Self {
        self.tasks.stop();
        self.tasks.run_until(futures::stream::empty(), Duration::ZERO).await;
        Self::over(self.database, self.blobs, self.admin).await
    }

    async fn over(database: TestStore, folder: tempfile::TempDir, admin: UserGuid) -> Self {
        let clock = Arc::new(Ticking(AtomicI64::new(0)));
        let blobs = Blobstore::in_folder(folder.path()).unwrap();
        let store = database.store.clone();
        let stager = Arc::new(SimulatedStager {
            blobs: blobs.clone(),
            requests: std::sync::Mutex::default(),
            forgotten: std::sync::Mutex::default(),
            may_stage: tokio::sync::Semaphore::new(1_000),
            staging: 0.into(),
        });
        let scheduler = Arc::new(SimulatedScheduler { store: store.clone(), nudges: 0.into() });
        let logs = SimulatedLogs::shared();
        let controller = Controller::new(Parts {
            store,
            blobs,
            stager: stager.clone(),
            scheduler: scheduler.clone(),
            logs: logs.clone(),
            log_cache: logs.clone(),
            brokers: Brokers::new(BrokerPolicy { allowed: vec!["127.0.0.1".parse().unwrap()], ..BrokerPolicy::default() }),
            polling: Polling { interval: Duration::ZERO, ..Polling::default() },
            clock: clock.clone(),
            config: ControllerConfig {
                system_domain: "virga.localhost".into(),
                apps_domain: "apps.virga.localhost".into(),
                internal_domain: "apps.internal".into(),
                external_names: vec![],
                own_services: false,
                limits: ControllerLimits { maximum_package_bytes: 4 << 20, ..ControllerLimits::default() },
            },
        });
        let wanted = Bootstrap { organization: "org".into(), space: "space".into(), admin, admin_name: "admin".into() };
        bootstrap(&controller, &wanted).await.unwrap();
        let key = SigningKey::generate("test").unwrap();
        let verifier = Verifier::new(ISSUER.into(), clock, Arc::new(AlwaysStanding));
        verifier.set_keys([key.public()]);
        let tasks = Tasks::new();
        let endpoints = Endpoints { domain: "virga.localhost".into(), scheme: "http".into(), port: 8080, names: vec![] };
        let context = ApiContext {
            tasks: tasks.clone(),
            limits: ServerLimits::default(),
            endpoints: Arc::new(endpoints),
            verifier: Arc::new(verifier),
        };
        let app = api(virga_controller::routes::router(controller.clone()), context);
        let mut harness = Self {
            controller,
            stager,
            scheduler,
            logs,
            space: String::new(),
            organization: String::new(),
            blobs: folder,
            app,
            tasks,
            key,
            admin,
            database,
        };
        harness.organization = harness.get("/v3/organizations").await.is(200).text("/resources/0/guid");
        harness.space = harness.get("/v3/spaces").await.is(200).text("/resources/0/guid");
        harness
    }

    pub fn run_jobs(&self) {
        self.tasks.spawn("jobs", jobs::run(self.controller.clone(), self.tasks.draining()));
    }

    pub fn token(&self, user: UserGuid, scopes: &[&str]) -> String {
        let scope: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let claims = Claims {
            jti: "jti".into(),
            sub: user.to_string(),
            authorities: None,
            scope,
            client_id: "cf".into(),
            cid: "cf".into(),
            azp: "cf".into(),
            grant_type: "password".into(),
            user_id: Some(user.to_string()),
            origin: Some("uaa".into()),
            user_name: Some("somebody".into()),
            email: Some("somebody".into()),
            auth_time: None,
            rev_sig: String::new(),
            iat: NOW,
            exp: NOW + 600,
            iss: ISSUER.into(),
            zid: "uaa".into(),
            aud: vec![],
        };
        self.key.sign(&claims).unwrap()
    }

    pub fn admin_token(&self) -> String {
        self.token(self.admin, &["cloud_controller.admin", "cloud_controller.read", "cloud_controller.write"])
    }

    /// The token of a new user with this role in the space (or none).
    pub async fn user(&self, role: Option<&str>) -> String {
        let user = UserGuid::random();
        self.post("/v3/users", json!({ "guid": user })).await.is(201);
        let give = async |kind: &str, place: &str, guid: &str| {
            let role = json!({
                "type": kind,
                "relationships": { "user": { "data": { "guid": user } }, place: { "data": { "guid": guid } } },
            });
            self.post("/v3/roles", role).await.is(201);
        };
        if let Some(role) = role {
            give("organization_user", "organization", &self.organization).await;
            give(role, "space", &self.space).await;
        }
        self.token(user, &["cloud_controller.read", "cloud_controller.write"])
    }

    pub async fn send(&self, token: &str, method: Method, path: &str, kind: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "api.virga.localhost:8080")
            .header(header::CONTENT_TYPE, kind)
            .header(header::AUTHORIZATION, format!("bearer {token}"))
            .body(body.into())
            .unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let location = response.headers().get(header::LOCATION).map(|location| location.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, location, body: serde_json::from_slice(&bytes).unwrap_or_default(), bytes }
    }

    pub async fn json(&self, method: Method, path: &str, body: Value) -> Answer {
        self.send(&self.admin_token(), method, path, "application/json", body.to_string()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(&self.admin_token(), Method::GET, path, "application/json", Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.json(Method::POST, path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.json(Method::PATCH, path, body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.json(Method::DELETE, path, Value::Null).await
    }

    pub async fn apply(&self, manifest: &str) -> Answer {
        let path = format!("/v3/spaces/{}/actions/apply_manifest", self.space);
        self.send(&self.admin_token(), Method::POST, &path, "application/x-yaml", manifest.to_owned()).await
    }

    /// As the CLI: polls the job of an answer to its end.
    pub async fn job(&self, answer: Answer) -> Value {
        let answer = answer.is(202);
        let location = answer.location.expect("a job");
        let path = location.strip_prefix("http://api.virga.localhost:8080").expect("a link to this API").to_owned();
        self.until(&path, |job| job["state"] == "COMPLETE" || job["state"] == "FAILED").await
    }

    /// Asks again until the answer is as wanted.
    pub async fn until(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.get(path).await;
            if done(&answer.body) {
                return answer.body;
            }
            assert!(Instant::now() < deadline, "{path} stays {}", answer.body);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn app(&self, name: &str) -> String {
        let space = json!({ "space": { "data": { "guid": self.space } } });
        self.post("/v3/apps", json!({ "name": name, "relationships": space })).await.is(201).guid()
    }

    pub async fn package(&self, app: &str) -> String {
        let app = json!({ "app": { "data": { "guid": app } } });
        self.post("/v3/packages", json!({ "type": "bits", "relationships": app })).await.is(201).guid()
    }

    pub async fn upload(&self, package: &str, resources: &Value, bits: Option<&[u8]>) -> Answer {
        let mut parts = vec![("resources", None, resources.to_string().into_bytes())];
        parts.extend(bits.map(|bits| ("bits", Some("package.zip"), bits.to_vec())));
        self.multipart(&format!("/v3/packages/{package}/upload"), &parts).await
    }

    pub async fn multipart(&self, path: &str, parts: &[(&str, Option<&str>, Vec<u8>)]) -> Answer {
        let mut body = Vec::new();
        for (name, file, content) in parts {
            let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
            write!(body, "--frontier\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").unwrap();
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--frontier--\r\n");
        self.send(&self.admin_token(), Method::POST, path, "multipart/form-data; boundary=frontier", body).await
    }

    pub async fn build(&self, package: &str) -> Value {
        let build = self.post("/v3/builds", json!({ "package": { "guid": package } })).await.is(201).guid();
        self.until(&format!("/v3/builds/{build}"), |build| build["state"] != "STAGING").await
    }

    /// From nothing to a staged droplet that is the app's current one.
    pub async fn staged(&self, app: &str, files: &[(&str, &[u8])]) -> String {
        let package = self.package(app).await;
        self.upload(&package, &json!([]), Some(&zip(files))).await.is(200);
        let build = self.build(&package).await;
        let droplet = build["droplet"]["guid"].as_str().expect("a droplet").to_owned();
        let current = json!({ "data": { "guid": droplet } });
        self.patch(&format!("/v3/apps/{app}/relationships/current_droplet"), current).await.is(200);
        droplet
    }
}

pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Waits for what happens in the background, at most 20 seconds.
pub async fn until(is_so: impl Fn() -> bool) {
    for _ in 0..4_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it does not come to be");
}

/// Files of a folder and below.
pub fn files(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder)
        .map_or(0, |entries| entries.flatten().map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum())
}
