//! The public address. Workers each listen on it with a socket of their own; the control process only holds it, with a
//! socket that never listens, so that no connection ever lands where nobody accepts.

use anyhow::Context as _;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::SocketAddr;

/// The address, held for as long as this lives.
#[derive(Debug)]
pub struct Held {
    /// With the port that was chosen.
    pub address: SocketAddr,
    _socket: Socket,
}

/// Holds `address`; port 0 takes a free one. With `shared`, living workers of this platform may already listen there;
/// without, another program that listens is an error.
pub fn hold(address: SocketAddr, shared: bool) -> anyhow::Result<Held> {
    let in_use = || format!("cannot listen on {address}");
    if !shared && address.port() != 0 {
        // SO_REUSEPORT would let us in beside any other listener of this user that has it too.
        let probe = socket(address)?;
        probe.bind(&address.into()).with_context(in_use)?;
    }
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into()).with_context(in_use)?;
    let address = socket.local_addr()?.as_socket().with_context(in_use)?;
    Ok(Held { address, _socket: socket })
}

fn socket(address: SocketAddr) -> anyhow::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_cloexec(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_zero_is_chosen_once_and_a_foreign_listener_is_refused() {
        let held = hold("127.0.0.1:0".parse().unwrap(), false).unwrap();
        assert_ne!(held.address.port(), 0);
        // Held but not listening: a client is refused at once rather than left waiting.
        let refused = std::net::TcpStream::connect(held.address).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let error = hold(foreign.local_addr().unwrap(), false).unwrap_err();
        assert!(format!("{error:#}").contains("in use"), "{error:#}");
    }
}
