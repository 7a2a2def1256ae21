//! Traces, metrics and logs reach an OTLP collector over HTTP.
#![expect(clippy::unwrap_used, reason = "code of tests: a failure here is a failed test")]

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};
use virga_telemetry::{
    ObservingConfig,
    metrics::{BuildInfo, Registry},
};

/// Path and whether the body names what this test made.
type Seen = Arc<Mutex<BTreeSet<(String, bool)>>>;

fn collect(stream: TcpStream, seen: &Seen) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let is_ours = String::from_utf8_lossy(&body).contains("otlp_test");
        seen.lock().unwrap().insert((path, is_ours));
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}

#[tokio::test]
async fn all_three_signals_are_sent_by_the_end_of_the_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let collector = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = collector.clone();
            std::thread::spawn(move || collect(stream, &seen));
        }
    });

    let config =
        ObservingConfig { otlp_endpoint: Some(format!("http://{address}/")), filter: "debug".into(), ..ObservingConfig::default() };
    let observing = virga_telemetry::init(&config, "virga", "test").unwrap();
    let registry = Arc::new(Registry::new(BuildInfo { version: "0", revision: "unknown" }, None));
    registry.set([("virga_otlp_test", "A gauge of this test", 1.0)]);
    observing.export(&registry);
    tracing::info_span!("otlp_test_span").in_scope(|| tracing::info!("otlp_test_event"));
    assert!(virga_telemetry::init(&config, "virga", "test").is_err(), "once per process");
    observing.shutdown(Duration::from_secs(10));

    let seen = seen.lock().unwrap();
    for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
        assert!(seen.contains(&(path.to_owned(), true)), "{path} is not among {seen:?}");
    }
}
