//! The peer of the benchmarks: a bare hyper server that says hello, with as many single-threaded event loops as asked
//! for, each accepting on the same port. `hyper_hello 127.0.0.1:8080 2`

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, Socket, Type};
use std::{convert::Infallible, net::SocketAddr};
use tokio::{net::TcpListener, task::LocalSet};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().context("usage: hyper_hello ADDRESS THREADS")?.parse()?;
    let threads: usize = arguments.next().as_deref().unwrap_or("1").parse()?;
    let threads: Vec<_> = (0..threads).map(|_| std::thread::spawn(move || serve(address))).collect();
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("an event loop panicked"))??;
    }
    Ok(())
}

fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1_024)?;
        let listener = TcpListener::from_std(socket.into())?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service_fn(|_: hyper::Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"Hello, World!\n"))))
            });
            tokio::task::spawn_local(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}
