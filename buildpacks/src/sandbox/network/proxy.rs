//! The package proxy: the only way out of a sandbox. It knows `CONNECT` and plain requests that read, and lets through the hosts
//! that are allowed.

use super::allowed::Allowed;
use crate::log::StagingLog;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{HOST, HeaderName, HeaderValue},
    service::service_fn,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpStream, UnixListener, UnixStream},
    task::JoinSet,
};

/// Connections of one staging at once; more wait.
const CONNECTIONS: usize = 128;
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// Refused hosts that one staging's log names.
const NAMED_HOSTS: usize = 20;
/// Headers that are about one connection alone.
const OF_ONE_CONNECTION: [&str; 8] =
    ["connection", "proxy-connection", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"];

type Body = Either<Full<Bytes>, Incoming>;
type Tunnel = Mutex<Option<(OnUpgrade, TcpStream)>>;

/// One staging's proxy.
pub(super) struct Proxy {
    pub(super) allowed: Allowed,
    pub(super) log: StagingLog,
    pub(super) refused: Mutex<BTreeSet<String>>,
}

impl Proxy {
    /// Serves until it is dropped.
    pub(super) async fn serve(self: Arc<Self>, listener: UnixListener) {
        let mut connections = JoinSet::new();
        loop {
            if connections.len() >= CONNECTIONS {
                let _ended = connections.join_next().await;
                continue;
            }
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(Arc::clone(&self).serve_connection(stream))),
                    Err(error) => {
                        tracing::warn!(%error, "staging: the package proxy cannot accept");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn serve_connection(self: Arc<Self>, stream: UnixStream) {
        let tunnel: Arc<Tunnel> = Arc::default();
        let slot = Arc::clone(&tunnel);
        let service = service_fn(move |request| {
            let (proxy, slot) = (Arc::clone(&self), Arc::clone(&slot));
            async move { Ok::<_, std::convert::Infallible>(proxy.answer(request, &slot).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
        if let Err(error) = connection.await {
            tracing::debug!(%error, "staging: a package client's connection ended");
        }
        let taken = tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((upgrade, server)) = taken
            && let Ok(client) = upgrade.await
        {
            carry(client, server).await;
        }
    }

    async fn answer(&self, request: Request<Incoming>, tunnel: &Tunnel) -> Response<Body> {
        let is_tunnel = request.method() == Method::CONNECT;
        if !is_tunnel && !matches!(*request.method(), Method::GET | Method::HEAD) {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "the platform's package proxy passes on what reads, and tunnels".into());
        }
        let Some((host, port)) = target(&request) else {
            return refusal(StatusCode::BAD_REQUEST, "the platform's package proxy needs a host".into());
        };
        let server = match self.connect(&host, port).await {
            Ok(server) => server,
            Err(response) => return response,
        };
        if !is_tunnel {
            return pass_on(request, server, &host, port).await;
        }
        *tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some((hyper::upgrade::on(request), server));
        Response::new(Either::Left(Full::default()))
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Response<Body>> {
        let Some(trust) = self.allowed.host(host, port) else {
            self.tell(host, port);
            return Err(refusal(
                StatusCode::FORBIDDEN,
                format!("{host}:{port} is no package registry of this platform; its operator names hosts in staging.network"),
            ));
        };
        let connecting = async { TcpStream::connect(self.allowed.resolve(trust, host, port).await?.as_slice()).await };
        match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
            Ok(Ok(server)) => Ok(server),
            Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.tell(host, port);
                Err(refusal(StatusCode::FORBIDDEN, format!("{host} cannot be reached by builds: {error}")))
            }
            Ok(Err(error)) => Err(refusal(StatusCode::BAD_GATEWAY, format!("{host} cannot be reached: {error}"))),
            Err(_) => Err(refusal(StatusCode::GATEWAY_TIMEOUT, format!("{host} does not answer"))),
        }
    }

    /// One line for each refused host: many clients hide the reason.
    fn tell(&self, host: &str, port: u16) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let host: String = host.chars().filter(|letter| !letter.is_control()).take(253).collect();
        if refused.len() < NAMED_HOSTS && refused.insert(format!("{host}:{port}")) {
            self.log.say(format!(
                "The build may not reach {host}:{port}: it is no package registry of this platform (its operator names hosts in staging.network)"
            ));
        }
    }
}

fn target(request: &Request<Incoming>) -> Option<(String, u16)> {
    let uri = request.uri();
    let port = uri.port_u16().or(match uri.scheme_str() {
        Some("http") => Some(80),
        _ => None,
    })?;
    Some((uri.host()?.to_owned(), port))
}

async fn pass_on(mut request: Request<Incoming>, server: TcpStream, host: &str, port: u16) -> Response<Body> {
    for name in OF_ONE_CONNECTION {
        request.headers_mut().remove(HeaderName::from_static(name));
    }
    let authority = if port == 80 { host.to_owned() } else { format!("{host}:{port}") };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let (Ok(path), Ok(authority)) = (path.parse(), HeaderValue::from_str(&authority)) else {
        return refusal(StatusCode::BAD_REQUEST, "the address cannot be read".into());
    };
    *request.uri_mut() = path;
    request.headers_mut().insert(HOST, authority);
    let failed = |error: hyper::Error| refusal(StatusCode::BAD_GATEWAY, format!("{host} does not answer: {error}"));
    let (mut sender, connection) = match hyper::client::conn::http1::handshake(TokioIo::new(server)).await {
        Ok(both) => both,
        Err(error) => return failed(error),
    };
    // The body is read while it is written on: whole, since whoever drives this connection must outlive this call.
    let mut connection = std::pin::pin!(connection);
    let read = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let whole = http_body_util::Limited::new(body, LARGEST_PLAIN_ANSWER).collect().await;
        Ok::<_, hyper::Error>((parts, whole))
    };
    let mut read = std::pin::pin!(read);
    let answered = tokio::select! {
        answered = &mut read => answered,
        _ = &mut connection => read.await,
    };
    match answered {
        Ok((mut parts, Ok(body))) => {
            for name in OF_ONE_CONNECTION {
                parts.headers.remove(HeaderName::from_static(name));
            }
            Response::from_parts(parts, Either::Left(Full::new(body.to_bytes())))
        }
        Ok((_, Err(_))) => {
            refusal(StatusCode::BAD_GATEWAY, format!("{host} sent more than {} MB without TLS; use https", LARGEST_PLAIN_ANSWER >> 20))
        }
        Err(error) => failed(error),
    }
}

/// Bytes of one answer without TLS, which is held in memory.
const LARGEST_PLAIN_ANSWER: usize = 64 << 20;

async fn carry(client: Upgraded, mut server: TcpStream) {
    let mut client = TokioIo::new(client);
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut server).await {
        tracing::debug!(%error, "staging: a package client's tunnel ended");
    }
}

fn refusal(status: StatusCode, reason: String) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::from(reason + "\n")));
    *response.status_mut() = status;
    response
}
