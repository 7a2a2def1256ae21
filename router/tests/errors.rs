//! Every answer that the router makes itself: status, `X-Cf-RouterError`, text.

mod rig;

use http::{Response, StatusCode};
use rig::{APP, HOST, Rig, answer, hello, limits, mirror};
use virga_contract::{body, cell::CellError, limits::RouterLimits};

/// Whether an answer is this failure.
fn assert_failure(got: &str, status: u16, error: &str, text: &str) {
    assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{got}");
    assert!(got.to_ascii_lowercase().contains(&format!("\r\nx-cf-routererror: {}\r\n", error.to_ascii_lowercase())), "{got}");
    assert!(got.contains(text), "{got}");
    assert_eq!(got.matches("HTTP/1.1").count(), 1, "{got}");
}

fn get(host: &str, path: &str, extra: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{extra}\r\n")
}

#[tokio::test]
async fn routing_failures() {
    let rig = Rig::start(|_, _| hello()).await;
    let unknown = rig.raw(get("nope.example.com:8080", "/", "")).await;
    assert_failure(&unknown, 404, "unknown_route", "\r\n\r\n404 Not Found: Requested route ('nope.example.com') does not exist.\n");
    assert!(unknown.contains("cache-control: no-cache, no-store") && unknown.contains("x-vcap-request-id: "), "{unknown}");

    let starting = rig.raw(get(HOST, "/starting/x", "")).await;
    let text = format!("503 Service Unavailable: Requested route ('{HOST}') has no available endpoints.");
    assert_failure(&starting, 503, "no_endpoints", &text);
    assert!(starting.contains("retry-after: 1\r\n"), "{starting}");

    let pinned = format!("X-Cf-App-Instance: {APP}:9\r\n");
    assert_failure(&rig.get(&pinned).await, 400, "unknown_route", "does not exist");
    assert_failure(&rig.raw(get("nope.example.com", "/", &pinned)).await, 400, "unknown_route", "does not exist");
    assert_failure(&rig.get("X-Cf-App-Instance: x\r\n").await, 400, "invalid_cf_app_instance_header", "Invalid X-CF-App-Instance Header");
    let process = rig.get("X-Cf-Process-Instance: x:y\r\n").await;
    assert_failure(&process, 400, "invalid_cf_process_instance_header", "Invalid X-CF-Process-Instance Header");
    let counted = rig.router.counters().router_errors;
    assert_eq!((counted["unknown_route"], counted["no_endpoints"]), (3, 1));
    assert_eq!(rig.router.revision(), 7);
}

#[tokio::test]
async fn hostless_and_senseless_requests() {
    let rig = Rig::start(|_, _| hello()).await;
    assert_failure(&rig.raw("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await, 400, "empty_host", "Request had empty Host header");
    assert_failure(&rig.raw("GET / HTTP/1.0\r\n\r\n").await.replace("1.0", "1.1"), 400, "empty_host", "Request had empty Host header");
    assert_failure(&rig.raw("GET / HTTP/1.1\r\nHost: :80\r\n\r\n").await, 400, "empty_host", "");
    assert_failure(
        &rig.raw(format!("GET / HTTP/1.1\r\nHost: a\r\nHost: {HOST}\r\n\r\n")).await,
        400,
        "bad_request",
        "several Host headers",
    );
    assert_failure(&rig.raw("GET / HTTP/1.1\r\nHost: a/b@c\r\n\r\n").await, 400, "bad_request", "invalid Host header");
    assert_failure(&rig.raw("NONSENSE\r\n\r\n").await, 400, "bad_request", "could not be understood");
    assert_failure(
        &rig.raw(format!("TRACE / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")).await,
        405,
        "method_not_allowed",
        "TRACE",
    );
    assert_failure(&rig.raw("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n").await, 405, "method_not_allowed", "CONNECT");
}

#[tokio::test]
async fn failures_of_the_cell() {
    let cases: [(CellError, u16, &str, &str); 7] = [
        (CellError::NoConnections, 501, "endpoint_failure (upgrades are not supported by this kind of app)", "WebSocket"),
        (CellError::Gone, 503, "no_endpoints", "no available endpoints"),
        (CellError::Overloaded { limit: "queue_wait_ms", retry_after_seconds: 5 }, 503, "Connection Limit Reached", "(queue_wait_ms)"),
        (
            CellError::Guest("secret\r\nsplit: x".into()),
            502,
            "endpoint_failure (the app failed)",
            "Registered endpoint failed to handle the request.",
        ),
        (CellError::Limit { limit: "memory_mb", is_time: false }, 502, "endpoint_failure (limit memory_mb)", "(memory_mb)"),
        (
            CellError::Limit { limit: "request_wall_ms", is_time: true },
            504,
            "endpoint_failure (limit request_wall_ms)",
            "(request_wall_ms)",
        ),
        (CellError::Load("no code".into()), 502, "endpoint_failure (the app could not be loaded)", "Registered endpoint failed"),
    ];
    for (error, status, name, text) in cases {
        let given = error.clone();
        let rig = Rig::start(move |_, _| answer(Err(given.clone()))).await;
        let got = rig.get("").await;
        assert_failure(&got, status, name, text);
        assert!(!got.contains("secret"), "what the guest said stays in its log: {got}");
        if let CellError::Overloaded { retry_after_seconds, .. } = error {
            assert!(got.contains(&format!("retry-after: {retry_after_seconds}\r\n")), "{got}");
        }
        let line = rig.line(|_| true).await;
        assert!(line.contains(&format!(" {status} 0 ")) && line.ends_with(&format!("x_cf_routererror:\"{name}\"")), "{line}");
    }
}

#[tokio::test]
async fn interim_answers_of_an_app_are_refused() {
    let rig = Rig::start(|_, _| answer(Ok(Response::builder().status(StatusCode::SWITCHING_PROTOCOLS).body(body::empty()).unwrap()))).await;
    assert_failure(&rig.get("").await, 502, "endpoint_failure (the app answered with an interim status)", "");
}

#[tokio::test]
async fn bodies_over_the_limit() {
    let rig = Rig::with(RouterLimits { body_bytes: 1_000, ..limits() }, rig::mirror).await;
    let declared = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1001\r\n\r\n{}", "x".repeat(1_001));
    assert_failure(&rig.raw(declared).await, 413, "max-request-size-exceeded", "413 Payload Too Large");
    let chunks = format!("3e8\r\n{}\r\n1\r\ny\r\n0\r\n\r\n", "x".repeat(1_000));
    let chunked = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    assert_failure(&rig.raw(chunked).await, 413, "max-request-size-exceeded", "413 Payload Too Large");
    let fits = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n{}", "x".repeat(1_000));
    assert!(rig.raw(fits).await.starts_with("HTTP/1.1 200 "));
    assert_failure(
        &rig.raw(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")).await,
        400,
        "bad_request",
        "malformed body",
    );
}

#[tokio::test]
async fn headers_over_the_limit() {
    let rig = Rig::with(RouterLimits { header_bytes: 8_192, headers: 20, ..limits() }, mirror).await;
    for size in [8_192, 20_000, 2_000_000] {
        let got = rig.get(&format!("X-Big: {}\r\n", "x".repeat(size))).await;
        assert_failure(&got, 431, "max-request-size-exceeded", "431 Request Header Fields Too Large");
    }
    for count in [20, 500] {
        let many: String = (0..count).map(|at| format!("X-{at}: x\r\n")).collect();
        assert_failure(&rig.get(&many).await, 431, "max-request-size-exceeded", "431 Request Header Fields Too Large");
    }
    let target = format!("GET /{} HTTP/1.1\r\nHost: {HOST}\r\n\r\n", "x".repeat(70_000));
    let got = rig.raw(target).await;
    assert!(got.contains("max-request-size-exceeded"), "{got}");
}
