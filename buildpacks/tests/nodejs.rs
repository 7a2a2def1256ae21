//! Real stagings of Node.js apps, with the real toolchain.

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
async fn node_apps_become_components() {
    let platform = Platform::new();
    let hono = staged(&platform, platform.sample("javascript-hono", &[]).await).await;
    let (droplet, files) = platform.droplet(hono.droplet).await;
    let manifest = droplet.manifest();
    assert_eq!((manifest.guest, manifest.reuse), (GuestKind::HttpP2, ReusePolicy::Pool));
    assert!(manifest.software.iter().any(|software| software.name == "hono" && software.version == "4.13.19"), "{:?}", manifest.software);
    assert!(manifest.imports.iter().any(|import| import.starts_with("wasi:cli/environment@0.2.")), "{:?}", manifest.imports);
    assert_eq!(files, ["README.md", "package.json"]);
    assert_eq!(manifest.process_types.get("web").map(String::as_str), Some("node src/index.js"));

    // The second push changes the source: nothing is downloaded, and only the app's own part is new.
    let changed = b"export default { fetch: () => new Response(process.env.GREETING ?? 'changed') };\n".as_slice();
    let again = staged(&platform, platform.sample("javascript-hono", &[("src/index.js", changed)]).await).await;
    assert_ne!(again.droplet, hono.droplet);
    assert!(platform.lines.text().contains("nothing to download"), "{}", platform.lines.text());

    let early = b"const greeting = process.env.GREETING ?? 'none';\nexport default { fetch: () => new Response(greeting) };\n".as_slice();
    staged(&platform, platform.sample("javascript-hono", &[("src/index.js", early)]).await).await;
    assert!(platform.lines.text().contains("because its start uses process.env.GREETING (src/index.js:1)"), "{}", platform.lines.text());

    // The platform's own files are out of the bundler's reach.
    let secret = platform.data_dir().join("secret.json");
    std::fs::write(&secret, r#"{"key":"hunter2"}"#).unwrap();
    let thief = format!("import secret from '{}';\nexport default {{ fetch: () => new Response(secret.key) }};\n", secret.display());
    let error = platform.service.stage(platform.sample("javascript-hono", &[("src/index.js", thief.as_bytes())]).await).await.unwrap_err();
    assert_eq!(error.kind, StagingErrorKind::CompileFailed);
    let said = platform.lines.text();
    assert!(said.contains("Could not resolve") && said.contains("secret.json") && !said.contains("hunter2"), "{said}");

    let broken = platform.sample("javascript-hono", &[("src/index.js", b"import nothing from './absent.js';\n")]).await;
    let error = platform.service.stage(broken).await.unwrap_err();
    assert_eq!(error.kind, StagingErrorKind::CompileFailed);
    assert!(error.message.contains("started from src/index.js"), "{error}");
    assert!(platform.lines.text().contains("absent.js"), "{}", platform.lines.text());
}

#[tokio::test]
async fn unchanged_servers_become_components() {
    let platform = Platform::new();
    let express = staged(&platform, platform.sample("javascript-express", &[]).await).await;
    assert_eq!(express.process_types.get("web").map(String::as_str), Some("npm start"));
    // The same package, in another folder and with another app's cache, makes the same bytes.
    let elsewhere = StagingRequest { app: virga_model::AppGuid::random(), ..platform.sample("javascript-express", &[]).await };
    assert_eq!(staged(&platform, elsewhere).await.droplet, express.droplet);

    // Aliases of tsconfig.json are followed; what hinders a start at staging is named with its place.
    let fastify = staged(&platform, platform.sample("typescript-fastify", &[]).await).await;
    assert_eq!(fastify.guest, GuestKind::HttpP2);
    let log = platform.lines.text();
    assert!(log.contains("its start uses Math.random (node_modules/avvio/"), "{log}");
}

#[tokio::test]
async fn what_hinders_a_start_at_staging_is_named_with_its_line() {
    let platform = Platform::new();
    for (start, said) in [
        ("\nconst id = Math.random();", "Math.random (src/index.js:2)"),
        ("\n\nconst id = crypto.getRandomValues(new Uint8Array(4));", "crypto.getRandomValues (src/index.js:3)"),
        ("const id = process.env.REGION;", "process.env.REGION (src/index.js:1)"),
    ] {
        let text = format!("{start}\nexport default {{ fetch: () => new Response(String(id)) }};\n");
        staged(&platform, platform.package(&[("package.json", b"{}"), ("src/index.js", text.as_bytes())]).await).await;
        assert!(platform.lines.text().contains(said), "{said}\n{}", platform.lines.text());
    }
    // Timers wait for the instance; they are no reason.
    let before = platform.lines.text().matches("is started in each instance").count();
    let timer = b"setInterval(() => {}, 60000).unref();\nexport default { fetch: () => new Response('x') };\n".as_slice();
    staged(&platform, platform.package(&[("package.json", b"{}"), ("index.js", timer)]).await).await;
    assert_eq!(platform.lines.text().matches("is started in each instance").count(), before, "{}", platform.lines.text());
}

#[tokio::test]
async fn a_program_that_cannot_be_bundled_is_no_reason_to_refuse_the_app() {
    let platform = Platform::new();
    let files: [(&str, &[u8]); 4] = [
        ("package.json", b"{}"),
        ("index.js", b"module.exports = () => new Response('x');\n"),
        ("scripts/broken.js", b"let x = = 1;\n"),
        ("scripts/incomplete.js", b"require('nobody-installed-this');\n"),
    ];
    staged(&platform, platform.package(&files).await).await;
    let log = platform.lines.text();
    assert!(log.contains("scripts/broken.js cannot be run as a command: Unexpected"), "{log}");
    assert!(!log.contains("incomplete.js"), "{log}");
}
