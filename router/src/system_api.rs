//! Requests for the platform's own API, carried on to the control process over its Unix socket. When it is away they
//! get a Cloud Foundry error that says so; apps are not concerned.

use crate::{executor::Tracked, failure::Failure, headers::hops, routes::host};
use http::{Request, Response, Uri, Version, uri::PathAndQuery};
use http_body_util::BodyExt as _;
use hyper_util::{client::legacy::Client, rt::TokioIo};
use std::{
    collections::HashSet,
    io,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::net::UnixStream;
use tokio_util::task::TaskTracker;
use virga_contract::Body;

/// See the module.
pub(crate) struct SystemApi {
    client: Client<Connector, Body>,
    hosts: HashSet<String>,
    bare_hosts: HashSet<String>,
}

impl SystemApi {
    pub(crate) fn new(socket: PathBuf, hosts: &[String], bare_hosts: &[String]) -> Self {
        let client = Client::builder(Tracked(TaskTracker::new()))
            // Each request has a connection of its own: an API that answers before it has read a body closes the connection
            // behind that answer, and whoever found it kept here would lose a request that must not be sent twice.
            .pool_max_idle_per_host(0)
            .set_host(false)
            .build(Connector(socket.into()));
        Self {
            client,
            hosts: hosts.iter().map(|name| host::normalise(name).into_owned()).collect(),
            bare_hosts: bare_hosts.iter().map(|name| name.to_ascii_lowercase()).collect(),
        }
    }

    /// Whether a normalised host is one of the API's.
    pub(crate) fn is_system_host(&self, host: &str) -> bool {
        self.hosts.contains(host)
    }

    /// Whether a host is the platform's bare address: known as such, or no name at all. `authority` is the host as
    /// the client wrote it, with its port.
    pub(crate) fn is_bare(&self, host: &str, authority: &str) -> bool {
        host::is_bare(host) || self.bare_hosts.contains(&*host::lower(authority)) || self.bare_hosts.contains(host)
    }

    /// Carries a request on. Both bodies stream.
    pub(crate) async fn forward(&self, mut request: Request<Body>) -> Result<Response<Body>, Failure> {
        let target = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        if !target.as_str().starts_with('/') {
            return Err(Failure::BadRequest("not a path of the API"));
        }
        let uri = Uri::builder().scheme("http").authority("api.internal").path_and_query(target).build();
        *request.uri_mut() = uri.map_err(|_| Failure::BadRequest("invalid target"))?;
        *request.version_mut() = Version::HTTP_11;
        match self.client.request(request).await {
            Ok(response) => {
                let mut response = response.map(|body| body.map_err(Into::into).boxed_unsync());
                *response.version_mut() = Version::HTTP_11;
                hops::strip(response.headers_mut());
                Ok(response)
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "the control process does not answer");
                Err(Failure::ApiAway)
            }
        }
    }
}

/// Connects to the one socket, whatever the URI.
#[derive(Clone)]
struct Connector(Arc<std::path::Path>);

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = self.0.clone();
        Box::pin(async move { UnixStream::connect(path).await.map(TokioIo::new) })
    }
}
