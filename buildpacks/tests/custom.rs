//! Buildpacks of users with real programs in real sandboxes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod harness;

use harness::Platform;
use virga_contract::staging::{Stager as _, StagingErrorKind};
use virga_model::droplet::GuestKind;

const COMMAND: &str = "(module (memory (export \"memory\") 1) (func (export \"_start\")))";
const DETECT: &str = "[ -f \"$1/corp.toml\" ] && echo Corp 7";

#[tokio::test]
async fn what_detects_builds_and_releases_a_program() {
    let platform = Platform::new();
    let wasm = wat::parse_str(COMMAND).unwrap();
    let compile = "echo \"compiling on $CF_STACK\"; echo \"$VCAP_APPLICATION\" | grep -q version || exit 9\n\
                   mkdir \"$1/out\" && cp \"$1/lib.bin\" \"$1/out/server.wasm\"; date >> \"$2/times\"; wc -l < \"$2/times\" | sed 's/^/stagings: /'";
    let release = "printf -- '---\\ndefault_process_types:\\n  web: ./out/server.wasm\\n  worker: ./out/server.wasm --work\\n'";
    let corp = platform.buildpack("corp", &[("detect", DETECT), ("compile", compile), ("release", release)]).await;
    let files: &[(&str, &[u8])] = &[("corp.toml", b""), ("lib.bin", &wasm), ("index.html", b"")];
    let mut request = platform.custom(files, std::slice::from_ref(&corp)).await;
    request.buildpacks.clear();
    request.environment.insert("CF_STACK".into(), "wasi".into());
    request.environment.insert("SECRET".into(), "hunter2".into());
    let staged = platform.service.stage(request.clone()).await.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    assert_eq!(staged.guest, GuestKind::Cgi);
    assert_eq!(staged.process_types["worker"], "./out/server.wasm --work");
    assert_eq!(
        (staged.buildpacks.len(), staged.buildpacks[0].name.as_str(), staged.buildpacks[0].detect_output.as_str()),
        (1, "corp", "Corp 7")
    );
    let said = platform.lines.text();
    assert!(said.contains("compiling on wasi") && said.contains("stagings: 1"), "{said}");

    // The buildpack's cache is there again, and the same result is the same droplet.
    let again = platform.service.stage(request.clone()).await.unwrap();
    assert_eq!(again.droplet, staged.droplet);
    assert!(platform.lines.text().contains("stagings: 2"), "{}", platform.lines.text());

    // An app that it does not want goes to the next that does.
    let mut site = platform.custom(&[("index.html", b"<h1>hi</h1>")], &[corp]).await;
    site.buildpacks.clear();
    let site = platform.service.stage(site).await.unwrap();
    assert_eq!((site.guest, site.buildpacks[0].name.as_str()), (GuestKind::Static, "staticfile"));
    assert_eq!(platform.scratch_folders(), 0);
}

#[tokio::test]
async fn several_supply_and_the_last_finalizes() {
    let platform = Platform::new();
    let supply = "echo first > \"$3/$4/made\"; true";
    let first = platform.buildpack("first", &[("supply", supply)]).await;
    let finalize = "[ \"$4\" = 1 ] || exit 8; cat \"$3/0/made\" > \"$1/index.html\"; ls \"$5\" 2>/dev/null; true";
    let last = platform.buildpack("last", &[("supply", "true"), ("finalize", finalize)]).await;
    let request = platform.custom(&[("notes.txt", b"")], &[first.clone(), last]).await;
    let staged = platform.service.stage(request).await.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    assert_eq!(staged.guest, GuestKind::Static);
    assert_eq!(staged.buildpacks.iter().map(|used| used.name.as_str()).collect::<Vec<_>>(), ["first", "last"]);
    let (droplet, files) = platform.droplet(staged.droplet).await;
    assert!(files.contains(&"index.html".to_owned()), "{files:?}");
    assert_eq!(std::fs::read(droplet.files().unwrap().join("index.html")).unwrap(), b"first\n");

    // One of ours as the last.
    let writer = platform.buildpack("writer", &[("supply", "echo supplied > \"$1/index.html\"")]).await;
    let mut request = platform.custom(&[("notes.txt", b"")], std::slice::from_ref(&writer)).await;
    request.buildpacks.push("staticfile".into());
    let staged = platform.service.stage(request).await.unwrap();
    assert_eq!(staged.buildpacks.iter().map(|used| used.name.as_str()).collect::<Vec<_>>(), ["writer", "staticfile"]);

    let only_last = platform.buildpack("old", &[("compile", "true")]).await;
    let error = platform.service.stage(platform.custom(&[("index.html", b"")], &[only_last, writer]).await).await.unwrap_err();
    assert!(error.message.contains("'old' has no bin/supply and can only be the last one"), "{error}");
}

#[tokio::test]
async fn each_phase_fails_with_its_own_word() {
    let platform = Platform::new();
    let app: &[(&str, &[u8])] = &[("readme.md", b"")];
    let mut nobody = platform.custom(app, &[platform.buildpack("corp", &[("detect", DETECT), ("compile", "true")]).await]).await;
    nobody.buildpacks.clear();
    assert_eq!(platform.service.stage(nobody).await.unwrap_err().kind, StagingErrorKind::NoAppDetected);
    for (scripts, kind, words) in [
        (&[("compile", "echo no luck; exit 3")][..], StagingErrorKind::CompileFailed, "bin/compile of 'corp' ended with exit status: 3"),
        (&[("supply", "exit 4"), ("finalize", "true")], StagingErrorKind::CompileFailed, "bin/supply of 'corp' ended with exit status: 4"),
        (&[("compile", "true"), ("release", "exit 5")], StagingErrorKind::ReleaseFailed, "bin/release of 'corp' ended with exit status: 5"),
        (&[("compile", "true"), ("release", "echo '[a'")], StagingErrorKind::ReleaseFailed, "YAML that cannot be read"),
        (&[("compile", "true")], StagingErrorKind::CompileFailed, "left no WebAssembly program"),
        (&[("detect", "true")], StagingErrorKind::CompileFailed, "neither bin/finalize nor bin/compile"),
        (&[("compile", "rm -rf \"$1\"; ln -s / \"$1\"")], StagingErrorKind::CompileFailed, "it is no folder any more"),
    ] {
        let corp = platform.buildpack("corp", scripts).await;
        let error = platform.service.stage(platform.custom(app, &[corp]).await).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
    assert!(platform.lines.text().contains("no luck"));
    let mut far = platform.package(app).await;
    far.buildpacks = vec!["https://127.0.0.1/buildpack.zip".into()];
    let error = platform.service.stage(far).await.unwrap_err();
    assert!(error.message.contains("an address that builds may not reach"), "{error}");
}
