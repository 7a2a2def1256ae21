//! The inner end of the package proxy: a port of the sandbox's own loopback, every connection of which is carried over the
//! socket that is bound in.

use std::{
    io,
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// The port; the namespace is new, so that nobody else has it.
pub(crate) const PORT: u16 = 3128;
/// Connections at once; more are closed.
const CONNECTIONS: usize = 128;

/// Listens from now on until the process ends.
///
/// # Errors
/// When the port or a thread is not to be had.
pub(crate) fn begin(socket: &'static Path) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT))?;
    let open = Arc::new(AtomicUsize::new(0));
    let serve = move || {
        for client in listener.incoming().flatten() {
            if open.load(Ordering::Acquire) >= CONNECTIONS {
                continue;
            }
            open.fetch_add(1, Ordering::AcqRel);
            let counted = Counted(Arc::clone(&open));
            // Without a thread the connection is dropped, and the client sees it closed.
            let _carried = thread::Builder::new().name("package client".into()).spawn(move || {
                let _counted = counted;
                carry(client, socket)
            });
        }
    };
    thread::Builder::new().name("package clients".into()).spawn(serve).map(|_| ())
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Both directions until both are at their end.
fn carry(client: TcpStream, socket: &Path) -> io::Result<()> {
    let proxy = UnixStream::connect(socket)?;
    let (mut from_client, mut to_proxy) = (client.try_clone()?, proxy.try_clone()?);
    let there = thread::Builder::new().spawn(move || {
        let carried = io::copy(&mut from_client, &mut to_proxy);
        let _gone = to_proxy.shutdown(Shutdown::Write);
        carried
    })?;
    let (mut from_proxy, mut to_client) = (proxy, client);
    let carried = io::copy(&mut from_proxy, &mut to_client);
    let _gone = to_client.shutdown(Shutdown::Both);
    let _ended = there.join();
    carried.map(|_| ())
}
