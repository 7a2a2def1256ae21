//! What apps get and clients get back when all goes well.

mod rig;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rig::{APP, HOST, Rig, answer, hello, instance, mirror, patient, snapshot};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::{net::TcpStream, sync::mpsc, task::JoinSet};
use virga_contract::{Body, body, cell::CellError};

#[tokio::test]
async fn an_app_learns_who_called_and_which_instance_it_is() {
    let rig = Rig::start(mirror).await;
    let forged = "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Vcap-Request-Id: forged\r\n\
                  X-CF-ApplicationID: forged\r\nX-CF-InstanceIndex: 9\r\nForwarded: for=1\r\nX-Secret-Hop: x\r\nKeep-Alive: 5\r\n\
                  TE: gzip\r\nConnection: X-Secret-Hop, X-CF-InstanceID\r\n";
    let got = rig.get(forged).await;
    for expected in [
        "GET /p index=",
        "x-forwarded-for=10.0.0.1, 127.0.0.1\n",
        "x-forwarded-proto=http\n",
        "x-forwarded-host=app.example.com\n",
        "x-cf-applicationid=00000000-0000-0000-0000-000000000001\n",
        "x-cf-instanceindex=",
        "x-cf-instanceid=",
        "x-request-start=",
        "x-b3-traceid=",
        "traceparent=00-",
        "tracestate=gorouter=",
        "host=app.example.com\n",
    ] {
        assert!(got.contains(expected), "{expected} in {got}");
    }
    for absent in ["forged", "evil", "https", "forwarded=for", "secret-hop", "keep-alive", "te=gzip", "connection=", "index=9"] {
        assert!(!got.contains(absent), "{absent} in {got}");
    }
    let id = got.lines().find_map(|line| line.strip_prefix("x-vcap-request-id: ")).unwrap();
    assert!(got.contains(&format!("x-vcap-request-id={id}\n")), "client and app see the same id: {got}");
}

#[tokio::test]
async fn hosts_are_read_as_http_says() {
    let rig = Rig::start(mirror).await;
    for request in [
        "GET http://APP.example.com:80/p HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n",
        "GET /p HTTP/1.1\r\nHost: APP.EXAMPLE.COM.:8080\r\nConnection: close\r\n\r\n",
        "GET /p HTTP/1.0\r\nHost: app.example.com\r\n\r\n",
        "GET /p HTTP/1.1\r\nHost: app.example.com\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n",
    ] {
        let got = rig.raw(request).await;
        assert!(got.contains(" 200 OK") && !got.contains("evil"), "{got}");
    }
}

#[tokio::test]
async fn the_access_log_has_the_line_after_the_last_byte() {
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    let receiver = Arc::new(std::sync::Mutex::new(Some(receiver)));
    let rig = Rig::start(move |_, _| {
        let receiver = receiver.lock().unwrap().take().unwrap();
        let stream = futures::stream::unfold(receiver, |mut receiver| async {
            let next = receiver.recv().await?;
            Some((Ok(http_body::Frame::data(next)), receiver))
        });
        answer(Ok(Response::new(Body::new(StreamBody::new(stream)))))
    })
    .await;
    let mut client = rig.connect().await;
    client.send(format!("POST /p?q HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\nUser-Agent: ua\r\nReferer: ref\r\n\r\nabc")).await;
    sender.send(Bytes::from_static(b"one")).await.unwrap();
    client.until("one\r\n").await;
    assert_eq!(rig.router.counters().in_flight, 1, "the exchange lasts until the last byte");
    sender.send(Bytes::from_static(b"two")).await.unwrap();
    drop(sender);
    client.until("0\r\n\r\n").await;
    let line = rig.line(|_| true).await;
    assert!(line.starts_with("app.example.com - ["), "{line}");
    assert!(line.contains("\"POST /p?q HTTP/1.1\" 200 0 6 \"ref\" \"ua\" \"127.0.0.1:"), "{line}");
    assert!(line.contains(&format!("app_id:\"{APP}\" app_index:\"")) && line.ends_with("x_cf_routererror:\"-\""), "{line}");
    assert_eq!(rig.router.counters().in_flight, 0);
}

#[tokio::test]
async fn bodies_stream_both_ways_at_once() {
    let rig = Rig::start(|_, request| answer(Ok(Response::new(request.into_body())))).await;
    let mut client = rig.connect().await;
    client.send(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n")).await;
    client.until("\r\n\r\n").await;
    for word in ["one", "two", "six"] {
        client.send(format!("3\r\n{word}\r\n")).await;
        client.until(&format!("3\r\n{word}\r\n")).await;
    }
    client.send("0\r\n\r\n").await;
    client.until("0\r\n\r\n").await;
    client.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")).await;
    assert!(client.rest().await.starts_with("HTTP/1.1 200 OK"), "the connection goes on");
    let line = rig.line(|_| true).await;
    assert!(line.contains(" 200 9 9 "), "{line}");
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_continue() {
    let rig = Rig::start(mirror).await;
    let mut client = rig.connect().await;
    client.send(format!("PUT / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")).await;
    client.until("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.send("hi").await;
    assert!(client.rest().await.ends_with("\nhi"));
}

#[tokio::test]
async fn http2_with_prior_knowledge() {
    let rig = Rig::start(mirror).await;
    let stream = TcpStream::connect(rig.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async { connection.await.unwrap() });
    let request = |path: &str| Request::builder().uri(format!("http://{HOST}{path}")).body(Empty::<Bytes>::new()).unwrap();
    let (one, two) =
        patient(futures::future::join(sender.send_request(request("/one")), sender.clone().send_request(request("/two")))).await;
    for (response, path) in [(one.unwrap(), "/one"), (two.unwrap(), "/two")] {
        assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(text.contains(path) && text.contains("host=app.example.com\n"), "{text}");
    }
    let unknown = Request::builder().uri("http://nope.example.com/").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(patient(sender.send_request(unknown)).await.unwrap().status(), 404);
    let stream = TcpStream::connect(rig.address).await.unwrap();
    let (mut bodies, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tasks.spawn(async { connection.await.unwrap() });
    for (bytes, status) in [(1_000_001, 413), (1_000_000, 200), (2_000_000, 413)] {
        let body = Full::new(Bytes::from(vec![b'x'; bytes]));
        let request = Request::builder().method("POST").uri(format!("http://{HOST}/")).body(body).unwrap();
        let response = patient(bodies.send_request(request)).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert!(status == 200 || response.headers()["x-cf-routererror"] == "max-request-size-exceeded");
    }
    rig.stop.cancel();
    patient(tasks.join_next()).await.unwrap().unwrap();
    patient(tasks.join_next()).await.unwrap().unwrap();
    rig.stopped().await;
}

#[tokio::test]
async fn head_and_dishonest_lengths() {
    let rig = Rig::start(|_, request| {
        let length = request.headers().get("x-length").unwrap().clone();
        answer(Ok(Response::builder()
            .header("content-length", length)
            .header("connection", "x")
            .header("x", "y")
            .body(body::full("hello"))
            .unwrap()))
    })
    .await;
    let head = rig.raw(format!("HEAD / HTTP/1.1\r\nHost: {HOST}\r\nX-Length: 5\r\nConnection: close\r\n\r\n")).await;
    assert!(head.contains("content-length: 5\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    for length in ["3", "300", "abc", "+5"] {
        let got = rig.get(&format!("X-Length: {length}\r\n")).await;
        assert!(got.contains("content-length: 5\r\n") && got.ends_with("\r\n\r\nhello"), "{got}");
        assert!(!got.contains("x: y"), "{got}");
    }
}

#[tokio::test]
async fn a_second_request_cannot_hide_in_a_body() {
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    let rig = Rig::start(move |endpoint, request| {
        count.fetch_add(1, Relaxed);
        mirror(endpoint, request)
    })
    .await;
    let hidden = format!("GET /hidden HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    for lengths in ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"] {
        let got = rig.raw(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n{lengths}\r\n0\r\n\r\n{hidden}")).await;
        assert_eq!(got.matches("HTTP/1.1 ").count(), 1, "{got}");
    }
    assert_eq!(served.load(Relaxed), 2);
    for lengths in ["Content-Length: 5\r\nContent-Length: 6\r\n", "Transfer-Encoding: chunked, gzip\r\n", "Content-Length: +5\r\n"] {
        let got = rig.raw(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n{lengths}\r\n0\r\n\r\n{hidden}")).await;
        assert_eq!((got.matches("HTTP/1.1 ").count(), got.contains("/hidden")), (1, false), "{got}");
        assert!(got.starts_with("HTTP/1.1 400 "), "{got}");
    }
    assert_eq!(served.load(Relaxed), 2);
}

#[tokio::test]
async fn another_instance_is_tried_while_the_body_is_untouched() {
    let rig =
        Rig::start(|endpoint, request| if endpoint.index == 0 { answer(Err(CellError::Gone)) } else { mirror(endpoint, request) }).await;
    for _ in 0..4 {
        let request = format!("POST /p HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody");
        let got = rig.raw(request).await;
        assert!(got.contains("POST /p index=1\n") && got.ends_with("body"), "{got}");
        assert!(got.contains("x-cf-instanceindex=1\n") && !got.contains("x-cf-instanceindex=0"), "{got}");
        assert!(rig.get("").await.contains("GET /p index=1\n"));
    }
    let line = rig.line(|line| line.contains("app_index:\"1\"")).await;
    assert!(line.contains(" 200 4 "), "{line}");

    let rig = Rig::start(|_, request| {
        Box::pin(async move {
            let _ = request.into_body().frame().await;
            Err(CellError::Gone)
        })
    })
    .await;
    let got = rig.raw(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody")).await;
    assert!(got.starts_with("HTTP/1.1 503 "), "a body that was read from is not sent again: {got}");
}

#[tokio::test]
async fn sessions_stick_and_pins_hold() {
    let rig = Rig::start(|endpoint, _| {
        let text = format!("index={}", endpoint.index);
        answer(Ok(Response::builder().header("set-cookie", "JSESSIONID=s; Secure").body(body::full(text)).unwrap()))
    })
    .await;
    for index in [0, 1, 1, 0] {
        let got = rig.get(&format!("Cookie: JSESSIONID=s; __VCAP_ID__={}\r\n", instance(index))).await;
        assert!(got.ends_with(&format!("index={index}")), "{got}");
        assert!(got.contains(&format!("set-cookie: __VCAP_ID__={}; Path=/; HttpOnly; Secure\r\n", instance(index))), "{got}");
        let got = rig.get(&format!("X-Cf-App-Instance: {APP}:{index}\r\n")).await;
        assert!(got.ends_with(&format!("index={index}")), "{got}");
    }
}

#[tokio::test]
async fn a_new_table_is_in_force_at_once() {
    let rig = Rig::start(|_, _| hello()).await;
    let mut client = rig.connect().await;
    let get = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    client.send(&get).await;
    assert!(client.until("hello").await.starts_with("HTTP/1.1 200 "));
    rig.router.apply(&snapshot(&[]));
    client.send(&get).await;
    assert!(client.until("exist.\n").await.starts_with("HTTP/1.1 404 "));
    rig.router.apply(&snapshot(&[true]));
    client.send(&get).await;
    assert!(client.until("hello").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(rig.router.counters().responses_by_class, [0, 2, 0, 1, 0]);
}
