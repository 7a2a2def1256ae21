//! Real stagings of what needs no toolchain: real children, a real blobstore, code that the engine maps.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod harness;

use futures::TryStreamExt as _;
use harness::{CODE_KEY, Platform};
use virga_blobstore::Kind;
use virga_contract::{
    cell::LinkError,
    staging::{Stager as _, StagingErrorKind},
};
use virga_model::{
    Sha256Digest,
    droplet::{DropletManifest, GuestKind},
    process::ReusePolicy,
};

const COMMAND: &[u8] = br#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")))"#;

#[tokio::test]
async fn a_core_module_becomes_a_droplet_with_code_that_maps() {
    let platform = Platform::new();
    let request = platform.package(&[("app.wat", COMMAND), ("data/motd.txt", b"hi"), ("Procfile", b"web: one\nworker: two\n")]).await;
    let staged = platform.service.stage(request).await.unwrap();
    assert_eq!(staged.guest, GuestKind::Cgi);
    assert_eq!(staged.process_types.get("worker").map(String::as_str), Some("two"));
    assert_eq!(staged.buildpacks[0].name, "wasm");
    let steps: Vec<&str> = staged.steps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(steps, ["fetch", "detect", "build", "package", "compile"]);
    assert!(platform.lines.text().contains("Buildpack: wasm"), "{}", platform.lines.text());
    assert_eq!(platform.scratch_folders(), 0);

    let (droplet, files) = platform.droplet(staged.droplet).await;
    assert_eq!(files, ["data/motd.txt"]);
    assert_eq!(droplet.manifest().reuse, ReusePolicy::Request);
    let component = droplet.manifest().component.unwrap();
    assert_eq!(Sha256Digest::of(&std::fs::read(droplet.component()).unwrap()), component);

    let engine = virga_engine::for_running(virga_engine::RunLimits { wasm_instances: 2 }).unwrap();
    let key = virga_engine::engine_key(&engine);
    let code: Vec<u8> =
        platform.service.code(staged.droplet, component, &key).await.unwrap().map_ok(|piece| piece.to_vec()).try_concat().await.unwrap();
    let file = platform.data_dir().join("code");
    std::fs::write(&file, code).unwrap();
    virga_engine::code::CodeSeal::new(CODE_KEY, key).load(&engine, &component, &file).unwrap();
}

#[tokio::test]
async fn lost_code_is_compiled_again_once_however_many_ask() {
    let platform = Platform::new();
    let staged = platform.service.stage(platform.package(&[("app.wat", COMMAND)]).await).await.unwrap();
    let component = platform.droplet(staged.droplet).await.0.manifest().component.unwrap();
    let key = virga_engine::engine_key(&virga_engine::for_compiling(None).unwrap());
    platform.blobs.delete_named(Kind::Code, &format!("{component}/{key}")).await.unwrap();
    let asked = futures::future::join_all((0..4).map(|_| platform.service.code(staged.droplet, component, &key))).await;
    assert!(asked.iter().all(Result::is_ok));
    let foreign = platform.service.code(staged.droplet, component, "another-engine").await.err();
    assert!(matches!(foreign, Some(LinkError::Missing(_))), "{foreign:?}");
    let absent = platform.service.code(Sha256Digest::of(b"none"), Sha256Digest::of(b"such"), &key).await.err();
    assert!(matches!(absent, Some(LinkError::Missing(_))), "{absent:?}");
}

#[tokio::test]
async fn a_site_is_its_files_and_the_same_site_the_same_droplet() {
    let (one, other) = (Platform::new(), Platform::new());
    let files: &[(&str, &[u8])] =
        &[("Staticfile", b"root: public\npushstate: enabled\n"), ("public/index.html", b"<h1>hi</h1>"), ("notes.txt", b"")];
    let staged = one.service.stage(one.package(files).await).await.unwrap();
    assert_eq!(staged.guest, GuestKind::Static);
    let (droplet, names) = one.droplet(staged.droplet).await;
    assert_eq!(names, ["index.html"]);
    assert!(droplet.manifest().site.as_ref().is_some_and(|site| site.pushstate && !site.directory_listing));
    let again = other.service.stage(other.package(files).await).await.unwrap();
    assert_eq!(again.droplet, staged.droplet);
}

#[tokio::test]
async fn an_unchanged_app_uses_its_droplet_again() {
    let platform = Platform::new();
    let files: &[(&str, &[u8])] = &[("app.wat", COMMAND)];
    let first = platform.service.stage(platform.package(files).await).await.unwrap();
    let second = platform.service.stage(platform.package(files).await).await.unwrap();
    assert_eq!(first.droplet, second.droplet);
    assert!(platform.lines.text().contains("its droplet is used again"));
    let changed: &[(&str, &[u8])] = &[("app.wat", COMMAND), ("more.txt", b"x")];
    let third = platform.service.stage(platform.package(changed).await).await.unwrap();
    assert_ne!(third.droplet, first.droplet);
    platform.blobs.delete(Kind::Droplets, &third.droplet).await.unwrap();
    let fourth = platform.service.stage(platform.package(changed).await).await.unwrap();
    assert_eq!(fourth.droplet, third.droplet);
    assert!(platform.blobs.exists(Kind::Droplets, &fourth.droplet).await.unwrap());
}

#[tokio::test]
async fn failures_are_told_with_their_kind_and_in_the_log() {
    let platform = Platform::new();
    let nothing = platform.service.stage(platform.package(&[("readme.md", b"")]).await).await.unwrap_err();
    assert_eq!(nothing.kind, StagingErrorKind::NoAppDetected);
    let mut unknown = platform.package(&[("index.html", b"")]).await;
    unknown.buildpacks = vec!["cobol_buildpack".into()];
    assert_eq!(platform.service.stage(unknown).await.unwrap_err().kind, StagingErrorKind::NoBuildpacksFound);
    let broken =
        platform.service.stage(platform.package(&[("app.wat", b"(component (import \"a:b/c\" (instance)))")]).await).await.unwrap_err();
    assert_eq!(broken.kind, StagingErrorKind::CompileFailed);
    assert!(broken.message.contains("imports a:b/c"), "{broken}");
    let no_zip = platform.blobs.put_bytes(Kind::Packages, b"not a zip".as_slice().into()).await.unwrap();
    let mut request = platform.package(&[("index.html", b"")]).await;
    request.package = no_zip;
    assert!(platform.service.stage(request.clone()).await.unwrap_err().message.contains("not a zip archive"));
    request.package = Sha256Digest::of(b"gone");
    assert!(platform.service.stage(request).await.unwrap_err().message.contains("push again"));
    assert_eq!(platform.scratch_folders(), 0);
}

#[tokio::test]
async fn an_uploaded_droplet_is_checked_and_compiled() {
    let platform = Platform::new();
    let staged = platform.service.stage(platform.package(&[("app.wat", COMMAND)]).await).await.unwrap();
    let (droplet, _) = platform.droplet(staged.droplet).await;
    let component = droplet.manifest().component.unwrap();
    let key = virga_engine::engine_key(&virga_engine::for_compiling(None).unwrap());
    platform.blobs.delete_named(Kind::Code, &format!("{component}/{key}")).await.unwrap();
    let adopted = platform.service.adopt(staged.droplet).await.unwrap();
    assert_eq!((adopted.guest, adopted.droplet, adopted.size_bytes), (staged.guest, staged.droplet, staged.size_bytes));
    assert!(platform.blobs.read_named(Kind::Code, &format!("{component}/{key}")).await.unwrap().is_some());

    let truth = droplet.manifest();
    let other_guest = DropletManifest { guest: GuestKind::HttpP2, ..truth.clone() };
    let fewer_imports = DropletManifest { imports: vec![], ..truth.clone() };
    for (lie, said) in [
        (other_guest, "droplet.json says http-p2"),
        (fewer_imports, "its app.wasm imports wasi_snapshot_preview1, which droplet.json does not list"),
    ] {
        let mut archive = Vec::new();
        virga_engine::archive::write(&mut archive, &lie, Some(&std::fs::read(droplet.component()).unwrap()), None).unwrap();
        let digest = platform.blobs.put_bytes(Kind::Droplets, archive.into()).await.unwrap();
        let error = platform.service.adopt(digest).await.unwrap_err();
        assert!(error.message.contains(said), "{error}");
    }
    let junk = platform.blobs.put_bytes(Kind::Droplets, b"junk".as_slice().into()).await.unwrap();
    assert!(platform.service.adopt(junk).await.unwrap_err().message.contains("cannot be used"));
}
