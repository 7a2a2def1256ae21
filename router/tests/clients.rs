//! Clients that are slow, go away, or do not let go; and a router that stops.

mod rig;

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt as _, StreamBody};
use rig::{HOST, Rig, answer, hello, limits, mirror, patient};
use std::sync::Arc;
use tokio::{net::TcpStream, sync::Notify};
use virga_contract::{Body, limits::RouterLimits};

/// Tells when it is dropped: the cell's view of a request that was cancelled.
struct Canary(Arc<Notify>);

impl Drop for Canary {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn get() -> String {
    format!("GET /p HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

#[tokio::test]
async fn a_slow_head_is_refused() {
    let rig = Rig::with(RouterLimits { header_read_ms: 100, ..limits() }, |_, _| hello()).await;
    let got = rig.raw("GET / HTTP/1.1\r\nHost: app.exa").await;
    assert!(got.starts_with("HTTP/1.1 408 Request Timeout\r\nX-Cf-RouterError: request_timeout\r\n"), "{got}");
    assert_eq!(rig.raw("").await, "", "a connection that says nothing is just closed");

    // Also the second head on a connection, however often a byte arrives.
    let mut client = rig.connect().await;
    client.send(get()).await;
    client.until("hello").await;
    let (mut reader, mut writer) = client.0.split();
    let mut got = Vec::new();
    let dribble = async {
        loop {
            if tokio::io::AsyncWriteExt::write_all(&mut writer, b"G").await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = dribble => {}
        // A byte that comes once the connection is closed is answered by a reset; what was read before it stays.
        _ = patient(tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut got)) => {}
    }
    assert!(got.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&got));
}

#[tokio::test]
async fn a_slow_body_is_refused_and_its_guest_cancelled() {
    let cancelled = Arc::new(Notify::new());
    let canary = cancelled.clone();
    let rig = Rig::with(RouterLimits { body_idle_ms: 50, ..limits() }, move |endpoint, request| {
        let canary = Canary(canary.clone());
        Box::pin(async move {
            let answer = mirror(endpoint, request).await;
            drop(canary);
            answer
        })
    })
    .await;
    let got = rig.raw(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 9\r\n\r\nabc")).await;
    assert!(got.starts_with("HTTP/1.1 408 ") && got.contains("x-cf-routererror: request_timeout\r\n"), "{got}");
    patient(cancelled.notified()).await;
    let line = rig.line(|_| true).await;
    assert!(line.contains(" 408 3 ") && line.ends_with("x_cf_routererror:\"request_timeout\""), "{line}");
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let rig = Rig::with(RouterLimits { keep_alive_ms: 50, ..limits() }, |_, _| hello()).await;
    let mut client = rig.connect().await;
    client.send(get()).await;
    client.until("hello").await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let cancelled = Arc::new(Notify::new());
    let canary = cancelled.clone();
    let rig = Rig::with(RouterLimits { write_stall_ms: 100, ..limits() }, move |_, _| {
        let stream = futures::stream::unfold(Canary(canary.clone()), |canary| async {
            Some((Ok(http_body::Frame::data(Bytes::from(vec![0; 1 << 20]))), canary))
        });
        answer(Ok(Response::new(Body::new(StreamBody::new(stream)))))
    })
    .await;
    let mut client = rig.connect().await;
    client.send(get()).await;
    patient(cancelled.notified()).await;
    let line = rig.line(|_| true).await;
    assert!(line.ends_with("x_cf_routererror:\"endpoint_failure (context canceled)\""), "{line}");
}

#[tokio::test]
async fn an_http2_client_that_grants_no_window_is_cut_off() {
    let cancelled = Arc::new(Notify::new());
    let canary = cancelled.clone();
    let rig = Rig::with(RouterLimits { write_stall_ms: 100, ..limits() }, move |_, _| {
        let stream = futures::stream::unfold(Canary(canary.clone()), |canary| async {
            Some((Ok(http_body::Frame::data(Bytes::from(vec![0; 1 << 20]))), canary))
        });
        answer(Ok(Response::new(Body::new(StreamBody::new(stream)))))
    })
    .await;
    let io = hyper_util::rt::TokioIo::new(TcpStream::connect(rig.address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    let request = http::Request::builder().uri(format!("http://{HOST}/")).body(http_body_util::Empty::<Bytes>::new()).unwrap();
    // The body is kept and never read: no window is granted once it is used up.
    let _response = patient(sender.send_request(request)).await.unwrap();
    patient(cancelled.notified()).await;
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_the_guest() {
    let (cancelled, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (canary, begin) = (cancelled.clone(), begun.clone());
    let rig = Rig::start(move |_, _| {
        let canary = Canary(canary.clone());
        begin.notify_one();
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(canary);
            unreachable!()
        })
    })
    .await;
    let mut client = rig.connect().await;
    client.send(get()).await;
    patient(begun.notified()).await;
    drop(client);
    patient(cancelled.notified()).await;
    let line = rig.line(|_| true).await;
    assert!(line.contains(" 499 0 0 ") && line.ends_with("x_cf_routererror:\"endpoint_failure (context canceled)\""), "{line}");
    assert_eq!(rig.router.counters().in_flight, 0);
}

#[tokio::test]
async fn an_app_that_breaks_off_its_answer_is_named() {
    let rig = Rig::start(|_, _| {
        let frames = [Ok(http_body::Frame::data(Bytes::from_static(b"half"))), Err("trap".into())];
        answer(Ok(Response::new(Body::new(StreamBody::new(futures::stream::iter(frames))))))
    })
    .await;
    let got = rig.get("").await;
    assert!(!got.ends_with("0\r\n\r\n"), "the client must see that the answer is not whole: {got}");
    let line = rig.line(|_| true).await;
    assert!(line.contains(" 200 0 4 ") && line.contains("endpoint_failure (the app broke off its answer)"), "{line}");
}

#[tokio::test]
async fn idle_connections_make_room_where_all_places_are_taken() {
    let rig = Rig::with(RouterLimits { connections: 1, header_read_ms: 400, ..limits() }, |_, _| hello()).await;
    let mut first = rig.connect().await;
    first.send(get()).await;
    first.until("hello").await;
    let mut second = rig.connect().await;
    second.send(get()).await;
    second.until("hello").await;
    assert_eq!(first.rest().await, "");
}

#[tokio::test]
async fn a_request_in_flight_survives_the_stop() {
    let (go, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (gate, begin) = (go.clone(), begun.clone());
    let rig = Rig::start(move |_, _| {
        let gate = gate.clone();
        begin.notify_one();
        Box::pin(async move {
            gate.notified().await;
            hello().await
        })
    })
    .await;
    let (mut busy, mut idle, mut fresh) = (rig.connect().await, rig.connect().await, rig.connect().await);
    go.notify_one();
    idle.send(get()).await;
    idle.until("hello").await;
    patient(begun.notified()).await;
    busy.send(get()).await;
    patient(begun.notified()).await;
    rig.stop.cancel();
    assert_eq!(idle.rest().await, "", "an idle connection is closed");
    while TcpStream::connect(rig.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go.notify_one();
    let got = busy.rest().await;
    assert!(got.starts_with("HTTP/1.1 200 ") && got.contains("connection: close\r\n") && got.ends_with("hello"), "{got}");
    go.notify_one();
    fresh.send(get()).await;
    let got = fresh.rest().await;
    assert!(got.contains("connection: close\r\n") && got.ends_with("hello"), "a connection that was accepted is served: {got}");
    rig.line(|_| true).await;
    rig.stopped().await;
}

#[tokio::test]
async fn the_deadline_ends_what_does_not_end() {
    let begun = Arc::new(Notify::new());
    let begin = begun.clone();
    let rig = Rig::with(RouterLimits { drain_ms: 50, ..limits() }, move |_, request| {
        begin.notify_one();
        Box::pin(async move {
            let _ = request.into_body().collect().await;
            std::future::pending().await
        })
    })
    .await;
    let mut client = rig.connect().await;
    client.send(get()).await;
    patient(begun.notified()).await;
    let log = rig.log.clone();
    rig.stop.cancel();
    assert_eq!(client.rest().await, "");
    rig.stopped().await;
    assert!(log.lines().iter().any(|line| line.contains(" 499 ")), "what was cut off is in the log");
}
