//! Real stagings of Perl apps, with the real interpreter.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod harness;

use harness::Platform;
use virga_contract::staging::{Stager as _, StagingErrorKind};
use virga_model::{droplet::GuestKind, process::ReusePolicy};

#[tokio::test]
async fn perl_apps_become_components() {
    let platform = Platform::new();
    let staged = platform.service.stage(platform.sample("perl-psgi", &[("cpanfile", b"requires 'Plack';\n".as_slice())]).await).await;
    let staged = staged.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    let (droplet, files) = platform.droplet(staged.droplet).await;
    let manifest = droplet.manifest();
    assert_eq!((manifest.guest, manifest.reuse), (GuestKind::HttpP2, ReusePolicy::Pool));
    assert_eq!(manifest.environment.get("VIRGA_PERL_APP").map(String::as_str), Some("/app.psgi"));
    assert!(files.iter().any(|file| file == "task.pl") && !files.iter().any(|file| file == "cpanfile"), "{files:?}");
    assert!(platform.lines.text().contains("The modules of the cpanfile are not in local/lib/perl5"), "{}", platform.lines.text());

    // Another app on the same interpreter, in another folder: the same component.
    let other = Platform::new();
    let cgi = other.service.stage(other.sample("perl-cgi", &[]).await).await;
    let cgi = cgi.unwrap_or_else(|error| panic!("{error}\n{}", other.lines.text()));
    let (cgi, _) = other.droplet(cgi.droplet).await;
    assert_eq!(cgi.manifest().component, manifest.component);
    assert_eq!(cgi.manifest().environment.get("VIRGA_PERL_APP").map(String::as_str), Some("/index.cgi"));
}

#[tokio::test]
async fn an_app_without_a_file_to_start_is_refused() {
    let platform = Platform::new();
    let error = platform.service.stage(platform.package(&[("cpanfile", b"".as_slice())]).await).await.unwrap_err();
    assert_eq!(error.kind, StagingErrorKind::CompileFailed);
    assert!(error.message.contains("no file with the app was found"), "{error}");
}
