//! Route services: strangers that see a request before the app does.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod rig;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use rig::{ALLOWED, HOST, Rig, mirror, patient, snapshot};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, task::JoinSet};
use virga_contract::cell::CellSnapshot;

/// What a route service does with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Sends it on as it should.
    SendsOn,
    /// Sends it on to another path.
    SendsElsewhere,
    /// Answers by itself.
    Answers,
}

/// A route service at an address of its own.
struct Service {
    address: SocketAddr,
    /// Heads of the requests that came, as text.
    seen: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Service {
    async fn that(then: Then, ip: &str, router: SocketAddr) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut tasks, heads) = (JoinSet::new(), seen.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let heads = heads.clone();
                let serve = service_fn(move |request| serve(request, then, router, heads.clone()));
                connections.spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve);
                    let _gone = connection.await;
                });
            }
        });
        Self { address, seen, _tasks: tasks }
    }

    fn url(&self) -> String {
        format!("http://{}/gate", self.address)
    }
}

async fn serve(
    request: Request<Incoming>,
    then: Then,
    router: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut head = format!("{} {}\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        head += &format!("{name}={}\n", value.to_str().unwrap());
    }
    seen.lock().unwrap().push(head);
    let body = body.collect().await.unwrap().to_bytes();
    if then == Then::Answers {
        return Ok(Response::builder().status(418).body(Full::from("not you")).unwrap());
    }
    let forwarded = parts.headers["x-cf-forwarded-url"].to_str().unwrap().replace(HOST, &router.to_string());
    let forwarded = if then == Then::SendsElsewhere { forwarded.replace("/p?", "/admin?") } else { forwarded };
    let mut onward = reqwest::Client::new().request(parts.method, forwarded).header("host", HOST).header("x-gate", "passed").body(body);
    for name in ["x-cf-proxy-signature", "x-cf-proxy-metadata"] {
        onward = onward.header(name, &parts.headers[name]);
    }
    let answer = onward.send().await.unwrap();
    let mut response = Response::builder().status(answer.status()).header("x-by", "gate");
    if let Some(error) = answer.headers().get("x-cf-routererror") {
        response = response.header("x-saw", error);
    }
    Ok(response.body(Full::from(answer.bytes().await.unwrap())).unwrap())
}

fn bound(url: String) -> CellSnapshot {
    let mut snapshot = snapshot(&[true, true]);
    snapshot.routes[0].route_service = Some(url);
    snapshot
}

async fn post(rig: &Rig, extra: &str) -> String {
    let head = format!("POST /p?q=1 HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nContent-Length: 5\r\n{extra}\r\nhello");
    patient(rig.raw(head)).await
}

#[tokio::test]
async fn a_request_goes_through_its_route_service_to_the_app() {
    let rig = Rig::start(mirror).await;
    let service = Service::that(Then::SendsOn, ALLOWED, rig.address).await;
    rig.router.apply(&bound(service.url()));
    let answer = post(&rig, "Cookie: a=b\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("x-by: gate"), "{answer}");
    assert!(answer.contains("POST /p?q=1 index=") && answer.ends_with("hello"), "{answer}");
    assert!(answer.contains("x-gate=passed") && !answer.contains("x-cf-proxy") && !answer.contains("x-cf-forwarded-url"), "{answer}");
    let seen = service.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].starts_with("POST /gate\n") && seen[0].contains(&format!("x-cf-forwarded-url=http://{HOST}/p?q=1\n")), "{seen:?}");
    assert!(seen[0].contains("cookie=a=b") && seen[0].contains(&format!("host={}\n", service.address)), "{seen:?}");
}

#[tokio::test]
async fn a_route_service_may_answer_by_itself() {
    let rig = Rig::start(mirror).await;
    let service = Service::that(Then::Answers, ALLOWED, rig.address).await;
    rig.router.apply(&bound(service.url()));
    let answer = post(&rig, "").await;
    assert!(answer.starts_with("HTTP/1.1 418") && answer.ends_with("not you"), "{answer}");
}

#[tokio::test]
async fn a_signature_opens_nothing_else_and_cannot_be_made_up() {
    let rig = Rig::start(mirror).await;
    let service = Service::that(Then::SendsElsewhere, ALLOWED, rig.address).await;
    rig.router.apply(&bound(service.url()));
    let answer = post(&rig, "").await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("x-saw: invalid_route_service_signature"), "{answer}");
    let forged = post(&rig, "X-CF-Proxy-Signature: AAAA\r\nX-CF-Proxy-Metadata: 1\r\n").await;
    assert!(forged.starts_with("HTTP/1.1 400") && forged.contains("x-cf-routererror: invalid_route_service_signature"), "{forged}");
}

#[tokio::test]
async fn a_route_service_is_never_inside() {
    let rig = Rig::start(mirror).await;
    let inside = Service::that(Then::Answers, "127.0.0.1", rig.address).await;
    let port = inside.address.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "10.1.2.3"] {
        rig.router.apply(&bound(format!("http://{host}:{port}/")));
        let answer = post(&rig, "").await;
        assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("the route service does not answer"), "{host}: {answer}");
    }
    assert!(inside.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn upgrades_of_a_bound_route_are_refused() {
    let rig = Rig::start(mirror).await;
    rig.router.apply(&bound(format!("http://{ALLOWED}:1/")));
    let mut client = rig.connect().await;
    client.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")).await;
    let answer = client.until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("x-cf-routererror: route_service_unsupported"), "{answer}");
}

#[tokio::test]
async fn an_app_of_this_platform_is_a_route_service_and_has_none_itself() {
    let rig = Rig::start(mirror).await;
    let mut snapshot = bound("https://gate.example.com/in".into());
    let mut gate = snapshot.routes[0].clone();
    (gate.host, gate.route_service) = ("gate.example.com".into(), None);
    snapshot.routes.push(gate);
    rig.router.apply(&snapshot);
    let answer = post(&rig, "").await;
    assert!(answer.contains("POST /in index=") && answer.contains(&format!("x-cf-forwarded-url=http://{HOST}/p?q=1")), "{answer}");
    assert!(answer.contains("host=gate.example.com") && answer.ends_with("hello"), "{answer}");

    snapshot.routes.last_mut().unwrap().route_service = Some("https://gate.example.com/in".into());
    rig.router.apply(&snapshot);
    let answer = post(&rig, "").await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("invalid_route_service_signature"), "{answer}");
}
