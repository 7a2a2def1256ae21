//! A gRPC server: `bidirectional` streams of any service echo their messages, then say `grpc-status: 0` in a trailer. hyper speaks
//! HTTP/2; this file only turns non-blocking sockets into futures, on one thread.

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::{
    Request, Response,
    body::Incoming,
    rt::{Executor, Read, ReadBufCursor, Write},
    server::conn::http2,
    service::service_fn,
};
use std::{
    cell::RefCell,
    convert::Infallible,
    future::Future,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    thread,
    time::Duration,
};

type Task = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    static NEW: RefCell<Vec<Task>> = const { RefCell::new(Vec::new()) };
}

fn main() {
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    println!("listening on {port}");
    let mut tasks: Vec<Task> = Vec::new();
    loop {
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true).unwrap();
            let connection = http2::Builder::new(Here).serve_connection(Socket(stream), service_fn(echo));
            tasks.push(Box::pin(async move { drop(connection.await) }));
        }
        // Everything is polled in each round: nothing needs to be woken.
        let mut context = Context::from_waker(Waker::noop());
        tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
        tasks.append(&mut NEW.with_borrow_mut(std::mem::take));
        thread::sleep(Duration::from_millis(1));
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Echo>, Infallible> {
    let kind = request.headers().get("content-type").cloned();
    let mut answer = Response::new(Echo { messages: Some(request.into_body()) });
    if let Some(kind) = kind {
        answer.headers_mut().insert("content-type", kind);
    }
    Ok(answer)
}

/// What comes in, then the trailer.
struct Echo {
    messages: Option<Incoming>,
}

impl Body for Echo {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(messages) = &mut self.messages else { return Poll::Ready(None) };
        match ready!(Pin::new(messages).poll_frame(cx)) {
            Some(Ok(frame)) if frame.is_data() => Poll::Ready(Some(Ok(frame))),
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            _ => {
                self.messages = None;
                let trailers = [("grpc-status", "0")].map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
                Poll::Ready(Some(Ok(Frame::trailers(trailers.into_iter().collect()))))
            }
        }
    }
}

/// Runs what hyper spawns in the loop above.
#[derive(Clone)]
struct Here;

impl<F: Future<Output = ()> + 'static> Executor<F> for Here {
    fn execute(&self, task: F) {
        NEW.with_borrow_mut(|new| new.push(Box::pin(task)));
    }
}

struct Socket(TcpStream);

fn pending<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

impl Read for Socket {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let mut read = vec![0; buffer.remaining().min(16 << 10)];
        let bytes = ready!(pending(self.0.read(&mut read)))?;
        buffer.put_slice(&read[..bytes]);
        Poll::Ready(Ok(()))
    }
}

impl Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        pending(self.0.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        pending(self.0.shutdown(std::net::Shutdown::Write))
    }
}
