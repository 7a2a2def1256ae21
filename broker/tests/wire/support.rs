//! A broker that answers what a test wants, byte by byte, and keeps what it was asked.

use serde_json::Map;
use std::{collections::BTreeMap, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use virga_broker::{
    BindRequest, BindResource, BindingIds, BrokerClient, BrokerLogin, BrokerPolicy, Brokers, Context, DeprovisionRequest,
    LastOperationRequest, PlanIds, PreviousValues, ProvisionRequest, UnbindRequest, UpdateRequest,
};
use virga_model::{AppGuid, OrgGuid, ServiceCredentialBindingGuid, ServiceInstanceGuid, SpaceGuid, UserGuid};
use virga_serve::Secret;

/// What a hostile broker does after it has read a request.
#[derive(Debug, Clone)]
pub enum Then {
    /// Sends this and closes.
    Sends(Vec<u8>),
    /// Sends this and never anything more.
    Hangs(Vec<u8>),
    /// Sends one byte of a long answer again and again.
    Drips,
    /// Closes without a word.
    Closes,
    /// Sends a body without end.
    Floods,
}

pub fn answer(status: u16, body: &str) -> Then {
    Then::Sends(raw(status, "", body))
}

pub fn raw(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} Whatever\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// A broker that does the same after each request.
pub struct Broker {
    pub port: u16,
    pub asked: mpsc::UnboundedReceiver<Asked>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Broker {
    pub async fn that(then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, asked) = mpsc::unbounded_channel();
        #[expect(clippy::disallowed_methods, reason = "the broker owns its task")]
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                connections.spawn(serve(connection, then.clone(), sender.clone()));
            }
        });
        Self { port, asked, task }
    }

    pub fn client(&self, timeout: Duration) -> BrokerClient {
        let policy = BrokerPolicy {
            timeout,
            max_answer_bytes: 1 << 20,
            allowed: vec![format!("127.0.0.1:{}", self.port).parse().unwrap()],
            api_info_location: "api.example.com/".to_owned(),
            ..BrokerPolicy::default()
        };
        Brokers::new(policy).client(login(&format!("http://127.0.0.1:{}/base/", self.port)), Some(UserGuid::from_u128(7))).unwrap()
    }
}

pub fn login(url: &str) -> BrokerLogin {
    BrokerLogin {
        url: url.parse().unwrap(),
        username: "plat".to_owned(),
        password: Secret::new("s3cret".to_owned()),
        space_scoped: false,
        is_own: false,
    }
}

async fn serve(mut connection: TcpStream, then: Then, asked: mpsc::UnboundedSender<Asked>) {
    let Some(request) = read(&mut connection).await else { return };
    let _nobody_looks = asked.send(request);
    match then {
        Then::Closes => {}
        Then::Sends(bytes) => {
            let _gone = connection.write_all(&bytes).await;
            let _gone = connection.shutdown().await;
        }
        Then::Hangs(bytes) => {
            let _gone = connection.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Then::Drips => {
            let _gone = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await;
            while connection.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Then::Floods => {
            let _gone = connection.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            while connection.write_all(format!("1000\r\n{}\r\n", "x".repeat(0x1000)).as_bytes()).await.is_ok() {}
        }
    }
}

async fn read(connection: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: BTreeMap<_, _> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head + 4 + length {
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Asked { line, headers, body: String::from_utf8(bytes[head + 4..].to_vec()).unwrap() })
}

pub fn plan() -> PlanIds {
    PlanIds { service: "svc id".to_owned(), plan: "plan&id".to_owned() }
}

pub fn instance() -> ServiceInstanceGuid {
    ServiceInstanceGuid::from_u128(0x1111)
}

pub fn binding() -> BindingIds {
    BindingIds { instance: instance(), binding: ServiceCredentialBindingGuid::from_u128(0x2222) }
}

pub fn context() -> Context {
    Context {
        organization: OrgGuid::from_u128(1),
        organization_name: "acme".to_owned(),
        organization_annotations: [("acme.com/a".to_owned(), "b".to_owned())].into(),
        space: SpaceGuid::from_u128(2),
        space_name: "dev".to_owned(),
        space_annotations: BTreeMap::new(),
        instance_name: Some("db".to_owned()),
        instance_annotations: Some(BTreeMap::new()),
    }
}

pub fn provision() -> ProvisionRequest {
    ProvisionRequest {
        instance: instance(),
        plan: plan(),
        context: context(),
        parameters: Map::new(),
        maintenance_info: None,
        accepts_incomplete: true,
    }
}

pub fn update() -> UpdateRequest {
    UpdateRequest {
        instance: instance(),
        plan: plan(),
        context: context(),
        parameters: None,
        previous: PreviousValues::default(),
        maintenance_info: None,
        accepts_incomplete: true,
    }
}

pub fn deprovision() -> DeprovisionRequest {
    DeprovisionRequest { instance: instance(), plan: plan(), accepts_incomplete: true }
}

pub fn bind() -> BindRequest {
    BindRequest {
        ids: binding(),
        plan: plan(),
        context: context(),
        resource: BindResource::App { app: AppGuid::from_u128(3), space: SpaceGuid::from_u128(2), annotations: BTreeMap::new() },
        parameters: Map::new(),
        predecessor: None,
        requires: Vec::new(),
        accepts_incomplete: true,
    }
}

pub fn unbind() -> UnbindRequest {
    UnbindRequest { ids: binding(), plan: plan(), accepts_incomplete: true }
}

pub fn last_operation(of_binding: bool) -> LastOperationRequest {
    LastOperationRequest {
        instance: instance(),
        binding: of_binding.then(|| binding().binding),
        plan: plan(),
        operation: Some("task 1/&".to_owned()),
    }
}
