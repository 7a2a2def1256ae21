//! A real staging of the PHP sample, with the engine that the toolchain builds.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, reason = "test code")]

mod harness;

use harness::Platform;
use virga_contract::staging::{StagedDroplet, Stager as _, StagingErrorKind, StagingRequest};
use virga_model::{droplet::GuestKind, process::ReusePolicy};

async fn staged(platform: &Platform, request: StagingRequest) -> StagedDroplet {
    let result = platform.service.stage(request).await;
    let staged = result.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    println!("{:?} {} bytes {:?}", staged.buildpacks, staged.size_bytes, staged.steps);
    staged
}

#[tokio::test]
async fn php_apps_are_files_beside_one_engine() {
    let platform = Platform::new();
    let app = staged(&platform, platform.sample("php-front-controller", &[]).await).await;
    let (droplet, files) = platform.droplet(app.droplet).await;
    let manifest = droplet.manifest();
    assert_eq!((manifest.guest, manifest.reuse), (GuestKind::HttpP2, ReusePolicy::Pool));
    assert_eq!(manifest.environment.get("WEBDIR").map(String::as_str), Some("public"));
    assert!(
        manifest.software.iter().any(|software| software.name == "php" && software.version.starts_with("8.2.")),
        "{:?}",
        manifest.software
    );
    assert!(files.iter().any(|file| file == "public/index.php") && files.iter().any(|file| file == "views/page.php"), "{files:?}");

    // Another app, the same engine: it is compiled once on a platform.
    let other = platform.package(&[("index.php", b"<?php echo 'hello';".as_slice()), ("work.php", b"<?php echo 'done';")]).await;
    let other = staged(&platform, other).await;
    let (droplet, _) = platform.droplet(other.droplet).await;
    assert_eq!(droplet.manifest().component, manifest.component);
    assert_eq!(droplet.manifest().environment.get("WEBDIR").map(String::as_str), Some("."));

    // The same files make the same droplet.
    let again = platform.package(&[("work.php", b"<?php echo 'done';".as_slice()), ("index.php", b"<?php echo 'hello';")]).await;
    assert_eq!(staged(&platform, again).await.droplet, other.droplet);

    let broken = platform.package(&[("composer.json", b"{ no".as_slice()), ("index.php", b"<?php")]).await;
    let error = platform.service.stage(broken).await.unwrap_err();
    assert_eq!(error.kind, StagingErrorKind::CompileFailed);
    assert!(error.message.contains("composer.json cannot be read"), "{error}");
}
