//! The services on a real socket, asked by the platform's own client of brokers and as workers ask.

#![allow(dead_code, reason = "not every test uses all of it")]

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use std::{path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::{net::UnixListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use virga_broker::{
    BindRequest, BindResource, BindingIds, BrokerClient, BrokerLogin, BrokerPolicy, Brokers, Context, PlanIds, PreviousValues,
    ProvisionRequest, UpdateRequest,
};
use virga_model::{AppGuid, OrgGuid, ServiceCredentialBindingGuid, ServiceInstanceGuid, SpaceGuid};
use virga_serve::Secret;
use virga_services::ServersConfig;

pub struct Services {
    pub folder: TempDir,
    servers: ServersConfig,
    stop: CancellationToken,
    task: JoinHandle<()>,
    pub http: reqwest::Client,
}

impl Services {
    pub fn start() -> Self {
        Self::start_with(ServersConfig::default())
    }

    pub fn start_with(servers: ServersConfig) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), servers)
    }

    fn start_in(folder: TempDir, servers: ServersConfig) -> Self {
        let socket = folder.path().join("socket");
        std::fs::remove_file(&socket).ok();
        let listener = UnixListener::bind(&socket).unwrap();
        let (stop, data) = (CancellationToken::new(), folder.path().join("data"));
        let (stopping, known) = (stop.clone(), servers.clone());
        #[expect(clippy::disallowed_methods, reason = "the test owns the task")]
        let task = tokio::spawn(async move { virga_services::serve(listener, &data, known, stopping).await.unwrap() });
        let http = reqwest::Client::builder().unix_socket(socket).build().unwrap();
        Self { folder, servers, stop, task, http }
    }

    pub async fn restart(self) -> Self {
        let Self { folder, servers, stop, task, http } = self;
        drop(http);
        stop.cancel();
        task.await.unwrap();
        Self::start_in(folder, servers)
    }

    pub fn broker(&self) -> BrokerClient {
        let policy = BrokerPolicy {
            timeout: Duration::from_secs(10),
            own_socket: Some(self.folder.path().join("socket")),
            ..BrokerPolicy::default()
        };
        let login = BrokerLogin {
            url: "http://services.internal".parse().unwrap(),
            username: String::new(),
            password: Secret::new(String::new()),
            space_scoped: false,
            is_own: true,
        };
        Brokers::new(policy).client(login, None).unwrap()
    }

    pub async fn plan(&self, offering: &str, plan: &str) -> PlanIds {
        let catalog = self.broker().catalog().await.unwrap();
        let service = catalog.services.into_iter().find(|service| service.name == offering).unwrap();
        let plan = service.plans.into_iter().find(|known| known.name == plan).unwrap();
        PlanIds { service: service.id, plan: plan.id }
    }

    /// A new instance with a binding.
    pub async fn bound(&self, offering: &str, parameters: Value) -> BindingIds {
        let ids = BindingIds { instance: ServiceInstanceGuid::random(), binding: ServiceCredentialBindingGuid::random() };
        let plan = self.plan(offering, "small").await;
        self.broker().provision(&provision(ids.instance, plan.clone(), parameters)).await.unwrap();
        let bound = self.broker().bind(&bind(ids, plan)).await.unwrap();
        let credentials = json!(bound.binding.credentials);
        assert_eq!(credentials, json!({ "url": format!("http://{}.services.internal", ids.binding) }));
        ids
    }

    pub async fn ask(&self, ids: BindingIds, method: Method, path: &str, body: impl Into<reqwest::Body>) -> (StatusCode, String) {
        let request = self.http.request(method, format!("http://x/data/{}{path}", ids.instance));
        let answer = request.header("virga-binding", ids.binding.to_string()).body(body).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    pub async fn json(&self, ids: BindingIds, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let (status, text) = self.ask(ids, method, path, body.to_string()).await;
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
    }

    pub async fn query(&self, ids: BindingIds, sql: &str) -> (StatusCode, Value) {
        self.json(ids, Method::POST, "/v1/query", json!({ "sql": sql })).await
    }

    pub fn data_of(&self, ids: BindingIds) -> PathBuf {
        self.folder.path().join("data").join(ids.instance.to_string())
    }
}

pub fn context() -> Context {
    Context {
        organization: OrgGuid::from_u128(1),
        organization_name: "org".into(),
        organization_annotations: [].into(),
        space: SpaceGuid::from_u128(2),
        space_name: "space".into(),
        space_annotations: [].into(),
        instance_name: Some("it".into()),
        instance_annotations: None,
    }
}

pub fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("{value}") };
    object
}

pub fn provision(instance: ServiceInstanceGuid, plan: PlanIds, parameters: Value) -> ProvisionRequest {
    ProvisionRequest {
        instance,
        plan,
        context: context(),
        parameters: object(parameters),
        maintenance_info: None,
        accepts_incomplete: true,
    }
}

pub fn bind(ids: BindingIds, plan: PlanIds) -> BindRequest {
    BindRequest {
        ids,
        plan,
        context: context(),
        resource: BindResource::App { app: AppGuid::from_u128(3), space: SpaceGuid::from_u128(2), annotations: [].into() },
        parameters: Map::new(),
        predecessor: None,
        requires: Vec::new(),
        accepts_incomplete: true,
    }
}

pub fn update(instance: ServiceInstanceGuid, plan: PlanIds, parameters: Option<Value>) -> UpdateRequest {
    UpdateRequest {
        instance,
        plan,
        context: context(),
        parameters: parameters.map(object),
        previous: PreviousValues::default(),
        maintenance_info: None,
        accepts_incomplete: true,
    }
}
