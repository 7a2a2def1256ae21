//! Real stagings of programs in Zig, with the real compiler.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod harness;

use harness::Platform;
use virga_contract::staging::{Stager as _, StagingErrorKind};
use virga_model::droplet::GuestKind;

#[tokio::test]
async fn zig_programs_are_built_by_build_zig_or_as_one_file() {
    let platform = Platform::new();
    let staged = platform.service.stage(platform.sample("zig-cgi", &[]).await).await;
    let staged = staged.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    assert_eq!(staged.guest, GuestKind::Cgi);
    let (droplet, files) = platform.droplet(staged.droplet).await;
    assert_eq!(files, ["README.md"]);
    assert_eq!(droplet.manifest().buildpack.name, "zig");

    // The same app once more, in another folder: the same droplet.
    let other = Platform::new();
    let again = other.service.stage(other.sample("zig-cgi", &[]).await).await;
    assert_eq!(again.unwrap_or_else(|error| panic!("{error}\n{}", other.lines.text())).droplet, staged.droplet);

    let source = include_bytes!("../../tests/apps/zig-cgi/src/main.zig").as_slice();
    let one = platform.package(&[("hello.zig", source), ("Procfile", b"worker: app one\n")]).await;
    let one = platform.service.stage(one).await.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    assert_eq!(one.guest, GuestKind::Command);
}

#[tokio::test]
async fn what_does_not_compile_is_refused_with_its_line() {
    let platform = Platform::new();
    let broken = platform.package(&[("main.zig", b"pub fn main() void {\n    nothing();\n}\n".as_slice())]).await;
    let error = platform.service.stage(broken).await.unwrap_err();
    assert_eq!(error.kind, StagingErrorKind::CompileFailed);
    assert!(error.message.contains("zig build-exe failed"), "{error}");
    assert!(platform.lines.text().contains("main.zig:2:5: error: use of undeclared identifier 'nothing'"), "{}", platform.lines.text());
}
