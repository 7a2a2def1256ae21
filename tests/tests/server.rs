//! Servers written in Rust: requests from every worker, WebSocket, gRPC, crash and restart, tasks.

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{Request, body::Frame, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{convert::Infallible, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use virga_tests::{Platform, Push, built_by_go, host_of, sample_folder, until};

/// The sample server, compiled for `wasm32-wasip2` (`tests/run` installs the target), in a folder of its own.
fn built() -> anyhow::Result<(tempfile::TempDir, String)> {
    let folder = tempfile::tempdir()?;
    let source: PathBuf = sample_folder("rust-server").join("src/main.rs");
    let options = ["--edition", "2024", "--target", "wasm32-wasip2", "-C", "opt-level=s", "-C", "strip=debuginfo", "-C", "panic=abort"];
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(rustc).args(options).arg("-o").arg(folder.path().join("app.wasm")).arg(source).output()?;
    ensure!(output.status.success(), "rustup target add wasm32-wasip2?\n{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(folder.path().join("Procfile"), "web: app serve\nworker: app wait\nmigrate: app print migrated\n")?;
    let path = folder.path().to_string_lossy().into_owned();
    Ok((folder, path))
}

/// An upgrade on a new connection, answered by an echo of the frame.
async fn echo(platform: &Platform, app: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(platform.listen()).await?;
    let host = host_of(app);
    let head = format!(
        "GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await?);
    }
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    ensure!(answer.starts_with("http/1.1 101 ") && answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
    // The frames of RFC 6455, section 5.7.
    stream.write_all(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]).await?;
    let mut frame = [0; 7];
    stream.read_exact(&mut frame).await?;
    ensure!(&frame == b"\x81\x05Hello", "{frame:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_lives_and_lives_again() -> anyhow::Result<()> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    let (_folder, path) = built()?;
    let receipt = platform.ok(&["push", "server", "-p", &path]).await?;
    ensure!(receipt.contains("routable"), "{receipt}");
    // New connections are spread over both workers; the server lives in one.
    for _ in 0..20 {
        let text = platform.get_ok("server", "/").await?;
        ensure!(text == "Hello from instance 0\n", "{text}");
        echo(&platform, "server").await?;
    }
    platform.ok(&["scale", "server", "-i", "2"]).await?;
    until("both instances answer", Duration::from_secs(60), || async {
        let (mut first, mut second) = (false, false);
        for _ in 0..8 {
            let text = platform.get_ok("server", "/").await?;
            first |= text.contains("instance 0");
            second |= text.contains("instance 1");
        }
        ensure!(first && second, "only one of them");
        Ok(())
    })
    .await?;
    // It ends by itself: a crash with its reason, and a new instance.
    let _broken = platform.get("server", "/exit?1").await?;
    until("the crash is told", Duration::from_secs(30), || async {
        let logs = platform.ok(&["logs", "server", "--recent"]).await?;
        ensure!(logs.contains("Exit status 1") && logs.contains("[APP/PROC/WEB/"), "{logs}");
        Ok(())
    })
    .await?;
    until("both instances run again", Duration::from_secs(60), || async {
        let shown = platform.ok(&["app", "server"]).await?;
        ensure!(shown.contains("2/2") && shown.matches("running").count() >= 2, "{shown}");
        Ok(())
    })
    .await?;
    platform.get_ok("server", "/").await?;
    Ok(())
}

#[tokio::test]
async fn a_server_of_wasi_01_has_a_listener_and_files() -> anyhow::Result<()> {
    let folder = built_by_go()?;
    let platform = Platform::start(2).await?;
    platform.login().await?;
    let receipt = platform.ok(&["push", "golang", "-p", &folder.path().to_string_lossy()]).await?;
    ensure!(receipt.contains("routable"), "{receipt}");
    ensure!(platform.get_ok("golang", "/").await? == "Hello from net/http on Virga\n");
    ensure!(platform.get_ok("golang", "/env/LISTEN_FDS").await? == "1");
    ensure!(platform.get_ok("golang", "/stream").await?.lines().count() == 5);
    ensure!(platform.get_ok("golang", "/file/page.txt").await? == "a file of the app\n");
    // A megabyte there and back, and goroutines that sleep beside it.
    let (slept, echoed) =
        tokio::join!(futures::future::try_join_all((0..8).map(|_| platform.get_ok("golang", "/slow"))), echo_megabyte(&platform));
    ensure!(slept?.iter().all(|text| text == "slept\n"));
    echoed?;
    for _ in 0..8 {
        // On both workers; the guest lives in one.
        echo(&platform, "golang").await?;
    }
    let counted: u64 = platform.get_ok("golang", "/count").await?.parse()?;
    ensure!(counted == 1, "{counted}");
    Ok(())
}

#[tokio::test]
async fn a_server_of_wasi_03_is_built_and_lives_again() -> anyhow::Result<()> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    let receipt = platform.push("p3", "rust-server-p3", Push::default()).await?;
    ensure!(receipt.contains("routable"), "{receipt}");
    let asks_often = async || {
        for number in 0..20 {
            // On both workers; the guest lives in one.
            let text = platform.get_ok("p3", &format!("/{number}")).await?;
            ensure!(text.starts_with(&format!("Hello from WASI 0.3 on Virga\nGET /{number} HTTP/1.1\r\n")), "{text}");
        }
        Ok(())
    };
    asks_often().await?;
    platform.ok(&["restart", "p3"]).await?;
    asks_often().await
}

/// A body that no buffer on the way holds whole.
async fn echo_megabyte(platform: &Platform) -> anyhow::Result<()> {
    let sent: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect();
    let stream = TcpStream::connect(platform.listen()).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let body = http_body_util::Full::new(Bytes::from(sent.clone()));
    let request = Request::post("/echo").header("host", host_of("golang")).body(body)?;
    let calling = async {
        let answer = sender.send_request(request).await?;
        ensure!(answer.status() == 200, "{answer:?}");
        ensure!(answer.into_body().collect().await?.to_bytes() == sent, "another body came back");
        Ok(())
    };
    tokio::select! {
        called = calling => called,
        ended = connection => anyhow::bail!("the connection ended: {ended:?}"),
    }
}

#[tokio::test]
async fn tasks_and_workers_of_a_droplet_run() -> anyhow::Result<()> {
    let platform = Platform::start(1).await?;
    platform.login().await?;
    let (_folder, path) = built()?;
    platform.ok(&["push", "server", "-p", &path]).await?;
    let app = platform.ok(&["curl", "/v3/apps?names=server"]).await?;
    let app: serde_json::Value = serde_json::from_str(&app)?;
    let guid = app["resources"][0]["guid"].as_str().context("no app")?.to_owned();
    for (command, state) in [("app print from a task", "SUCCEEDED"), ("migrate", "SUCCEEDED"), ("app exit 1", "FAILED")] {
        let body = serde_json::json!({ "command": command, "name": "job" }).to_string();
        let created = platform.ok(&["curl", "-X", "POST", "-d", &body, &format!("/v3/apps/{guid}/tasks")]).await?;
        let created: serde_json::Value = serde_json::from_str(&created)?;
        let task = created["guid"].as_str().with_context(|| format!("no task: {created}"))?.to_owned();
        until("the task has ended", Duration::from_secs(30), || async {
            let shown: serde_json::Value = serde_json::from_str(&platform.ok(&["curl", &format!("/v3/tasks/{task}")]).await?)?;
            ensure!(shown["state"] == state, "{shown}");
            ensure!(state == "SUCCEEDED" || shown["result"]["failure_reason"] == "Exited with status 1", "{shown}");
            Ok(())
        })
        .await?;
    }
    platform.ok(&["curl", "-X", "POST", "-d", "{\"instances\":1}", &format!("/v3/apps/{guid}/processes/worker/actions/scale")]).await?;
    until("the lines of tasks and worker", Duration::from_secs(30), || async {
        let logs = platform.ok(&["logs", "server", "--recent"]).await?;
        for part in ["[APP/TASK/job/0]", "from a task", "migrated", "[APP/PROC/WORKER/0]", "waiting"] {
            ensure!(logs.contains(part), "{part} is not in {logs}");
        }
        Ok(())
    })
    .await?;
    Ok(())
}

/// The gRPC sample, built by cargo into the test's own part of the target folder.
fn built_grpc() -> anyhow::Result<tempfile::TempDir> {
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = std::process::Command::new(cargo);
    command.args(["build", "--locked", "--release", "--target", "wasm32-wasip2"]).current_dir(sample_folder("rust-grpc"));
    let output = command.env("CARGO_TARGET_DIR", &target).output()?;
    ensure!(output.status.success(), "rustup target add wasm32-wasip2?\n{}", String::from_utf8_lossy(&output.stderr));
    let folder = tempfile::tempdir()?;
    std::fs::copy(target.join("wasm32-wasip2/release/rust-grpc.wasm"), folder.path().join("app.wasm"))?;
    Ok(folder)
}

/// A call with two messages, the second sent once the first has come back.
async fn call(platform: &Platform) -> anyhow::Result<()> {
    let stream = TcpStream::connect(platform.listen()).await?;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let (messages, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let body = futures::stream::unfold(receiver, |mut receiver| async move {
        let message = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(message)), receiver))
    });
    let body = StreamBody::new(body).boxed_unsync();
    let uri = format!("http://{}/echo.Echo/Both", host_of("grpc"));
    let request = Request::post(uri).header("te", "trailers").header("content-type", "application/grpc").body(body)?;
    let calling = async {
        let answer = sender.send_request(request).await?;
        ensure!(answer.status() == 200, "{answer:?}");
        let mut answer = answer.into_body();
        for word in ["one", "two"] {
            messages.send(Bytes::from_static(word.as_bytes())).await?;
            let frame = answer.frame().await.context("the answer ended early")??;
            ensure!(frame.data_ref().is_some_and(|data| data == word), "{frame:?}");
        }
        drop(messages);
        while let Some(frame) = answer.frame().await {
            if let Ok(trailers) = frame?.into_trailers() {
                ensure!(trailers.get("grpc-status").is_some_and(|status| status == "0"), "{trailers:?}");
                return Ok(());
            }
        }
        anyhow::bail!("no trailers")
    };
    tokio::select! {
        called = calling => called,
        ended = connection => anyhow::bail!("the connection ended: {ended:?}"),
    }
}

#[tokio::test]
async fn grpc_streams_both_ways_to_a_server() -> anyhow::Result<()> {
    let folder = built_grpc()?;
    let platform = Platform::start(2).await?;
    platform.login().await?;
    platform.ok(&["push", "grpc", "-p", &folder.path().to_string_lossy()]).await?;
    let shown = async |path: &str| -> anyhow::Result<serde_json::Value> { Ok(serde_json::from_str(&platform.ok(&["curl", path]).await?)?) };
    let app = shown("/v3/apps?names=grpc").await?;
    let route = shown("/v3/routes?hosts=grpc").await?;
    let route = route["resources"][0]["guid"].as_str().context("no route")?;
    let destination = serde_json::json!({ "app": { "guid": app["resources"][0]["guid"] }, "protocol": "http2" });
    let body = serde_json::json!({ "destinations": [destination] }).to_string();
    platform.ok(&["curl", "--fail", "-X", "PATCH", "-d", &body, &format!("/v3/routes/{route}/destinations")]).await?;
    until("the route speaks HTTP/2", Duration::from_secs(20), || call(&platform)).await?;
    // Connections land on both workers.
    for _ in 0..6 {
        call(&platform).await?;
    }
    Ok(())
}
