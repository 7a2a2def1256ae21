//! One request to a broker and its whole answer, within limits.

use crate::{
    address::BrokerUrl,
    error::{BrokerError, BrokerErrorKind},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, Method, StatusCode, header};
use ipnet::IpNet;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use url::Url;
use virga_model::UserGuid;
use virga_serve::{
    Secret,
    reach::{AddressRefused, AllowedAddress, CheckedResolver, Reach, Trust},
};

/// What the platform calls itself.
pub(crate) const PLATFORM: &str = "cloudfoundry";
/// The version of the protocol that is spoken.
const API_VERSION: &str = "2.17";
/// Clients of so many brokers are kept, with their connections; more than that begins anew.
const KEPT_CLIENTS: usize = 256;
/// Idle connections to one broker.
const IDLE_CONNECTIONS: usize = 8;

/// What holds for every broker.
#[derive(Debug, Clone)]
pub struct BrokerPolicy {
    /// From the first byte sent to the last one received.
    pub timeout: Duration,
    /// The longest answer, bytes.
    pub max_answer_bytes: usize,
    /// Addresses that brokers may be at although they are in reserved, private or the platform's networks.
    pub allowed: Vec<AllowedAddress>,
    /// The platform's own addresses, beside those that are never reachable.
    pub platform: Vec<IpNet>,
    /// Where the platform's own broker answers.
    pub own_socket: Option<PathBuf>,
    /// Where the platform describes itself, told to brokers: `api.example.com/`.
    pub api_info_location: String,
}

impl Default for BrokerPolicy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            max_answer_bytes: 10 << 20,
            allowed: Vec::new(),
            platform: Vec::new(),
            own_socket: None,
            api_info_location: String::new(),
        }
    }
}

/// How one broker is entered.
#[derive(Debug, Clone)]
pub struct BrokerLogin {
    /// Where it is.
    pub url: BrokerUrl,
    /// Name of the platform there.
    pub username: String,
    /// And its password.
    pub password: Secret<String>,
    /// Registered for one space by its developers: may not be in private networks, unless the operator allows the address.
    pub space_scoped: bool,
    /// The platform's own: its URL leads nowhere, it is behind [`BrokerPolicy::own_socket`].
    pub is_own: bool,
}

/// A broker's host and port, and how far it is trusted; the platform's own needs no trust: it is behind a socket.
type Place = (String, u16, Option<Trust>);

/// The HTTP clients of all brokers.
pub(crate) struct Pool {
    pub(crate) policy: BrokerPolicy,
    reach: Arc<Reach>,
    clients: Mutex<HashMap<Place, reqwest::Client>>,
}

impl Pool {
    pub(crate) fn new(policy: BrokerPolicy) -> Self {
        let reach = Reach { allowed: policy.allowed.clone(), platform: policy.platform.clone() };
        Self { policy, reach: Arc::new(reach), clients: Mutex::default() }
    }

    /// The client for a broker. One for each host and port, since the resolver that checks addresses has to know the port.
    pub(crate) fn client(&self, login: &BrokerLogin) -> Result<reqwest::Client, BrokerError> {
        let trust = match (login.is_own, login.space_scoped) {
            (true, _) => None,
            (false, true) => Some(Trust::Space),
            (false, false) => Some(Trust::Global),
        };
        let (port, refused) = (login.url.port(), || address_refused(&AddressRefused(login.url.host().to_owned())));
        if let (Some(trust), Some(address)) = (trust, login.url.literal())
            && !self.reach.permits(trust, address, port)
        {
            return Err(refused());
        }
        let key = (login.url.host().to_owned(), port, trust);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(self.policy.timeout)
            .pool_max_idle_per_host(IDLE_CONNECTIONS);
        let client = match trust {
            Some(trust) => client.dns_resolver(CheckedResolver { reach: Arc::clone(&self.reach), trust, port }),
            None => client.unix_socket(self.policy.own_socket.clone().ok_or_else(refused)?),
        };
        let client = client.build().map_err(|error| unreachable(&error))?;
        if clients.len() >= KEPT_CLIENTS {
            clients.clear();
        }
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// A broker's answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Body,
}

/// What came as a body.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// Not all of it: why.
    Cut(String),
}

/// Who asks, of whom.
pub(crate) struct Exchange {
    pub(crate) pool: Arc<Pool>,
    pub(crate) http: reqwest::Client,
    pub(crate) login: BrokerLogin,
    pub(crate) caller: Option<UserGuid>,
}

impl Exchange {
    /// Sends one request. What a broker does with it when no whole answer comes is not known, and said so in the error.
    pub(crate) async fn send(&self, method: Method, url: Url, body: Option<&Value>) -> Result<Answer, BrokerError> {
        let mut request = self
            .http
            .request(method.clone(), url)
            .basic_auth(&self.login.username, Some(self.login.password.expose()))
            .header("X-Broker-API-Version", API_VERSION)
            .header("X-Broker-API-Request-Identity", uuid::Uuid::new_v4().to_string())
            .header("X-Api-Info-Location", &self.pool.policy.api_info_location)
            .header(header::ACCEPT, "application/json");
        if let Some(caller) = self.caller {
            request = request.header("X-Broker-API-Originating-Identity", identity(caller));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let started = tokio::time::Instant::now();
        let response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let body = read(response, self.pool.policy.max_answer_bytes).await?;
        tracing::debug!(%method, broker = self.login.url.host(), %status, elapsed = ?started.elapsed(), "service broker answered");
        Ok(Answer { status, retry_after, body })
    }
}

/// `cloudfoundry` and who it is, as the protocol's profile for Cloud Foundry has it.
fn identity(caller: UserGuid) -> String {
    let who = json!({"user_id": caller.to_string()}).to_string();
    format!("{PLATFORM} {}", BASE64_STANDARD.encode(who))
}

async fn read(mut response: reqwest::Response, limit: usize) -> Result<Body, BrokerError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if body.len() + piece.len() > limit => return Ok(Body::Cut(format!("it is longer than {limit} bytes"))),
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => return Ok(Body::Whole(body)),
            Err(error) if error.is_timeout() => return Err(failed(&error)),
            Err(_) => return Ok(Body::Cut("the connection ended before its end".to_owned())),
        }
    }
}

/// Whole seconds; a date, or anything else, is as good as nothing.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn unreachable(error: &dyn std::error::Error) -> BrokerError {
    let mut unreachable = BrokerError::new(BrokerErrorKind::Unreachable, "The service broker could not be reached");
    unreachable.context = Some(chain(error));
    unreachable
}

fn address_refused(refused: &AddressRefused) -> BrokerError {
    let message = format!("The service broker could not be reached: {refused}. An operator can allow it in brokers.allowed_addresses.");
    BrokerError::new(BrokerErrorKind::AddressNotAllowed, message)
}

/// There is no answer.
fn failed(error: &reqwest::Error) -> BrokerError {
    let causes = || std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    if let Some(refused) = causes().find_map(|cause| cause.downcast_ref::<AddressRefused>()) {
        return address_refused(refused);
    }
    let kind = match () {
        () if error.is_timeout() => BrokerErrorKind::Timeout,
        () if error.is_connect() => BrokerErrorKind::Unreachable,
        () => BrokerErrorKind::BadResponse,
    };
    let message = match kind {
        BrokerErrorKind::Timeout => "The request to the service broker timed out",
        BrokerErrorKind::Unreachable => "The service broker could not be reached",
        _ => "The service broker returned an invalid response: it is not an HTTP answer, or the connection ended before it.",
    };
    // What was never sent leaves nothing behind.
    BrokerError { leaves_orphan: !error.is_connect(), context: Some(chain(error)), ..BrokerError::new(kind, message) }
}
