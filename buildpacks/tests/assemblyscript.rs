//! Real stagings of programs in AssemblyScript, with the project's own compiler.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod harness;

use harness::Platform;
use virga_contract::staging::{Stager as _, StagingErrorKind};
use virga_model::droplet::GuestKind;

#[tokio::test]
async fn assemblyscript_programs_are_compiled() {
    let platform = Platform::new();
    let staged = platform.service.stage(platform.sample("assemblyscript-cgi", &[]).await).await;
    let staged = staged.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    assert_eq!(staged.guest, GuestKind::Cgi);
    let (droplet, files) = platform.droplet(staged.droplet).await;
    assert_eq!(files, ["README.md"]);
    let software: Vec<_> = droplet.manifest().software.iter().map(|one| format!("{} {}", one.name, one.version)).collect();
    assert_eq!(software, ["assemblyscript 0.28.9"]);

    // The same app once more, in another folder: the same droplet.
    let other = Platform::new();
    let again = other.service.stage(other.sample("assemblyscript-cgi", &[]).await).await;
    assert_eq!(again.unwrap_or_else(|error| panic!("{error}\n{}", other.lines.text())).droplet, staged.droplet);

    let worker: [(&str, &[u8]); 3] =
        [("asconfig.json", b"{}"), ("main.ts", b"console.log(process.argv.join(' '));\n"), ("Procfile", b"worker: app one\n")];
    let worker = platform.service.stage(platform.package(&worker).await).await;
    assert_eq!(worker.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text())).guest, GuestKind::Command);
}

#[tokio::test]
async fn an_app_that_pins_another_compiler_gets_it() {
    let platform = Platform::new();
    let package = br#"{"name":"pinned","private":true,"devDependencies":{"assemblyscript":"0.28.8"}}"#.as_slice();
    let pinned = platform.package(&[("package.json", package), ("main.ts", b"console.log('hello');\n")]).await;
    let staged = platform.service.stage(pinned).await;
    let staged = staged.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    let (droplet, _) = platform.droplet(staged.droplet).await;
    assert_eq!(droplet.manifest().software[0].version, "0.28.8");
}

#[tokio::test]
async fn what_does_not_compile_is_refused_with_its_line() {
    let platform = Platform::new();
    let broken = platform.package(&[("asconfig.json", b"{}".as_slice()), ("main.ts", b"\nnothing();\n")]).await;
    let error = platform.service.stage(broken).await.unwrap_err();
    assert_eq!(error.kind, StagingErrorKind::CompileFailed);
    assert!(error.message.contains("asc failed"), "{error}");
    let lines = platform.lines.text();
    assert!(lines.contains("Cannot find name 'nothing'") && lines.contains("main.ts(2,1)"), "{lines}");
}
