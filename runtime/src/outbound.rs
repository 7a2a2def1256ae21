//! wasi:http outgoing requests. The engine's own client connects to whatever a name resolves to; this one resolves first,
//! asks the egress policy about each address, and connects to an allowed address itself, so that a second DNS answer
//! cannot lead elsewhere.

use crate::{
    egress::{EgressPolicy, Transport},
    output::InstanceLog,
};
use bytes::Bytes;
use futures::FutureExt as _;
use http::{Uri, uri::Scheme};
use http_body_util::BodyExt as _;
use std::{
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, timeout},
};
use tokio_rustls::{TlsConnector, rustls};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, io::TokioIo};

/// What a guest may wait at most, whatever it asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// What it waits for a connection when it does not say.
const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// Outbound access of one app instance.
pub struct Outbound {
    pub(crate) policy: EgressPolicy,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) log: Arc<InstanceLog>,
    pub(crate) tls: TlsConnector,
}

/// Verifies servers against Mozilla's roots.
///
/// # Errors
/// When the crypto provider lacks what TLS needs.
pub(crate) fn tls_connector() -> Result<TlsConnector, rustls::Error> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Outbound {
    /// Asks the policy, and writes a refusal into the app's log.
    pub(crate) fn is_allowed(&self, transport: Transport, address: SocketAddr) -> bool {
        let verdict = self.policy.check(transport, address);
        if let Err(denied) = verdict {
            self.log.cell(format!("outbound {transport} connection to {address} denied: {denied}"));
        }
        verdict.is_ok()
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = literal.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        if !self.policy.allows_some() {
            self.log.cell(format!("outbound connection to {host} denied: no security group allows any"));
            return Err(Error::HttpRequestDenied);
        }
        let unknown = |_| Error::DnsError { rcode: Some("name not resolved".into()), info_code: None };
        Ok(tokio::net::lookup_host((host, port)).await.map_err(unknown)?.collect())
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Error> {
        let mut outcome = Error::DestinationNotFound;
        for address in self.resolve(host, port).await? {
            if !self.is_allowed(Transport::Tcp, address) {
                outcome = Error::DestinationIpProhibited;
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(Error::Connect)?;
                    return Ok(stream);
                }
                Err(error) => outcome = Error::Connect(error),
            }
        }
        Err(outcome)
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        self.connections.clone().try_acquire_owned().map_err(|_| {
            self.log.cell("outbound connection refused: the app instance is at its limit of outbound_connections");
            Error::ConnectionLimitReached
        })
    }

    async fn send(self: Arc<Self>, mut request: http::Request<WasiBody>, options: RequestOptions) -> Result<Sent, Error> {
        let permit = self.permit()?;
        let is_tls = request.uri().scheme() == Some(&Scheme::HTTPS);
        let authority = request.uri().authority().ok_or(Error::HttpRequestUriInvalid)?.clone();
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let wait = options.connect_timeout.unwrap_or(CONNECT_WAIT).min(LONGEST_WAIT);
        let connecting = async {
            let stream = self.connect(authority.host(), port).await?;
            if !is_tls {
                return Ok::<Box<dyn Stream>, Error>(Box::new(stream));
            }
            let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
            let name = rustls::pki_types::ServerName::try_from(host).map_err(|_| Error::HttpRequestUriInvalid)?;
            let stream = self.tls.connect(name, stream).await.map_err(Error::Tls)?;
            Ok(Box::new(stream))
        };
        let stream = timeout(wait, connecting).await.map_err(|_| Error::ConnectionTimeout)??;
        let (mut sender, connection) =
            hyper::client::conn::http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(Error::from)?;
        // Only the path goes onto the wire; the authority is in the Host header.
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        *request.uri_mut() = Uri::try_from(path).map_err(|_| Error::HttpRequestUriInvalid)?;

        let mut connection = async move { connection.await.map_err(Error::from) }.boxed();
        let wait = options.first_byte_timeout.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        let mut answer = std::pin::pin!(timeout(wait, sender.send_request(request)));
        let mut ended = None;
        let answer = std::future::poll_fn(|cx| {
            if ended.is_none()
                && let Poll::Ready(end) = connection.as_mut().poll(cx)
            {
                ended = Some(end);
            }
            answer.as_mut().poll(cx)
        })
        .await
        .map_err(|_| Error::ConnectionReadTimeout)??;
        let wait = options.between_bytes_timeout.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        let answer = answer.map(|incoming| TimedBody { incoming, wait, timer: None }.boxed_unsync());
        let rest = async move {
            let _permit = permit;
            match ended {
                Some(end) => end,
                None => connection.await,
            }
        };
        Ok((answer, Box::new(rest)))
    }
}

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A body that fails when nothing came for too long.
struct TimedBody {
    incoming: hyper::body::Incoming,
    wait: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for TimedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.timer = None;
                Poll::Ready(frame.map(|frame| frame.map_err(Error::from)))
            }
            Poll::Pending => {
                let wait = self.wait;
                let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + wait)));
                timer.as_mut().poll(cx).map(|()| Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.incoming.size_hint()
    }
}

/// The engine's hooks of one wasm instance.
pub struct Hooks {
    pub(crate) outbound: Arc<Outbound>,
    /// Half of `host_buffer_bytes`: the engine holds two chunks of an answer's body.
    pub(crate) chunk_bytes: usize,
}

/// The engine's own list, as a match: it is asked for every header of every request.
fn is_forbidden(name: &http::HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "transfer-encoding"
            | "upgrade"
            | "host"
            | "http2-settings"
    )
}

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &http::HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> wasmtime_wasi_http::ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _answer_read: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        Box::new(self.outbound.clone().send(request, options.unwrap_or_default()))
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        self.chunk_bytes
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        self.chunk_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forbidden_headers_are_the_engines() {
        for name in &wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS {
            assert!(is_forbidden(name), "{name}");
        }
        assert!(!is_forbidden(&http::header::CONTENT_TYPE));
    }
}
