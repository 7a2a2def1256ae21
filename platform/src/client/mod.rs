//! The API client of the command line: session, tokens, errors, pages and jobs. `virga up --sample` uses the same one.

pub mod error;
pub mod log_cache;
mod resolver;
pub mod resources;
pub mod session;
mod uaa;

pub use error::ClientError;
pub use session::{Named, Session};

use error::ErrorItem;
use reqwest::{Method, RequestBuilder, Response};
use resources::{Job, Page};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

type Result<T> = std::result::Result<T, ClientError>;

/// How long one call may take to connect. Answers may take as long as they need: uploads and staging are slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Pauses before a reading call is tried again.
const RETRY_PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1_000)];
/// The pace of polling: quick at first, since much here takes milliseconds, then no faster than this.
const SLOWEST_POLL: Duration = Duration::from_millis(1_000);

/// A client of one API.
pub struct Client {
    http: reqwest::Client,
    session: Mutex<Session>,
    file: Option<PathBuf>,
    /// One refresh at a time: refresh tokens may be single use.
    refreshing: tokio::sync::Mutex<()>,
}

/// Grows from 10 ms to a second.
pub struct Poll(Duration);

impl Poll {
    /// The quick start.
    pub fn new() -> Self {
        Self(Duration::from_millis(10))
    }

    /// Waits once.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 4 / 3).min(SLOWEST_POLL);
    }
}

impl Client {
    /// A client for this session, kept in `file` when tokens or target change.
    pub fn new(session: Session, file: Option<PathBuf>) -> Result<Self> {
        let builder = reqwest::Client::builder();
        // A proxy for the outside world knows nothing of this machine.
        let builder = if is_local(&session.api) { builder.no_proxy() } else { builder };
        let http = builder
            .user_agent(concat!("virga/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(resolver::LocalhostResolver)
            .tls_danger_accept_invalid_certs(session.skip_ssl_validation)
            .build()?;
        Ok(Self { http, session: Mutex::new(session), file, refreshing: tokio::sync::Mutex::new(()) })
    }

    fn lock(&self) -> MutexGuard<'_, Session> {
        // A session is whole at every moment, also after a panic of its holder.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the session.
    pub fn session(&self) -> Session {
        self.lock().clone()
    }

    /// Changes the session and writes it to its file.
    pub fn update(&self, change: impl FnOnce(&mut Session)) -> anyhow::Result<()> {
        let session = {
            let mut session = self.lock();
            change(&mut session);
            session.clone()
        };
        match &self.file {
            Some(path) => session.save(path),
            None => Ok(()),
        }
    }

    /// Reads the links of the API at `url` and makes it the target.
    pub async fn discover(&self, url: &str) -> anyhow::Result<()> {
        let api = url.trim_end_matches('/').to_owned();
        let root: Value = decode(self.http.get(format!("{api}/")).send().await.map_err(ClientError::from)?).await?;
        let link =
            |name: &str| root.pointer(&format!("/links/{name}/href")).and_then(Value::as_str).map(|l| l.trim_end_matches('/').to_owned());
        let version = root.pointer("/links/cloud_controller_v3/meta/version").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (Some(login), Some(log_cache)) = (link("login"), link("log_cache")) else {
            anyhow::bail!("API endpoint not found at '{api}'");
        };
        self.update(|session| {
            *session = Session {
                api,
                login,
                log_cache,
                api_version: version,
                skip_ssl_validation: session.skip_ssl_validation,
                ..Session::default()
            };
        })
    }

    /// Sends an authorised request; a stale token is refreshed and the request repeated once.
    pub async fn send(&self, build: impl Fn(&reqwest::Client) -> RequestBuilder) -> Result<Response> {
        let token = self.token().await?;
        match checked(build(&self.http).bearer_auth(&token).send().await?).await {
            Err(error) if error.is_stale_token() => {
                let token = self.refresh(&token).await?;
                checked(build(&self.http).bearer_auth(&token).send().await?).await
            }
            result => result,
        }
    }

    /// Sends an authorised request and hands the answer on whatever it is.
    pub async fn send_raw(&self, build: impl FnOnce(&reqwest::Client) -> RequestBuilder) -> Result<Response> {
        let token = self.token().await?;
        Ok(build(&self.http).bearer_auth(&token).send().await?)
    }

    /// Absolute form of a path of the API; whole URLs stay as they are.
    pub fn url(&self, path: &str) -> Result<String> {
        if path.starts_with("http://") || path.starts_with("https://") {
            return Ok(path.to_owned());
        }
        match self.lock().api.as_str() {
            "" => Err(ClientError::NoApi),
            api => Ok(format!("{api}{path}")),
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let url = self.url(path)?;
        let once = || {
            self.send(|http| {
                let request = http.request(method.clone(), &url).header("Accept", "application/json");
                match body {
                    Some(body) => request.json(body),
                    None => request,
                }
            })
        };
        // As cf does: what only reads may be asked again when the connection broke or something on the way was away.
        let mut pauses = RETRY_PAUSES.iter();
        loop {
            match once().await {
                Err(error) if method.is_safe() && error.is_passing() => match pauses.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Err(error),
                },
                result => return result,
            }
        }
    }

    /// GET of one resource.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        decode(self.call(Method::GET, path, None).await?).await
    }

    /// GET of one resource that may not be there.
    pub async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        match self.get(path).await {
            Ok(resource) => Ok(Some(resource)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every resource of a list, page after page.
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>> {
        let mut resources = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let page: Page<T> = self.get(&path).await?;
            resources.extend(page.resources);
            next = page.pagination.next.map(|link| link.href);
        }
        Ok(resources)
    }

    /// POST that answers with a resource.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        decode(self.call(Method::POST, path, Some(body)).await?).await
    }

    /// POST of a form that can be sent only once, since its parts are streams.
    pub async fn post_form<T: DeserializeOwned>(&self, path: &str, form: reqwest::multipart::Form) -> Result<T> {
        let url = self.url(path)?;
        decode(self.send_raw(|http| http.post(url).multipart(form)).await?).await
    }

    /// PATCH that answers with a resource.
    pub async fn patch<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        decode(self.call(Method::PATCH, path, Some(body)).await?).await
    }

    /// POST whose answer does not matter.
    pub async fn act(&self, path: &str) -> Result<()> {
        self.call(Method::POST, path, None).await.map(drop)
    }

    /// DELETE, waiting for its job.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let response = self.call(Method::DELETE, path, None).await?;
        self.finish(response).await
    }

    /// Waits for the job an answer names in `Location`, if it names one.
    pub async fn finish(&self, response: Response) -> Result<()> {
        let Some(job) = response.headers().get("location").and_then(|v| v.to_str().ok()).map(str::to_owned) else {
            return Ok(());
        };
        let mut poll = Poll::new();
        loop {
            let job: Job = self.get(&job).await?;
            match job.state.as_str() {
                "COMPLETE" => return Ok(()),
                "FAILED" => return Err(ClientError::Job(job.errors)),
                _ => poll.wait().await,
            }
        }
    }
}

/// The answer itself when it is a success, the error it carries otherwise.
async fn checked(response: Response) -> Result<Response> {
    #[derive(serde::Deserialize)]
    struct Envelope {
        errors: Vec<ErrorItem>,
    }
    #[derive(serde::Deserialize)]
    struct UaaEnvelope {
        error: String,
        #[serde(default)]
        error_description: String,
    }
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let url = response.url().to_string();
    let body = response.bytes().await?;
    if let Ok(Envelope { errors }) = serde_json::from_slice(&body) {
        return Err(ClientError::Api { status, errors });
    }
    if let Ok(UaaEnvelope { error, error_description }) = serde_json::from_slice(&body) {
        return Err(ClientError::Uaa { status, error, description: error_description });
    }
    let body = String::from_utf8_lossy(&body).chars().take(1_000).collect();
    Err(ClientError::Unexpected { url, status, body })
}

async fn decode<T: DeserializeOwned>(response: Response) -> Result<T> {
    let response = checked(response).await?;
    let (status, url) = (response.status(), response.url().to_string());
    let body = response.bytes().await?;
    serde_json::from_slice(&body).map_err(|error| {
        let text: String = String::from_utf8_lossy(&body).chars().take(1_000).collect();
        ClientError::Unexpected { url, status, body: format!("{error}: {text}") }
    })
}

/// Whether a URL names this machine.
fn is_local(api: &str) -> bool {
    let Ok(url) = url::Url::parse(api) else { return false };
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// One component of a path or one value of a query, percent-encoded as the API reads them: commas separate values, so
/// a comma inside a value is encoded twice.
pub fn encode(value: &str) -> String {
    let commas = value.replace('%', "%25").replace(',', "%2C");
    url::form_urlencoded::byte_serialize(commas.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_inside_a_value_are_encoded_twice() {
        assert_eq!(encode("a,b c"), "a%252Cb+c");
    }

    #[test]
    fn this_machine_is_reached_without_a_proxy() {
        assert!(is_local("http://127.0.0.1:8080") && is_local("http://api.virga.localhost:8080") && is_local("http://[::1]:1"));
        assert!(!is_local("https://api.example.com") && !is_local(""));
    }
}
