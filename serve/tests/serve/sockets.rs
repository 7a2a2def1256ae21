//! Unix sockets: permissions, leftovers, long paths; clients that do not speak.

use crate::support::{app, exchange, get};
use std::{io::ErrorKind, os::unix::fs::PermissionsExt as _};
use tokio::io::AsyncReadExt as _;
use virga_serve::{
    ServerLimits, Tasks,
    axum::{Router, routing},
    listener::{Listener, connect, connect_unix},
    serve,
};

#[tokio::test]
async fn only_the_owner_may_connect_and_the_file_goes_with_the_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let listener = Listener::unix(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Listener::unix(&path).unwrap_err().kind(), ErrorKind::AddrInUse, "somebody listens");
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_leftover_socket_is_replaced_and_another_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "std leaves the file, as a killed process does");
    let listener = Listener::unix(&path).unwrap();
    connect(&path).unwrap();
    drop(listener);
    std::fs::write(&path, "precious").unwrap();
    assert_eq!(Listener::unix(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_path_longer_than_a_socket_address_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a".repeat(90)).join("b".repeat(90));
    std::fs::create_dir_all(&deep).unwrap();
    let path = deep.join("api.sock");
    let tasks = Tasks::new();
    let routes = Router::new().route("/", routing::get(|| async { "here" }));
    serve(&tasks, "api", Listener::unix(&path).unwrap(), app(&tasks, routes, &[]), ServerLimits::default());
    assert!(exchange(&path, &get("/")).await.unwrap().ends_with("here"));
}

#[tokio::test]
async fn a_silent_client_is_dropped_and_huge_headers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let tasks = Tasks::new();
    let limits = ServerLimits { header_read_ms: 50, header_bytes: 8_192, ..ServerLimits::default() };
    serve(&tasks, "api", Listener::unix(&path).unwrap(), app(&tasks, Router::new(), &[]), limits);
    let mut silent = connect_unix(&path).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0, "closed by the server");
    let huge = format!("GET / HTTP/1.1\r\nHost: api\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let answer = exchange(&path, &huge).await;
    assert!(answer.as_ref().map_or(true, |answer| answer.starts_with("HTTP/1.1 431")), "{answer:?}");
}

#[tokio::test]
async fn port_zero_takes_a_free_one_and_says_which() {
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
    assert_ne!(listener.address().unwrap().port(), 0);
}
