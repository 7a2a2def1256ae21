//! Connections to the operator's Redis.

use crate::{
    error::{DataError, OpenError},
    servers::tls,
};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, Pipeline, RedisError, aio::MultiplexedConnection,
};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use virga_serve::axum::http::StatusCode;

/// How long a command may take, seconds, and a connection.
pub(super) const MAX_SECONDS: u64 = 5;
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Bytes of an answer to a tenant's command: a command may ask for the same value many times.
pub(super) const MAX_ANSWER_BYTES: usize = 4 << 20;

/// An operator's Redis.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisServer {
    /// `redis://user:password@host:port` of a user that may do everything. A secret.
    pub url: String,
    /// Certificates of the authorities that vouch for the server, PEM; without it, Mozilla's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisServer")
    }
}

/// How to connect.
pub(super) struct Server {
    info: ConnectionInfo,
    tls: TlsConnector,
    /// What carries commands; each ends with its connection.
    connections: Mutex<JoinSet<()>>,
}

/// A user other than the operator's.
pub(super) struct User<'a> {
    pub name: &'a str,
    pub password: &'a str,
}

/// One connection, used by one at a time.
pub(super) struct Connection {
    redis: MultiplexedConnection,
    /// What may still come; none without a bound.
    left: Option<Arc<AtomicUsize>>,
    /// Whether the server is still there.
    is_open: Arc<AtomicBool>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream that breaks off when more comes than is allowed.
struct Bounded {
    stream: Box<dyn Stream>,
    left: Option<Arc<AtomicUsize>>,
}

impl Server {
    pub fn new(server: RedisServer) -> Result<Self, OpenError> {
        let wrong = |error: RedisError| OpenError::Io(std::io::Error::other(format!("services.redis.url cannot be used: {error}")));
        // What the library cannot connect to itself it does not read either: TLS is ours.
        let (url, is_tls) = match server.url.strip_prefix("rediss://") {
            Some(rest) => (format!("redis://{rest}"), true),
            None => (server.url.clone(), false),
        };
        let mut info = Client::open(url).map_err(wrong)?.get_connection_info().clone();
        if let (ConnectionAddr::Tcp(host, port), true) = (info.addr().clone(), is_tls) {
            info = info.set_addr(ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None });
        }
        let tls = Arc::new(tls::client("services.redis.ca_file", server.ca_file.as_deref())?);
        Ok(Self { info, tls: TlsConnector::from(tls), connections: Mutex::default() })
    }

    /// Scheme, host and port, where guests may reach it.
    pub fn address(&self) -> Option<(&'static str, &str, u16)> {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => Some(("redis", host, *port)),
            ConnectionAddr::TcpTls { host, port, .. } => Some(("rediss", host, *port)),
            _ => None,
        }
    }

    async fn stream(&self) -> std::io::Result<Box<dyn Stream>> {
        let (host, port, is_tls) = match self.info.addr() {
            ConnectionAddr::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            ConnectionAddr::Tcp(host, port) => (host, port, false),
            ConnectionAddr::TcpTls { host, port, .. } => (host, port, true),
            _ => return Err(std::io::Error::other("services.redis.url is of a kind that is not known")),
        };
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        if !is_tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host.clone()).map_err(std::io::Error::other)?;
        Ok(Box::new(self.tls.connect(name, stream).await?))
    }

    /// A connection as the operator's user, or as a tenant's, whose answers are bounded.
    pub async fn connect(&self, user: Option<User<'_>>) -> Result<Connection, DataError> {
        let stream = timeout(CONNECT_WAIT, self.stream()).await.map_err(|late| unavailable(&late))?.map_err(|error| unavailable(&error))?;
        let left = user.as_ref().map(|_| Arc::new(AtomicUsize::new(MAX_ANSWER_BYTES)));
        let mut info = self.info.redis_settings().clone().set_skip_set_lib_name();
        if let Some(user) = user {
            info = info.set_username(user.name).set_password(user.password);
        }
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(MAX_SECONDS)));
        let stream = Bounded { stream, left: left.clone() };
        let connecting = MultiplexedConnection::new_with_config(&info, stream, config);
        let (redis, carry) = timeout(CONNECT_WAIT, connecting).await.map_err(|late| unavailable(&late))?.map_err(|error| failed(&error))?;
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        while connections.try_join_next().is_some() {}
        let is_open = Arc::new(AtomicBool::new(true));
        let until_closed = Arc::clone(&is_open);
        connections.spawn(async move {
            carry.await;
            until_closed.store(false, Relaxed);
        });
        Ok(Connection { redis, left, is_open })
    }
}

impl Connection {
    fn renew(&self) {
        if let Some(left) = &self.left {
            left.store(MAX_ANSWER_BYTES, Relaxed);
        }
    }

    /// Whether a command may be sent on it.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Relaxed)
    }

    /// Whether the last answer was longer than allowed.
    pub fn is_spent(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.load(Relaxed) == 0)
    }

    pub async fn send<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, RedisError> {
        self.renew();
        command.query_async(&mut self.redis).await
    }

    pub async fn send_all<T: FromRedisValue>(&mut self, commands: &Pipeline) -> Result<T, RedisError> {
        self.renew();
        commands.query_async(&mut self.redis).await
    }
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.left.as_ref().is_some_and(|left| left.load(Relaxed) == 0) {
            return Poll::Ready(Err(too_long()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Some(left) = &self.left {
            let came = buffer.filled().len() - before;
            let allowed = left.load(Relaxed);
            left.store(allowed.saturating_sub(came), Relaxed);
            if came >= allowed {
                return Poll::Ready(Err(too_long()));
            }
        }
        read
    }
}

fn too_long() -> std::io::Error {
    std::io::Error::other("the answer is longer than allowed")
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What the server answered to one of our own commands is the operator's to know.
pub(super) fn failed(error: &RedisError) -> DataError {
    tracing::error!(error = error as &dyn std::error::Error, "the operator's Redis did not do what it was asked");
    unreachable_server("the platform's Redis cannot be used; the platform's log says why")
}

fn unavailable(error: &dyn fmt::Display) -> DataError {
    tracing::error!(%error, "the operator's Redis does not answer");
    unreachable_server("the platform's Redis does not answer; the platform's log says why")
}

fn unreachable_server(message: &str) -> DataError {
    DataError::new(StatusCode::SERVICE_UNAVAILABLE, "server_unavailable", message)
}
