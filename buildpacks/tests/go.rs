//! Real stagings of Go programs, with the real toolchain.

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
async fn go_programs_become_components() {
    let platform = Platform::new();
    let http = staged(&platform, platform.sample("go-http", &[]).await).await;
    let (droplet, files) = platform.droplet(http.droplet).await;
    let manifest = droplet.manifest();
    assert_eq!((manifest.guest, manifest.reuse), (GuestKind::HttpP2, ReusePolicy::Pool));
    assert_eq!(manifest.software.first().map(|software| software.name.as_str()), Some("go"));
    assert!(manifest.imports.iter().any(|import| import.starts_with("wasi:http/outgoing-handler@0.2.")), "{:?}", manifest.imports);
    assert!(files.contains(&"public/page.html".to_owned()) && !files.iter().any(|file| file.ends_with(".go")), "{files:?}");

    // Another platform, and so other folders: the same droplet.
    let other = Platform::new();
    assert_eq!(staged(&other, other.sample("go-http", &[]).await).await.droplet, http.droplet);

    let chi = staged(&platform, platform.sample("go-chi", &[]).await).await;
    let (droplet, _) = platform.droplet(chi.droplet).await;
    let software = &droplet.manifest().software;
    assert!(software.iter().any(|module| module.name == "github.com/go-chi/chi/v5" && module.version == "v5.5.0"), "{software:?}");
    assert_eq!(droplet.manifest().environment.get("VIRGA_GO_COMMAND").map(String::as_str), Some("bin/web -name Chi"));
    assert!(!platform.lines.text().contains("nothing to download"));
    let changed = b"package shop\n\nvar Orders = []string{\"quinces\"}\n".as_slice();
    let again = staged(&platform, platform.sample("go-chi", &[("internal/shop/shop.go", changed)]).await).await;
    assert_ne!(again.droplet, chi.droplet);
    assert!(platform.lines.text().contains("nothing to download"), "{}", platform.lines.text());
}

#[tokio::test]
async fn what_cannot_be_built_is_explained() {
    let platform = Platform::new();
    let module = ("go.mod", b"module example.com/app\n\ngo 1.25\n".as_slice());
    let refused = async |main: &[u8], procfile: &[u8]| {
        let package = platform.package(&[module, ("main.go", main), ("Procfile", procfile)]).await;
        let error = platform.service.stage(package).await.unwrap_err();
        assert_eq!(error.kind, StagingErrorKind::CompileFailed);
        error.message
    };
    let message = refused(b"package main\n\nfunc main() { undefined() }\n", b"").await;
    assert!(message.contains("could not build ."), "{message}");
    assert!(platform.lines.text().contains("undefined: undefined"), "{}", platform.lines.text());
    let message = refused(b"package main\n\nfunc main() {}\n", b"web: app\n").await;
    assert!(message.contains("does not use net/http"), "{message}");
    let message = refused(b"package library\n", b"").await;
    assert!(message.contains("package main"), "{message}");

    let worker =
        platform.package(&[module, ("main.go", b"package main\n\nfunc main() { println(1) }\n"), ("Procfile", b"worker: app\n")]).await;
    assert_eq!(staged(&platform, worker).await.guest, GuestKind::Command);
}
