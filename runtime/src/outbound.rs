//! wasi:http outgoing requests. The engine's own client connects to whatever a name resolves to; this one resolves first,
//! asks the egress policy about each address, and connects to an allowed address itself, so that a second DNS answer
//! cannot lead elsewhere.

use crate::{
    egress::{EgressPolicy, Transport},
    internal::{Internal, Waits},
    output::InstanceLog,
    request_body,
    services::Bound,
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use futures::FutureExt as _;
use http::{Uri, uri::Scheme};
use http_body_util::BodyExt as _;
use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
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
use virga_model::AppGuid;
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
    /// The instance's app.
    pub(crate) app: AppGuid,
    /// Which apps are reached without a router.
    pub(crate) internal: Arc<ArcSwap<Internal>>,
    /// Where the platform's own services answer.
    pub(crate) services_socket: Option<Arc<Path>>,
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

    /// A place for one more connection; a refusal is written into the app's log.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        let place = self.connections.clone().try_acquire_owned().ok();
        if place.is_none() {
            self.say_full();
        }
        place
    }

    /// See [`Outbound::place`].
    pub(crate) fn say_full(&self) {
        self.log.cell("outbound connection refused: the app instance is at its limit of outbound_connections");
    }

    /// One exchange of a guest. The answer does not wait for the end of the request's body.
    async fn send(self: Arc<Self>, request: http::Request<WasiBody>, options: RequestOptions) -> Result<Sent, Error> {
        let (head, body) = request.into_parts();
        let (body, unread) = request_body::kept(body);
        let (answer, rest) = self.exchange(http::Request::from_parts(head, body), options).await?;
        let rest = async move { futures::join!(Box::into_pin(rest), unread.discard()).0 };
        Ok((answer, Box::new(rest)))
    }

    async fn exchange(self: Arc<Self>, mut request: http::Request<WasiBody>, options: RequestOptions) -> Result<Sent, Error> {
        let permit = self.place().ok_or(Error::ConnectionLimitReached)?;
        let is_tls = request.uri().scheme() == Some(&Scheme::HTTPS);
        let authority = request.uri().authority().ok_or(Error::HttpRequestUriInvalid)?.clone();
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let internal = self.internal.load_full();
        if let Some(service) = internal.find(authority.host()) {
            let longest = |wait: Option<Duration>| wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
            let waits = Waits { first_byte: longest(options.first_byte_timeout), between_bytes: longest(options.between_bytes_timeout) };
            return self.send_internally(&internal, &service, request, waits, permit).await;
        }
        let bound = self.bound(&internal, &authority, is_tls)?;
        let (authority, is_tls, port) = match &bound {
            Some(Bound::Held(held)) => {
                let port = held.authority.port_u16().unwrap_or(if held.is_tls { 443 } else { 80 });
                (held.authority.clone(), held.is_tls, port)
            }
            Some(Bound::Own { .. }) | None => (authority, is_tls, port),
        };
        let wait = options.connect_timeout.unwrap_or(CONNECT_WAIT).min(LONGEST_WAIT);
        let connecting = async {
            if matches!(bound, Some(Bound::Own { .. })) {
                return Ok::<Box<dyn Stream>, Error>(Box::new(self.connect_to_services().await?));
            }
            let stream = self.connect(authority.host(), port).await?;
            if !is_tls {
                return Ok(Box::new(stream));
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
        if let Some(bound) = &bound {
            bound.address(&mut request)?;
        }

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
        let answer = answer.map(|incoming| TimedBody::new(incoming.map_err(Error::from), wait, None).boxed_unsync());
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

pub(crate) type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A body that fails when nothing came for too long.
pub(crate) struct TimedBody<B> {
    incoming: B,
    wait: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Its place among the app instance's connections, until the body is done.
    _permit: Option<OwnedSemaphorePermit>,
}

impl<B> TimedBody<B> {
    pub(crate) fn new(incoming: B, wait: Duration, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { incoming, wait, timer: None, _permit: permit }
    }
}

impl<B: http_body::Body<Data = Bytes, Error = Error> + Unpin> http_body::Body for TimedBody<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.timer = None;
                Poll::Ready(frame)
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
    use futures::{SinkExt as _, StreamExt as _};
    use std::{collections::BTreeMap, sync::Mutex};
    use virga_contract::logs::{Envelope, LogSink, Message};
    use virga_model::egress::EgressRule;

    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl LogSink for Kept {
        fn emit(&self, envelope: Envelope) {
            if let Message::Log { payload, .. } = envelope.message {
                self.0.lock().unwrap().push(String::from_utf8_lossy(&payload).into_owned());
            }
        }
    }

    fn outbound(rules: &[EgressRule], connections: usize) -> (Arc<Outbound>, Arc<Kept>) {
        let kept = Arc::new(Kept::default());
        let log = InstanceLog::new(kept.clone(), AppGuid::random(), 0, "APP/PROC/WEB".into(), BTreeMap::new(), 1000, -1);
        let outbound = Outbound {
            policy: EgressPolicy::new(rules, &[]).0,
            connections: Arc::new(Semaphore::new(connections)),
            log: Arc::new(log),
            tls: tls_connector().unwrap(),
            app: AppGuid::from_u128(1),
            internal: Arc::default(),
            services_socket: None,
        };
        (Arc::new(outbound), kept)
    }

    fn everything() -> EgressRule {
        let destination = "0.0.0.0-255.255.255.255,::/0".into();
        EgressRule { protocol: "all".into(), destination, ports: None, icmp_type: None, code: None, description: None, log: None }
    }

    async fn get(outbound: &Arc<Outbound>, uri: &str) -> Error {
        let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = http::Request::get(uri).body(body).unwrap();
        outbound.clone().send(request, RequestOptions::default()).await.map(|_| ()).unwrap_err()
    }

    #[tokio::test]
    async fn no_name_or_spelling_leads_to_the_box_itself() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (outbound, kept) = outbound(&[everything()], 4);
        for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1", "0x7f000001"] {
            let error = get(&outbound, &format!("http://{host}:{port}/")).await;
            assert!(matches!(error, Error::DestinationIpProhibited | Error::DnsError { .. }), "{host}: {error:?}");
        }
        assert!(matches!(get(&outbound, "http://169.254.169.254/latest/meta-data").await, Error::DestinationIpProhibited));
        assert!(
            kept.0.lock().unwrap().iter().any(|line| line.contains("169.254.169.254:80 denied: this kind of address is never reachable"))
        );
        assert!(listener.accept().now_or_never().is_none(), "somebody connected");
    }

    #[tokio::test]
    async fn without_rules_and_past_the_limit_nothing_goes_out() {
        let (closed, kept) = outbound(&[], 4);
        assert!(matches!(get(&closed, "http://example.com/").await, Error::HttpRequestDenied));
        assert!(matches!(get(&closed, "http://93.184.216.34/").await, Error::DestinationIpProhibited));
        assert_eq!(kept.0.lock().unwrap().len(), 2);
        let (full, _) = outbound(&[everything()], 0);
        assert!(matches!(get(&full, "http://93.184.216.34/").await, Error::ConnectionLimitReached));
    }

    /// A process of services that answers a request's head, and reads no body.
    async fn answers_heads(listener: tokio::net::UnixListener) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            read.push(tokio::io::AsyncReadExt::read_u8(&mut stream).await.unwrap());
        }
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_before_the_end_of_the_request_breaks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("services.sock");
        for method in [http::Method::GET, http::Method::POST] {
            let _ = std::fs::remove_file(&socket);
            let listener = tokio::net::UnixListener::bind(&socket).unwrap();
            let (mut outbound, _) = outbound(&[], 4);
            let service = virga_contract::cell::CellService {
                app: AppGuid::from_u128(1),
                label: "cart".into(),
                instance: virga_model::ServiceInstanceGuid::from_u128(7),
                binding: virga_model::ServiceCredentialBindingGuid::from_u128(8),
                held: None,
            };
            let snapshot = virga_contract::cell::CellSnapshot { services: vec![service], ..Default::default() };
            let with_service = Arc::get_mut(&mut outbound).unwrap();
            with_service.services_socket = Some(socket.as_path().into());
            with_service.internal = Arc::new(ArcSwap::from_pointee(Internal::new(&snapshot, &crate::host::Instances::new())));

            let (mut guest, body) = futures::channel::mpsc::channel::<Bytes>(0);
            let body = http_body_util::StreamBody::new(body.map(|bytes| Ok(http_body::Frame::data(bytes)))).boxed_unsync();
            let request = http::Request::builder().method(&method).uri("http://cart.services.internal/").body(body).unwrap();
            let (sent, ()) = tokio::join!(outbound.clone().send(request, RequestOptions::default()), answers_heads(listener));
            let (answer, rest) = sent.unwrap();
            let exchange = async {
                let answer = answer.into_body().collect().await.unwrap().to_bytes();
                // Longer than any buffer between.
                for _ in 0..100 {
                    guest.send(Bytes::from_static(&[b'x'; 16 * 1024])).await.unwrap_or_else(|_| panic!("{method}: a closed body"));
                }
                drop(guest);
                answer
            };
            let (answer, _) = tokio::join!(exchange, Box::into_pin(rest));
            assert_eq!(answer, "ok", "{method}");
        }
    }

    #[test]
    fn the_forbidden_headers_are_the_engines() {
        for name in &wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS {
            assert!(is_forbidden(name), "{name}");
        }
        assert!(!is_forbidden(&http::header::CONTENT_TYPE));
    }
}
