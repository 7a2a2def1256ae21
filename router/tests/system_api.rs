//! The platform's own API behind the router.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod rig;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use rig::{HOST, Rig, hello, limits};
use std::{convert::Infallible, path::Path};
use tokio::{net::UnixListener, task::JoinSet};
use virga_contract::limits::RouterLimits;

/// An API server that answers with what it was asked.
fn api(socket: &Path) -> JoinSet<()> {
    let listener = UnixListener::bind(socket).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(|request: Request<Incoming>| async {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                let mut text = format!("{} {} {}\n", parts.method, parts.uri, body.len());
                for (name, value) in &parts.headers {
                    text += &format!("{name}={}\n", value.to_str().unwrap());
                }
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
            });
            connections.spawn(async move {
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    tasks
}

#[tokio::test]
async fn system_hosts_and_the_bare_address_reach_the_api() {
    let rig = Rig::with(RouterLimits { body_bytes: 10, ..limits() }, |_, _| hello()).await;
    let _api = api(&rig.api_socket());
    for host in ["api.example.com", "API.example.com:8080", "127.0.0.1:8080", "[::1]:8080", "localhost", "box:8080"] {
        let request = format!(
            "POST /v3/info?a=b HTTP/1.1\r\nHost: {host}\r\nContent-Length: 20\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
        );
        let got = rig.raw(request + &"x".repeat(20)).await;
        for expected in ["POST /v3/info?a=b 20\n", &format!("host={host}\n"), "x-forwarded-proto=http\n", "x-forwarded-for=127.0.0.1\n"] {
            assert!(got.contains(expected), "{expected} in {got}");
        }
        assert!(got.contains(&format!("x-forwarded-host={host}\n")) && got.contains("x-vcap-request-id="), "{got}");
    }
    assert!(rig.raw(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")).await.ends_with("hello"));
    let other = rig.raw("GET / HTTP/1.1\r\nHost: box:9090\r\nConnection: close\r\n\r\n").await;
    assert!(other.contains("unknown_route"), "{other}");
}

#[tokio::test]
async fn without_a_control_process_the_api_says_so_and_apps_go_on() {
    let rig = Rig::start(|_, _| hello()).await;
    let got = rig.raw("GET /v3 HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n").await;
    assert!(got.starts_with("HTTP/1.1 503 ") && got.contains("retry-after: 1\r\n"), "{got}");
    assert!(got.contains("content-type: application/json") && got.contains(r#""code":10015,"title":"CF-ServiceUnavailable""#), "{got}");
    assert!(rig.get("").await.ends_with("hello"));
    let _api = api(&rig.api_socket());
    let got = rig.raw("GET /v3 HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n").await;
    assert!(got.contains("GET /v3 0\n"), "back as soon as it is back: {got}");
}
