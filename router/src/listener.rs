//! The public port. Every worker listens on it with a socket of its own; the kernel spreads new connections over them.

use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted (the kernel caps it at `net.core.somaxconn`).
const BACKLOG: i32 = 4_096;

/// Listens at `address` beside the other workers (`SO_REUSEPORT`). Port 0 takes a free one.
///
/// # Errors
/// As the operating system gives them, such as an address in use by another program.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
