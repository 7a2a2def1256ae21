//! wasi:sockets 0.3 of a guest, as far as it is a server: `$PORT` may be bound, its listener gives the in-memory connections of
//! [`Listener`], and these have streams of ours. All else is the engine's. The functions are replaced one by one, by name: most
//! of the interface has nothing to do with a listener.

use super::{Accepted, BUFFER_BYTES, GuestEnd, HOP_LIMIT, KEEP_ALIVE_COUNT, KEEP_ALIVE_NS, Listener, Step};
use crate::store::GuestState;
use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::oneshot;
use wasmtime::{
    StoreContextMut,
    component::{
        Access, Accessor, Destination, FutureReader, Linker, LinkerInstance, Resource, ResourceType, Source, StreamConsumer,
        StreamProducer, StreamReader, StreamResult,
    },
};
use wasmtime_wasi::{
    p3::{
        bindings::sockets::types::{ErrorCode, Host, HostTcpSocket, HostTcpSocketWithStore, IpAddressFamily, IpSocketAddress},
        sockets::SocketResult,
    },
    sockets::{TcpSocket, WasiSockets, WasiSocketsCtxView, WasiSocketsView},
};

/// Bytes given to a guest in one read that names no number.
const READ_BYTES: usize = 16 << 10;

type Socket = Resource<TcpSocket>;
type Ended = Result<(), ErrorCode>;

/// Replaces what of the engine's `wasi:sockets/types` a server may call.
///
/// # Errors
/// When the linker is not that of a concurrent engine with WASI 0.3 in it, which is a mistake of the caller.
pub fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance("wasi:sockets/types@0.3.0")?;
    add_listening(&mut types)?;
    add_streams(&mut types)?;
    add_addresses(&mut types)?;
    add_options(&mut types)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// An engine's result as the guest has it.
fn told<T>(state: &mut GuestState, result: SocketResult<T>) -> wasmtime::Result<(Result<T, ErrorCode>,)> {
    match result {
        Ok(value) => Ok((Ok(value),)),
        Err(error) => Host::convert_error_code(&mut state.sockets().engine, error).map(|code| (Err(code),)),
    }
}

fn add_listening(types: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    types.func_wrap_async(
        "[method]tcp-socket.bind",
        |mut store: StoreContextMut<'_, GuestState>, (socket, address): (Socket, IpSocketAddress)| {
            Box::new(async move {
                let state = store.data_mut();
                let mut sockets = state.sockets();
                if sockets.is_virtual(&socket) {
                    return Ok((Err(ErrorCode::InvalidState),));
                }
                match sockets.bind(&socket, SocketAddr::from(address), Step::Bound) {
                    Some(bound) => Ok((bound.map_err(|problem| problem.newer()),)),
                    None => {
                        let bound = HostTcpSocket::bind(&mut sockets.engine, socket, address).await;
                        told(state, bound)
                    }
                }
            })
        },
    )?;
    types.func_wrap("[method]tcp-socket.listen", |mut store: StoreContextMut<'_, GuestState>, (socket,): (Socket,)| {
        let mut sockets = store.data_mut().sockets();
        let listener = sockets.doors.listener.clone();
        let (Some(listener), Some(bound)) = (listener, sockets.bound(&socket)) else {
            // Nobody but a server has a port, and a server has this one.
            let is_virtual = sockets.is_virtual(&socket);
            return Ok((Err(if is_virtual { ErrorCode::InvalidState } else { ErrorCode::AccessDenied }),));
        };
        if bound.step != Step::Bound {
            return Ok((Err(ErrorCode::InvalidState),));
        }
        bound.step = Step::Listening;
        let is_ipv6 = bound.address.is_ipv6();
        listener.set_listening(true);
        Ok((Ok(StreamReader::new(&mut store, Incoming { listener, is_ipv6 })?),))
    })?;
    types.func_wrap_concurrent(
        "[method]tcp-socket.connect",
        |accessor: &Accessor<GuestState>, (socket, address): (Socket, IpSocketAddress)| {
            Box::pin(async move {
                if accessor.with(|mut access| access.data_mut().sockets().is_virtual(&socket)) {
                    return Ok((Err(ErrorCode::InvalidState),));
                }
                let engine = accessor.with_getter::<WasiSockets>(engine_sockets);
                let connected = <WasiSockets as HostTcpSocketWithStore<GuestState>>::connect(&engine, socket, address).await;
                accessor.with(|mut access| told(access.data_mut(), connected))
            })
        },
    )?;
    types.resource("tcp-socket", ResourceType::host::<TcpSocket>(), |mut store, index| {
        let mut sockets = store.data_mut().sockets();
        let socket = Socket::new_own(index);
        if sockets.accepted(&socket).is_some() {
            sockets.engine.table.delete(Resource::<Accepted>::new_own(index))?;
            return Ok(());
        }
        if sockets.bound(&socket).is_some() {
            // Who listens holds the stream of connections, not this.
            sockets.doors.bound = None;
        }
        HostTcpSocket::drop(&mut sockets.engine, socket)
    })
}

fn engine_sockets(state: &mut GuestState) -> WasiSocketsCtxView<'_> {
    WasiSocketsView::sockets(state)
}

fn add_streams(types: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]tcp-socket.send",
        |mut store: StoreContextMut<'_, GuestState>, (socket, mut data): (Socket, StreamReader<u8>)| {
            let taken = match store.data_mut().sockets().accepted_mut(&socket) {
                None => {
                    let access = Access::<GuestState, WasiSockets>::new(store, engine_sockets);
                    return Ok((<WasiSockets as HostTcpSocketWithStore<GuestState>>::send(access, socket, data)?,));
                }
                Some(accepted) if accepted.is_sending => None,
                Some(accepted) => {
                    accepted.is_sending = true;
                    Some(accepted.end.clone())
                }
            };
            let (ended, end) = oneshot::channel::<wasmtime::Result<Ended>>();
            match taken {
                Some(connection) => data.pipe(&mut store, Sending { connection, ended: Some(ended) })?,
                None => {
                    data.close(&mut store)?;
                    tell(Some(ended), Err(ErrorCode::InvalidState));
                }
            }
            Ok((FutureReader::new(&mut store, answer(end))?,))
        },
    )?;
    types.func_wrap("[method]tcp-socket.receive", |mut store: StoreContextMut<'_, GuestState>, (socket,): (Socket,)| {
        let taken = match store.data_mut().sockets().accepted_mut(&socket) {
            None => {
                let access = Access::<GuestState, WasiSockets>::new(store, engine_sockets);
                return Ok((<WasiSockets as HostTcpSocketWithStore<GuestState>>::receive(access, socket)?,));
            }
            Some(accepted) if accepted.is_receiving => None,
            Some(accepted) => {
                accepted.is_receiving = true;
                Some(accepted.end.clone())
            }
        };
        let (ended, end) = oneshot::channel::<wasmtime::Result<Ended>>();
        let stream = match taken {
            Some(connection) => StreamReader::new(&mut store, Receiving { connection, ended: Some(ended) })?,
            None => {
                tell(Some(ended), Err(ErrorCode::InvalidState));
                StreamReader::new(&mut store, std::iter::empty())?
            }
        };
        Ok(((stream, FutureReader::new(&mut store, answer(end))?),))
    })
}

/// How it ended; in order, where nobody says otherwise.
async fn answer(end: oneshot::Receiver<wasmtime::Result<Ended>>) -> wasmtime::Result<Ended> {
    end.await.unwrap_or(Ok(Ok(())))
}

fn tell(whom: Option<oneshot::Sender<wasmtime::Result<Ended>>>, ended: Ended) {
    // Who does not wait for it does not want to know.
    let _heard = whom.map(|whom| whom.send(Ok(ended)));
}

/// Gives out connections as they come. When the guest lets go of it, it listens no more.
struct Incoming {
    listener: Arc<Listener>,
    is_ipv6: bool,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.listener.set_listening(false);
    }
}

impl StreamProducer<GuestState> for Incoming {
    type Item = Socket;
    type Buffer = Option<Socket>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, GuestState>,
        mut destination: Destination<'a, Socket, Option<Socket>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if self.listener.poll_acceptable(cx).is_pending() {
            return if finish { Poll::Ready(Ok(StreamResult::Cancelled)) } else { Poll::Pending };
        }
        // Asked for none, it only says that there are some.
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let Some(end) = self.listener.accept() else { return Poll::Ready(Ok(StreamResult::Dropped)) };
        let accepted = Accepted::new(end, self.is_ipv6);
        let accepted = store.data_mut().sockets().engine.table.push(accepted)?;
        destination.set_buffer(Some(Socket::new_own(accepted.rep())));
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

/// What comes in.
struct Receiving {
    connection: Arc<GuestEnd>,
    ended: Option<oneshot::Sender<wasmtime::Result<Ended>>>,
}

impl StreamProducer<GuestState> for Receiving {
    type Item = u8;
    type Buffer = bytes::BytesMut;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, GuestState>,
        destination: Destination<'a, u8, bytes::BytesMut>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if self.connection.input.poll_ready(cx).is_pending() {
            return if finish { Poll::Ready(Ok(StreamResult::Cancelled)) } else { Poll::Pending };
        }
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let mut destination = destination.as_direct(store, READ_BYTES);
        let ended = match self.connection.input.take(destination.remaining().len()) {
            Ok(Some(bytes)) => {
                destination.remaining().iter_mut().zip(&bytes).for_each(|(place, byte)| *place = *byte);
                destination.mark_written(bytes.len());
                return Poll::Ready(Ok(StreamResult::Completed));
            }
            Ok(None) => Ok(()),
            Err(_) => Err(ErrorCode::ConnectionReset),
        };
        tell(self.ended.take(), ended);
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

/// What goes out. When the guest has no more, the other side hears the end.
struct Sending {
    connection: Arc<GuestEnd>,
    ended: Option<oneshot::Sender<wasmtime::Result<Ended>>>,
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.connection.end_output();
    }
}

impl StreamConsumer<GuestState> for Sending {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, GuestState>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        match self.connection.output.poll_room(cx) {
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(_)) => {
                let written = self.connection.output.put(source.remaining());
                source.mark_read(written);
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(Err(_)) => {
                tell(self.ended.take(), Err(ErrorCode::ConnectionBroken));
                Poll::Ready(Ok(StreamResult::Dropped))
            }
        }
    }
}

fn add_addresses(types: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    types.func_wrap("[method]tcp-socket.get-local-address", |mut store: StoreContextMut<'_, GuestState>, (socket,): (Socket,)| {
        let state = store.data_mut();
        let mut sockets = state.sockets();
        let ours = match sockets.bound(&socket) {
            Some(bound) => Some(bound.address),
            None => sockets.accepted(&socket).map(|accepted| accepted.end.local(accepted.is_ipv6)),
        };
        match ours {
            Some(address) => Ok((Ok(IpSocketAddress::from(address)),)),
            None => {
                let address = HostTcpSocket::get_local_address(&mut sockets.engine, socket);
                told(state, address)
            }
        }
    })?;
    types.func_wrap("[method]tcp-socket.get-remote-address", |mut store: StoreContextMut<'_, GuestState>, (socket,): (Socket,)| {
        let state = store.data_mut();
        let mut sockets = state.sockets();
        match sockets.accepted(&socket).map(|accepted| accepted.end.peer(accepted.is_ipv6)) {
            Some(address) => Ok((Ok(IpSocketAddress::from(address)),)),
            None => {
                let address = HostTcpSocket::get_remote_address(&mut sockets.engine, socket);
                told(state, address)
            }
        }
    })?;
    types.func_wrap("[method]tcp-socket.get-is-listening", |mut store: StoreContextMut<'_, GuestState>, (socket,): (Socket,)| {
        let mut sockets = store.data_mut().sockets();
        if !sockets.is_virtual(&socket) {
            return Ok((HostTcpSocket::get_is_listening(&mut sockets.engine, socket)?,));
        }
        Ok((sockets.bound(&socket).is_some_and(|bound| bound.step == Step::Listening),))
    })?;
    types.func_wrap("[method]tcp-socket.get-address-family", |mut store: StoreContextMut<'_, GuestState>, (socket,): (Socket,)| {
        let mut sockets = store.data_mut().sockets();
        match sockets.accepted(&socket) {
            Some(Accepted { is_ipv6: true, .. }) => Ok((IpAddressFamily::Ipv6,)),
            Some(_) => Ok((IpAddressFamily::Ipv4,)),
            None => Ok((HostTcpSocket::get_address_family(&mut sockets.engine, socket)?,)),
        }
    })
}

/// An option: the engine's of its sockets, this value of ours, which no guest changes.
macro_rules! option {
    ($types:ident, $name:literal, $get:ident, $set:ident, $type:ty, $value:expr) => {
        $types.func_wrap(
            concat!("[method]tcp-socket.get-", $name),
            |mut store: StoreContextMut<'_, GuestState>, (socket,): (Socket,)| {
                let state = store.data_mut();
                let mut sockets = state.sockets();
                if sockets.is_virtual(&socket) {
                    return Ok((Ok($value),));
                }
                let found = HostTcpSocket::$get(&mut sockets.engine, socket);
                told(state, found)
            },
        )?;
        option!($types, $name, $set, $type);
    };
    ($types:ident, $name:literal, $set:ident, $type:ty) => {
        $types.func_wrap(
            concat!("[method]tcp-socket.set-", $name),
            |mut store: StoreContextMut<'_, GuestState>, (socket, value): (Socket, $type)| {
                let state = store.data_mut();
                let mut sockets = state.sockets();
                if sockets.is_virtual(&socket) {
                    return Ok((Ok(()),));
                }
                let set = HostTcpSocket::$set(&mut sockets.engine, socket, value);
                told(state, set)
            },
        )?;
    };
}

fn add_options(types: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    option!(types, "listen-backlog-size", set_listen_backlog_size, u64);
    option!(types, "keep-alive-enabled", get_keep_alive_enabled, set_keep_alive_enabled, bool, false);
    option!(types, "keep-alive-idle-time", get_keep_alive_idle_time, set_keep_alive_idle_time, u64, KEEP_ALIVE_NS);
    option!(types, "keep-alive-interval", get_keep_alive_interval, set_keep_alive_interval, u64, KEEP_ALIVE_NS);
    option!(types, "keep-alive-count", get_keep_alive_count, set_keep_alive_count, u32, KEEP_ALIVE_COUNT);
    option!(types, "hop-limit", get_hop_limit, set_hop_limit, u8, HOP_LIMIT);
    option!(types, "receive-buffer-size", get_receive_buffer_size, set_receive_buffer_size, u64, BUFFER_BYTES);
    option!(types, "send-buffer-size", get_send_buffer_size, set_send_buffer_size, u64, BUFFER_BYTES);
    Ok(())
}
