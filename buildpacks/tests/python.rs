//! Real stagings of Python apps, with the real toolchain.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, reason = "test code")]

mod harness;

use harness::Platform;
use std::{
    fs,
    path::{Path, PathBuf},
};
use virga_contract::staging::{StagedDroplet, Stager as _, StagingErrorKind, StagingRequest};
use virga_model::{AppGuid, Sha256Digest, droplet::GuestKind, process::ReusePolicy};

async fn staged(platform: &Platform, request: StagingRequest) -> StagedDroplet {
    let result = platform.service.stage(request).await;
    let staged = result.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    println!("{:?} {} bytes {:?}", staged.buildpacks, staged.size_bytes, staged.steps);
    staged
}

/// The message of a staging that must fail.
async fn refused(platform: &Platform, files: &[(&str, &[u8])]) -> String {
    let package = platform.package(files).await;
    let error = platform.service.stage(package).await.unwrap_err();
    assert_eq!(error.kind, StagingErrorKind::CompileFailed, "{error}");
    error.message
}

#[tokio::test]
async fn wsgi_apps_are_started_into_their_droplets() {
    let platform = Platform::new();
    let flask = staged(&platform, platform.sample("python-flask", &[]).await).await;
    assert_eq!(flask.process_types.get("web").map(String::as_str), Some("gunicorn app:app"));
    let (droplet, files) = platform.droplet(flask.droplet).await;
    let manifest = droplet.manifest();
    assert_eq!((manifest.guest, manifest.reuse), (GuestKind::HttpP2, ReusePolicy::Pool));
    assert!(manifest.software.iter().any(|software| software.name == "flask" && software.version == "3.1.3"), "{:?}", manifest.software);
    for file in ["templates/page.html", "task.py", ".virga/python314.zip", ".virga/packages/flask-3.1.3.dist-info/METADATA"] {
        assert!(files.iter().any(|found| found == file), "{file} is not in {files:?}");
    }
    let log = platform.lines.text();
    assert!(log.contains("Native parts of markupsafe cannot run in WebAssembly and are left out"), "{log}");
    assert!(!log.contains("is started in each instance"), "{log}");

    // Its start asks for what only the running instance knows; the line that asks is named.
    let wsgi = staged(&platform, platform.sample("python-wsgi", &[]).await).await;
    assert_eq!(wsgi.guest, GuestKind::HttpP2);
    let log = platform.lines.text();
    assert!(log.contains("main.py:10 reads os.environ['GREETING']: the app is started in each instance"), "{log}");
    let early = b"import secrets\nKEY = secrets.token_hex()\ndef app(environ, start_response):\n    return []\n".as_slice();
    staged(&platform, platform.sample("python-wsgi", &[("main.py", early)]).await).await;
    let log = platform.lines.text();
    assert!(log.contains("main.py:2 draws random numbers: the app is started in each instance"), "{log}");

    // Whom it asks while it starts is not there yet.
    let asking =
        b"import urllib.request\nurllib.request.urlopen('http://10.1.2.3/settings')\ndef app(environ, start_response):\n    return []\n";
    staged(&platform, platform.sample("python-wsgi", &[("main.py", asking)]).await).await;
    let log = platform.lines.text();
    assert!(log.contains("main.py:2 needs what is not there at staging") && log.contains("there is no network"), "{log}");

    // The same packages, other source: nothing is downloaded.
    let changed = b"from flask import Flask\napp = Flask(__name__)\n".as_slice();
    let again = staged(&platform, platform.sample("python-flask", &[("app.py", changed)]).await).await;
    assert_ne!(again.droplet, flask.droplet);
}

/// Stages Flask's sample with a module that answers this.
async fn edited(platform: &Platform, text: &str) -> Sha256Digest {
    let module = format!("from flask import Flask\napp = Flask(__name__)\n\n@app.get('/')\ndef hello():\n    return '{text}'\n");
    let request = platform.sample("python-flask", &[("app.py", module.as_bytes())]).await;
    staged(platform, request).await.droplet
}

/// Files of bytecode that an app's cache has.
fn bytecode(platform: &Platform) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(platform.cache().join("pip-bytecode")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[tokio::test]
async fn what_packages_were_compiled_to_is_kept_and_never_seen_in_a_droplet() {
    let (platform, other) = (Platform::new(), Platform::new());
    edited(&platform, "one").await;
    let files = bytecode(&platform);
    assert!(files.iter().any(|file| file.ends_with("flask.app.pyc")), "{files:?}");
    let written: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let warm = edited(&platform, "two").await;
    assert_eq!(bytecode(&platform).iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>(), written, "it is used, not made again");
    let cold = edited(&other, "two").await;
    assert_eq!(warm, cold, "a droplet does not tell what was staged before");

    // Broken entries: cut off, of another source, no bytecode at all, and one that is a folder.
    let broken: [&dyn Fn(&Path); 4] = [
        &|file| fs::write(file, &fs::read(file).unwrap()[..100]).unwrap(),
        &|file| fs::write(file, &written[0]).unwrap(),
        &|file| fs::write(file, b"import os").unwrap(),
        &|file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        },
    ];
    let last = files.iter().rev().take(broken.len());
    last.clone().zip(broken).for_each(|(file, break_it)| break_it(file));
    assert_eq!(edited(&platform, "three").await, edited(&other, "three").await, "nor what was wrong with it");
    assert_eq!(bytecode(&platform).iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>(), written, "it is made anew");

    // Evil code of one app's is that app's own.
    let mut stranger = platform.sample("python-flask", &[]).await;
    stranger.app = AppGuid::random();
    last.for_each(|file| fs::write(file, b"evil").unwrap());
    let unharmed = staged(&platform, stranger).await.droplet;
    assert_eq!(unharmed, staged(&other, other.sample("python-flask", &[]).await).await.droplet);
    assert!(files.iter().rev().take(4).all(|file| fs::read(file).unwrap() == b"evil"), "the other app's cache is not touched");
}

#[tokio::test]
async fn a_package_with_other_source_is_compiled_again() {
    let platform = Platform::new();
    edited(&platform, "one").await;
    let packages = fs::read_dir(platform.cache()).unwrap().map(|entry| entry.unwrap().path());
    let flask = packages.map(|folder| folder.join("flask/__init__.py")).find(|file| file.is_file()).unwrap();
    let source = fs::read_to_string(&flask).unwrap();
    fs::write(&flask, format!("{source}\nprint('another flask')\n")).unwrap();
    edited(&platform, "two").await;
    let log = platform.lines.text();
    assert_eq!(log.matches("another flask").count(), 1, "it runs, and what it says is shown once: {log}");
}

#[tokio::test]
async fn asgi_apps_and_projects_are_found_as_they_are_started() {
    let platform = Platform::new();
    for (sample, found) in
        [("python-fastapi", "main:app"), ("python-starlette", "python app.py"), ("python-django", "module site_of_rain.wsgi")]
    {
        let droplet = staged(&platform, platform.sample(sample, &[]).await).await;
        assert_eq!(droplet.guest, GuestKind::HttpP2, "{sample}");
        assert_eq!(droplet.buildpacks[0].detect_output, format!("Python app: {found}"), "{sample}");
    }
    let log = platform.lines.text();
    assert!(!log.contains("is started in each instance"), "{log}");

    // An app without a web process is a command.
    let worker = [
        ("Procfile", b"worker: python work.py\n".as_slice()),
        ("requirements.txt", b"".as_slice()),
        ("work.py", b"print('working')\n".as_slice()),
    ];
    let droplet = staged(&platform, platform.package(&worker).await).await;
    assert_eq!(droplet.guest, GuestKind::Command);
}

#[tokio::test]
async fn what_cannot_be_built_is_explained() {
    let platform = Platform::new();
    let none = ("requirements.txt", b"".as_slice());
    let message = refused(&platform, &[none, ("main.py", b"import a_module_that_is_not_there\n")]).await;
    assert!(message.contains("module main"), "{message}");
    let log = platform.lines.text();
    assert!(log.contains("No module named 'a_module_that_is_not_there'") && log.contains("File \"/main.py\", line 1"), "{log}");
    assert!(!log.contains("wasm backtrace"), "{log}");

    let message = refused(&platform, &[none, ("Procfile", b"web: gunicorn main:server\n"), ("main.py", b"app = 1\n")]).await;
    assert!(message.contains("main:server"), "{message}");
    assert!(platform.lines.text().contains("the module 'main' has no 'server'"), "{}", platform.lines.text());

    let native = [("requirements.txt", b"orjson==3.11.4\n".as_slice()), ("main.py", b"import orjson\napp = print\n".as_slice())];
    refused(&platform, &native).await;
    let log = platform.lines.text();
    assert!(log.contains("'orjson' cannot do without its machine code"), "{log}");

    let bounded = [("requirements.txt", b"pydantic>=2\n".as_slice()), ("main.py", b"import pydantic\napp = print\n".as_slice())];
    let message = refused(&platform, &bounded).await;
    assert!(message.contains("pydantic<2"), "{message}");
}
