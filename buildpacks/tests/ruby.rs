//! Real stagings of Ruby apps, with the real toolchain.

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

/// The message of a staging that must fail.
async fn refused(platform: &Platform, files: &[(&str, &[u8])]) -> String {
    let package = platform.package(files).await;
    let error = platform.service.stage(package).await.unwrap_err();
    assert_eq!(error.kind, StagingErrorKind::CompileFailed, "{error}");
    error.message
}

const PLAIN: &[u8] = b"run ->(env) { [200, { 'content-type' => 'text/plain' }, [ENV.fetch('GREETING', 'none')]] }\n";

#[tokio::test]
async fn rack_apps_are_started_into_their_droplets() {
    let platform = Platform::new();
    let sinatra = staged(&platform, platform.sample("ruby-sinatra", &[]).await).await;
    assert_eq!(sinatra.process_types.get("worker").map(String::as_str), Some("bundle exec ruby task.rb"));
    let (droplet, files) = platform.droplet(sinatra.droplet).await;
    let manifest = droplet.manifest();
    assert_eq!((manifest.guest, manifest.reuse), (GuestKind::HttpP2, ReusePolicy::Pool));
    assert!(manifest.software.iter().any(|software| software.name == "sinatra"), "{:?}", manifest.software);
    assert!(manifest.imports.iter().all(|import| !import.starts_with("wasi:sockets/")), "{:?}", manifest.imports);
    for file in ["views/page.erb", "task.rb", ".virga/lib/socket.rb"] {
        assert!(files.iter().any(|found| found == file), "{file} is not in {files:?}");
    }
    assert!(!files.iter().any(|file| file == ".virga/boot.rb" || file == "Procfile"), "{files:?}");
    let log = platform.lines.text();
    assert!(!log.contains("is started in each instance"), "{log}");

    // Another platform, in another folder, makes the same bytes of it.
    let other = Platform::new();
    let again = staged(&other, other.sample("ruby-sinatra", &[]).await).await;
    assert_eq!(again.droplet, sinatra.droplet);
}

#[tokio::test]
async fn what_only_a_running_instance_has_is_left_to_it() {
    // One platform for all: the second app's machine code is mostly the first one's.
    let platform = Platform::new();
    servers_that_apps_start_themselves_are_the_platform(&platform).await;
    // The request that warms the app up reads ENV: what the app keeps of it would be the build's, so there is none.
    staged(&platform, platform.package(&[("config.ru", PLAIN)]).await).await;
    let log = platform.lines.text();
    assert!(log.contains("tried with no request there, because that uses ENV['GREETING']"), "{log}");
    assert!(!log.contains("is started in each instance"), "{log}");

    let early = b"COLOUR = ENV.fetch('COLOUR', 'none')\nrun ->(_) { [200, {}, [COLOUR]] }\n".as_slice();
    staged(&platform, platform.package(&[("config.ru", early)]).await).await;
    let log = platform.lines.text();
    assert!(log.contains("because its start uses ENV['COLOUR']"), "{log}");

    let secret = b"require 'securerandom'\nKEY = SecureRandom.hex\nrun ->(_) { [200, {}, [KEY]] }\n".as_slice();
    staged(&platform, platform.package(&[("config.ru", secret)]).await).await;
    let log = platform.lines.text();
    assert!(log.contains("because its start uses SecureRandom"), "{log}");

    // An app without a web process is a command.
    let worker = [("Procfile", b"worker: ruby work.rb\n".as_slice()), ("work.rb", b"puts 'working'\n".as_slice())];
    assert_eq!(staged(&platform, platform.package(&worker).await).await.guest, GuestKind::Command);
}

async fn servers_that_apps_start_themselves_are_the_platform(platform: &Platform) {
    let classic = b"require 'sinatra'\nget('/') { 'hello' }\n".as_slice();
    let modular = b"require 'sinatra/base'\nclass Mine < Sinatra::Base\n  get('/') { 'hello' }\n  run! if app_file == $0\nend\n".as_slice();
    let server = b"require 'rack'\nRack::Handler.get('webrick').run(->(_) { [200, {}, ['hello']] }, Port: ENV['PORT'])\n".as_slice();
    for source in [classic, modular, server] {
        let app = [("Procfile", b"web: bundle exec ruby serve.rb\n".as_slice()), ("serve.rb", source)];
        let droplet = staged(platform, platform.package(&app).await).await;
        assert_eq!(droplet.buildpacks[0].detect_output, "Ruby app, serve.rb");
    }
    let log = platform.lines.text();
    assert!(!log.contains("is started in each instance"), "{log}");
}

#[tokio::test]
async fn what_cannot_be_built_is_explained() {
    let platform = Platform::new();
    let message = refused(&platform, &[("config.ru", b"require 'a_library_that_is_not_there'\n")]).await;
    assert!(message.contains("could not be started from config.ru"), "{message}");
    let log = platform.lines.text();
    assert!(log.contains("cannot load such file -- a_library_that_is_not_there") && log.contains("/config.ru:1"), "{log}");
    assert!(!log.contains("wasm backtrace"), "{log}");

    let message = refused(&platform, &[("Gemfile", b"gem 'a-gem-that-is-not-there'\n"), ("config.ru", PLAIN)]).await;
    assert!(message.contains("'a-gem-that-is-not-there'") && message.contains("bundle package"), "{message}");

    refused(&platform, &[("config.ru", b"Thread.new { 1 }.join\nrun ->(_) { [200, {}, []] }\n")]).await;
    let log = platform.lines.text();
    assert!(log.contains("there are no threads in a WebAssembly instance"), "{log}");

    // The platform's own files are out of its reach.
    refused(&platform, &[("config.ru", b"File.read('/etc/hostname').tap { |text| raise text }\n")]).await;
    let log = platform.lines.text();
    assert!(log.contains("No such file or directory @ rb_sysopen - /etc/hostname"), "{log}");
}
