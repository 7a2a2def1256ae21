//! Real stagings of the sample apps in interpreted languages, with the real toolchains.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, reason = "test code")]

mod harness;

use harness::Platform;
use virga_contract::staging::{StagedDroplet, Stager as _, StagingRequest};
use virga_model::{droplet::GuestKind, process::ReusePolicy};

async fn staged(platform: &Platform, request: StagingRequest) -> StagedDroplet {
    let result = platform.service.stage(request).await;
    let staged = result.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    println!("{:?} {} bytes {:?}", staged.buildpacks, staged.size_bytes, staged.steps);
    staged
}

#[tokio::test]
async fn python_apps_become_components() {
    let platform = Platform::new();
    let flask = staged(&platform, platform.sample("python-flask", &[]).await).await;
    assert_eq!(flask.process_types.get("web").map(String::as_str), Some("gunicorn app:app"));
    let (droplet, files) = platform.droplet(flask.droplet).await;
    let manifest = droplet.manifest();
    assert_eq!((manifest.guest, manifest.reuse), (GuestKind::HttpP2, ReusePolicy::Pool));
    assert!(manifest.software.iter().any(|software| software.name == "flask" && software.version == "3.1.3"), "{:?}", manifest.software);
    assert!(
        files.iter().any(|file| file == "templates/page.html") && files.iter().any(|file| file == "1/flask-3.1.3.dist-info/METADATA"),
        "{files:?}"
    );

    let wsgi = staged(&platform, platform.sample("python-wsgi", &[]).await).await;
    assert_eq!(wsgi.guest, GuestKind::HttpP2);

    let broken = platform.sample("python-wsgi", &[("main.py", b"import a_module_that_is_not_there\n")]).await;
    let error = platform.service.stage(broken).await.unwrap_err();
    assert!(error.message.contains("module 'main'"), "{error}");
    assert!(platform.lines.text().contains("No module named 'a_module_that_is_not_there'"), "{}", platform.lines.text());
}
