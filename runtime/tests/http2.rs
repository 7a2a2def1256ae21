//! HTTP/2 to a server (gRPC): both directions stream, trailers arrive, one connection carries many requests. The server is a
//! neighbour's, so that this test can be one: whoever has the socket of the other worker answers for its guests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use support::{App, World, limits, server};
use tokio::{io::AsyncReadExt as _, io::AsyncWriteExt as _, net::UnixListener, sync::mpsc};
use virga_contract::{Body, BoxError};
use virga_model::{droplet::GuestKind, route::RouteProtocol};

/// Sends back each piece of a body as it comes, then a trailer with the number of bytes.
async fn echo(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    assert_eq!(request.version(), Version::HTTP_2);
    assert_eq!(request.uri().authority().unwrap(), "app.example");
    assert_eq!(request.headers()["te"], "trailers");
    let pieces = futures::stream::unfold((request.into_body(), 0), |(mut body, count)| async move {
        match body.frame().await {
            Some(Ok(frame)) if frame.is_data() => {
                let bytes = frame.data_ref().map_or(0, |data| i64::try_from(data.len()).unwrap());
                Some((Ok::<_, BoxError>(frame), (body, count + bytes)))
            }
            _ if count >= 0 => {
                let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), count.to_string().parse().unwrap())]);
                Some((Ok(Frame::trailers(trailers)), (body, -1)))
            }
            _ => None,
        }
    });
    Ok(Response::new(StreamBody::new(pieces).boxed_unsync()))
}

/// A worker 1 with a server that speaks HTTP/2 alone; gives the number of its connections.
fn neighbour(world: &World, app: &App, tasks: &mut tokio::task::JoinSet<()>) -> Arc<AtomicUsize> {
    let folder = world.cache.path().join("guests");
    std::fs::create_dir_all(&folder).unwrap();
    let listener = UnixListener::bind(folder.join("1.sock")).unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let (counted, instance) = (connections.clone(), app.endpoint.instance);
    tasks.spawn(async move {
        let mut serving = tokio::task::JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Relaxed);
            assert_eq!(stream.read_u128().await.unwrap(), instance.as_u128());
            stream.write_u8(0).await.unwrap();
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            serving.spawn(async move { server.serve_connection(TokioIo::new(stream), service_fn(echo)).await.ok() });
        }
    });
    connections
}

fn request(body: Body) -> Request<Body> {
    let mut request = Request::post("/service/Method").header("host", "app.example").header("te", "trailers").body(body).unwrap();
    request.extensions_mut().insert(RouteProtocol::Http2);
    request
}

#[tokio::test]
async fn both_directions_stream_and_trailers_arrive() {
    let world = World::new(limits());
    let app = world.push_kind(GuestKind::Server, &server(), |process| process.instances[0].probe_worker = 1);
    let mut tasks = tokio::task::JoinSet::new();
    let connections = neighbour(&world, &app, &mut tasks);
    for _ in 0..3 {
        let (sender, receiver) = mpsc::channel::<Bytes>(1);
        let pieces = futures::stream::unfold(receiver, |mut receiver| async move {
            let piece = receiver.recv().await?;
            Some((Ok::<_, BoxError>(Frame::data(piece)), receiver))
        });
        let answer = world.send(&app, request(StreamBody::new(pieces).boxed_unsync())).await.unwrap();
        let mut body = answer.into_body();
        // Each piece comes back before the next is sent: neither direction waits for the other's end.
        for word in ["one", "two"] {
            sender.send(word.into()).await.unwrap();
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), word);
        }
        drop(sender);
        let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "6");
        assert!(body.frame().await.is_none());
    }
    assert_eq!(connections.load(Relaxed), 1);
}
