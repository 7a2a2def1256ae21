//! wasi:sockets of a guest: 0.2 here, 0.3 in [`newer`]. Outbound connections are the engine's own sockets, counted while they are open and decided on
//! by the egress policy. A server's listener is not a socket at all: `$PORT`, and nothing else, may be bound, and what is
//! accepted there are the in-memory connections of [`Listener`].

pub mod listener;
pub mod newer;
pub mod pipe;
mod streams;

pub use listener::{GuestEnd, HostEnd, Listener, NoConnection};

use crate::{outbound::Outbound, store::GuestState};
use std::{collections::HashMap, net::SocketAddr, sync::Arc};
use streams::{Reader, Writer};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::{
    p2::{
        DynInputStream, DynOutputStream, DynPollable, Pollable, SocketError, SocketResult, TcpSocket,
        bindings::sockets::{
            network::{self, ErrorCode, IpAddressFamily, IpSocketAddress, Network},
            tcp::{self, HostTcpSocket, ShutdownType},
        },
        subscribe,
    },
    p3::bindings::sockets::types as p3,
    sockets::WasiSocketsCtxView,
};

/// What a socket option of an in-memory connection is said to be.
const HOP_LIMIT: u8 = 64;
const BUFFER_BYTES: u64 = 64 << 10;
const KEEP_ALIVE_NS: u64 = 7_200_000_000_000;
const KEEP_ALIVE_COUNT: u32 = 9;

/// The sockets of one wasm instance.
pub struct Doors {
    outbound: Arc<Outbound>,
    /// Only of a guest that lives.
    listener: Option<Arc<Listener>>,
    /// The socket with which it listens, once it is bound.
    bound: Option<Bound>,
    /// Outbound connections, by their place in the resource table.
    connections: HashMap<u32, OwnedSemaphorePermit>,
}

struct Bound {
    socket: u32,
    address: SocketAddr,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Binding,
    Bound,
    Starting,
    Listening,
}

impl Doors {
    /// With the way out that all wasm instances of an app instance share.
    pub fn new(outbound: Arc<Outbound>) -> Self {
        Self { outbound, listener: None, bound: None, connections: HashMap::new() }
    }

    /// Lets the guest listen.
    pub fn open(&mut self, listener: Arc<Listener>) {
        self.listener = Some(listener);
    }
}

impl Drop for Doors {
    /// The guest ends: its connections end in the middle.
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.end();
        }
    }
}

/// Replaces the engine's interface `wasi:sockets/tcp` by this one.
///
/// # Errors
/// When two interfaces collide, which is a mistake of the caller.
pub fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let added = tcp::add_to_linker::<GuestState, HasSockets>(linker, GuestState::sockets);
    linker.allow_shadowing(false);
    added
}

struct HasSockets;

impl HasData for HasSockets {
    type Data<'a> = Sockets<'a>;
}

/// The engine's sockets and ours, for one call.
pub struct Sockets<'a> {
    pub(crate) engine: WasiSocketsCtxView<'a>,
    pub(crate) doors: &'a mut Doors,
}

/// An accepted connection, as it lies in the resource table.
struct Accepted {
    end: Arc<GuestEnd>,
    is_ipv6: bool,
    /// Of 0.3, where each stream can be asked for once.
    is_sending: bool,
    is_receiving: bool,
}

impl Accepted {
    fn new(end: GuestEnd, is_ipv6: bool) -> Self {
        Self { end: Arc::new(end), is_ipv6, is_sending: false, is_receiving: false }
    }
}

/// Why the port was not bound.
enum NotBound {
    OtherAddress,
    InUse,
}

impl NotBound {
    fn older(&self) -> ErrorCode {
        match self {
            Self::OtherAddress => ErrorCode::AddressNotBindable,
            Self::InUse => ErrorCode::AddressInUse,
        }
    }

    fn newer(&self) -> p3::ErrorCode {
        match self {
            Self::OtherAddress => p3::ErrorCode::AddressNotBindable,
            Self::InUse => p3::ErrorCode::AddressInUse,
        }
    }
}

#[async_trait::async_trait]
impl Pollable for Accepted {
    async fn ready(&mut self) {}
}

/// What is waited for while a guest waits for callers.
struct Acceptable(Arc<Listener>);

#[async_trait::async_trait]
impl Pollable for Acceptable {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.0.poll_acceptable(cx)).await;
    }
}

type Socket = Resource<TcpSocket>;

impl Sockets<'_> {
    fn accepted<S: 'static>(&self, socket: &Resource<S>) -> Option<&Accepted> {
        self.engine.table.get(&Resource::<Accepted>::new_borrow(socket.rep())).ok()
    }

    fn accepted_mut<S: 'static>(&mut self, socket: &Resource<S>) -> Option<&mut Accepted> {
        self.engine.table.get_mut(&Resource::<Accepted>::new_borrow(socket.rep())).ok()
    }

    /// Binds the socket to the guest's port; none if it is another port that it wants, or it has none.
    fn bind<S: 'static>(&mut self, socket: &Resource<S>, wanted: SocketAddr, step: Step) -> Option<Result<(), NotBound>> {
        self.doors.listener.as_ref().filter(|listener| listener.port() == wanted.port())?;
        let ip = wanted.ip().to_canonical();
        if !(ip.is_unspecified() || ip.is_loopback()) {
            return Some(Err(NotBound::OtherAddress));
        }
        if self.doors.bound.is_some() {
            return Some(Err(NotBound::InUse));
        }
        self.doors.bound = Some(Bound { socket: socket.rep(), address: wanted, step });
        Some(Ok(()))
    }

    fn bound<S: 'static>(&mut self, socket: &Resource<S>) -> Option<&mut Bound> {
        self.doors.bound.as_mut().filter(|bound| bound.socket == socket.rep())
    }

    /// Whether it is no socket of the engine's.
    fn is_virtual<S: 'static>(&mut self, socket: &Resource<S>) -> bool {
        self.bound(socket).is_some() || self.accepted(socket).is_some()
    }

    /// Moves the listening socket on by one step.
    fn step(&mut self, socket: &Socket, from: Step, to: Step) -> Option<SocketResult<()>> {
        let bound = self.bound(socket)?;
        if bound.step != from {
            return Some(Err(ErrorCode::NotInProgress.into()));
        }
        bound.step = to;
        Some(Ok(()))
    }
}

impl network::Host for Sockets<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.engine.convert_error_code(error)
    }

    fn network_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        self.engine.network_error_code(error)
    }
}

impl network::HostNetwork for Sockets<'_> {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.engine, network)
    }
}

impl tcp::Host for Sockets<'_> {}

impl HostTcpSocket for Sockets<'_> {
    async fn start_bind(&mut self, socket: Socket, network: Resource<Network>, address: IpSocketAddress) -> SocketResult<()> {
        if !self.is_virtual(&socket)
            && let Some(bound) = self.bind(&socket, SocketAddr::from(address), Step::Binding)
        {
            return bound.map_err(|problem| problem.older().into());
        }
        self.engine.start_bind(socket, network, address).await
    }

    fn finish_bind(&mut self, socket: Socket) -> SocketResult<()> {
        match self.step(&socket, Step::Binding, Step::Bound) {
            Some(done) => done,
            None => self.engine.finish_bind(socket),
        }
    }

    fn start_connect(&mut self, socket: Socket, network: Resource<Network>, address: IpSocketAddress) -> SocketResult<()> {
        if self.is_virtual(&socket) {
            return Err(ErrorCode::InvalidState.into());
        }
        let place = self.doors.outbound.place().ok_or(ErrorCode::NewSocketLimit)?;
        let index = socket.rep();
        self.engine.start_connect(socket, network, address)?;
        self.doors.connections.insert(index, place);
        Ok(())
    }

    fn finish_connect(&mut self, socket: Socket) -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)> {
        if self.is_virtual(&socket) {
            return Err(ErrorCode::NotInProgress.into());
        }
        self.engine.finish_connect(socket)
    }

    async fn start_listen(&mut self, socket: Socket) -> SocketResult<()> {
        if !self.is_virtual(&socket) {
            return self.engine.start_listen(socket).await;
        }
        match self.bound(&socket) {
            Some(bound) if bound.step == Step::Bound => {
                bound.step = Step::Starting;
                Ok(())
            }
            _ => Err(ErrorCode::InvalidState.into()),
        }
    }

    fn finish_listen(&mut self, socket: Socket) -> SocketResult<()> {
        match self.step(&socket, Step::Starting, Step::Listening) {
            Some(done) => {
                if let (Ok(()), Some(listener)) = (&done, &self.doors.listener) {
                    listener.set_listening(true);
                }
                done
            }
            None => self.engine.finish_listen(socket),
        }
    }

    fn accept(&mut self, socket: Socket) -> SocketResult<(Socket, Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let Some(bound) = self.bound(&socket) else { return self.engine.accept(socket) };
        if bound.step != Step::Listening {
            return Err(ErrorCode::InvalidState.into());
        }
        let is_ipv6 = bound.address.is_ipv6();
        let end = self.doors.listener.as_ref().and_then(|listener| listener.accept()).ok_or(ErrorCode::WouldBlock)?;
        let accepted = Accepted::new(end, is_ipv6);
        let input: DynInputStream = Box::new(Reader(accepted.end.clone()));
        let output: DynOutputStream = Box::new(Writer(accepted.end.clone()));
        let table = &mut *self.engine.table;
        let accepted = table.push(accepted)?;
        let input = table.push_child(input, &accepted)?;
        let output = table.push_child(output, &accepted)?;
        // To the guest it is a socket like any other; every method here looks for ours first.
        Ok((Resource::new_own(accepted.rep()), input, output))
    }

    fn local_address(&mut self, socket: Socket) -> SocketResult<IpSocketAddress> {
        if let Some(bound) = self.bound(&socket) {
            return Ok(bound.address.into());
        }
        match self.accepted(&socket) {
            Some(accepted) => Ok(accepted.end.local(accepted.is_ipv6).into()),
            None => self.engine.local_address(socket),
        }
    }

    fn remote_address(&mut self, socket: Socket) -> SocketResult<IpSocketAddress> {
        match self.accepted(&socket) {
            Some(accepted) => Ok(accepted.end.peer(accepted.is_ipv6).into()),
            None => self.engine.remote_address(socket),
        }
    }

    fn is_listening(&mut self, socket: Socket) -> wasmtime::Result<bool> {
        if !self.is_virtual(&socket) {
            return self.engine.is_listening(socket);
        }
        Ok(self.bound(&socket).is_some_and(|bound| bound.step == Step::Listening))
    }

    fn address_family(&mut self, socket: Socket) -> wasmtime::Result<IpAddressFamily> {
        match self.accepted(&socket) {
            Some(Accepted { is_ipv6: true, .. }) => Ok(IpAddressFamily::Ipv6),
            Some(_) => Ok(IpAddressFamily::Ipv4),
            // Also of a listener, whose socket is the engine's, never bound.
            None => self.engine.address_family(socket),
        }
    }

    fn set_listen_backlog_size(&mut self, socket: Socket, size: u64) -> SocketResult<()> {
        if !self.is_virtual(&socket) {
            return self.engine.set_listen_backlog_size(socket, size);
        }
        if size == 0 { Err(ErrorCode::InvalidArgument.into()) } else { Ok(()) }
    }

    fn keep_alive_enabled(&mut self, socket: Socket) -> SocketResult<bool> {
        if self.is_virtual(&socket) { Ok(false) } else { self.engine.keep_alive_enabled(socket) }
    }

    fn set_keep_alive_enabled(&mut self, socket: Socket, value: bool) -> SocketResult<()> {
        if self.is_virtual(&socket) { Ok(()) } else { self.engine.set_keep_alive_enabled(socket, value) }
    }

    fn keep_alive_idle_time(&mut self, socket: Socket) -> SocketResult<u64> {
        if self.is_virtual(&socket) { Ok(KEEP_ALIVE_NS) } else { self.engine.keep_alive_idle_time(socket) }
    }

    fn set_keep_alive_idle_time(&mut self, socket: Socket, value: u64) -> SocketResult<()> {
        if self.is_virtual(&socket) { Ok(()) } else { self.engine.set_keep_alive_idle_time(socket, value) }
    }

    fn keep_alive_interval(&mut self, socket: Socket) -> SocketResult<u64> {
        if self.is_virtual(&socket) { Ok(KEEP_ALIVE_NS) } else { self.engine.keep_alive_interval(socket) }
    }

    fn set_keep_alive_interval(&mut self, socket: Socket, value: u64) -> SocketResult<()> {
        if self.is_virtual(&socket) { Ok(()) } else { self.engine.set_keep_alive_interval(socket, value) }
    }

    fn keep_alive_count(&mut self, socket: Socket) -> SocketResult<u32> {
        if self.is_virtual(&socket) { Ok(KEEP_ALIVE_COUNT) } else { self.engine.keep_alive_count(socket) }
    }

    fn set_keep_alive_count(&mut self, socket: Socket, value: u32) -> SocketResult<()> {
        if self.is_virtual(&socket) { Ok(()) } else { self.engine.set_keep_alive_count(socket, value) }
    }

    fn hop_limit(&mut self, socket: Socket) -> SocketResult<u8> {
        if self.is_virtual(&socket) { Ok(HOP_LIMIT) } else { self.engine.hop_limit(socket) }
    }

    fn set_hop_limit(&mut self, socket: Socket, value: u8) -> SocketResult<()> {
        if self.is_virtual(&socket) { Ok(()) } else { self.engine.set_hop_limit(socket, value) }
    }

    fn receive_buffer_size(&mut self, socket: Socket) -> SocketResult<u64> {
        if self.is_virtual(&socket) { Ok(BUFFER_BYTES) } else { self.engine.receive_buffer_size(socket) }
    }

    fn set_receive_buffer_size(&mut self, socket: Socket, value: u64) -> SocketResult<()> {
        if self.is_virtual(&socket) { Ok(()) } else { self.engine.set_receive_buffer_size(socket, value) }
    }

    fn send_buffer_size(&mut self, socket: Socket) -> SocketResult<u64> {
        if self.is_virtual(&socket) { Ok(BUFFER_BYTES) } else { self.engine.send_buffer_size(socket) }
    }

    fn set_send_buffer_size(&mut self, socket: Socket, value: u64) -> SocketResult<()> {
        if self.is_virtual(&socket) { Ok(()) } else { self.engine.set_send_buffer_size(socket, value) }
    }

    fn subscribe(&mut self, socket: Socket) -> wasmtime::Result<Resource<DynPollable>> {
        if self.accepted(&socket).is_some() {
            return subscribe(self.engine.table, Resource::<Accepted>::new_borrow(socket.rep()));
        }
        let is_listening = self.bound(&socket).is_some_and(|bound| bound.step == Step::Listening);
        match &self.doors.listener {
            Some(listener) if is_listening => {
                let acceptable = self.engine.table.push(Acceptable(listener.clone()))?;
                subscribe(self.engine.table, acceptable)
            }
            // A socket of the engine's, or one that is bound and has nothing to wait for.
            _ => self.engine.subscribe(socket),
        }
    }

    fn shutdown(&mut self, socket: Socket, direction: ShutdownType) -> SocketResult<()> {
        let Some(accepted) = self.accepted(&socket) else { return self.engine.shutdown(socket, direction) };
        if matches!(direction, ShutdownType::Send | ShutdownType::Both) {
            accepted.end.output.finish();
        }
        if matches!(direction, ShutdownType::Receive | ShutdownType::Both) {
            accepted.end.input.abandon();
        }
        Ok(())
    }

    fn drop(&mut self, socket: Socket) -> wasmtime::Result<()> {
        let index = socket.rep();
        if self.accepted(&socket).is_some() {
            self.engine.table.delete(Resource::<Accepted>::new_own(index))?;
            return Ok(());
        }
        if self.bound(&socket).is_some() {
            self.doors.bound = None;
            if let Some(listener) = &self.doors.listener {
                listener.set_listening(false);
            }
        }
        HostTcpSocket::drop(&mut self.engine, socket)?;
        self.doors.connections.remove(&index);
        Ok(())
    }
}
