//! Real stagings of Rust programs, with the machine's Rust.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, reason = "test code")]

mod harness;

use harness::Platform;
use std::time::Duration;
use virga_contract::staging::{StagedDroplet, Stager as _, StagingErrorKind, StagingRequest};
use virga_model::{droplet::GuestKind, process::ReusePolicy};

async fn staged(platform: &Platform, mut request: StagingRequest) -> StagedDroplet {
    // Compilers share the machine with whatever else runs on it.
    request.timeout = Duration::from_secs(1500);
    let result = platform.service.stage(request).await;
    let staged = result.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    println!("{:?} {} bytes {:?}", staged.buildpacks, staged.size_bytes, staged.steps);
    staged
}

#[tokio::test]
async fn what_a_rust_program_is_shows_in_it() {
    let platform = Platform::new();
    let axum = staged(&platform, platform.sample("rust-axum", &[]).await).await;
    let (droplet, files) = platform.droplet(axum.droplet).await;
    let manifest = droplet.manifest();
    assert_eq!(manifest.guest, GuestKind::Server);
    assert!(manifest.software.iter().any(|software| software.name == "axum" && software.version == "0.8.9"), "{:?}", manifest.software);
    assert_eq!(files, ["README.md"]);

    let handler = staged(&platform, platform.sample("rust-wasi-http", &[]).await).await;
    let (droplet, _) = platform.droplet(handler.droplet).await;
    assert_eq!((droplet.manifest().guest, droplet.manifest().reuse), (GuestKind::HttpP2, ReusePolicy::Pool));
    // Another platform, and so other folders: the same droplet.
    let other = Platform::new();
    assert_eq!(staged(&other, other.sample("rust-wasi-http", &[]).await).await.droplet, handler.droplet);

    let manifest = b"[package]\nname = \"job\"\nversion = \"0.1.0\"\nedition = \"2024\"\n".as_slice();
    let job = platform.package(&[("Cargo.toml", manifest), ("src/main.rs", b"fn main() { println!(\"done\"); }\n")]).await;
    assert_eq!(staged(&platform, job).await.guest, GuestKind::Command);

    let two = [("Cargo.toml", manifest), ("src/main.rs", b"fn main() {}\n".as_slice()), ("src/bin/other.rs", b"fn main() {}\n")];
    let error = platform.service.stage(platform.package(&two).await).await.unwrap_err();
    assert!(error.message.contains("the programs job, other"), "{error}");

    let broken = platform.package(&[("Cargo.toml", manifest), ("src/main.rs", b"fn main() { absent() }\n")]).await;
    let error = platform.service.stage(broken).await.unwrap_err();
    assert_eq!(error.kind, StagingErrorKind::CompileFailed);
    assert!(error.message.contains("wasm32-wasip2"), "{error}");
    assert!(platform.lines.text().contains("cannot find function `absent`"), "{}", platform.lines.text());
}
