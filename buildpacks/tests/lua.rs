//! Real stagings of Lua apps, with the real toolchain.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod harness;

use harness::Platform;
use virga_contract::staging::{Stager as _, StagingErrorKind};
use virga_model::{droplet::GuestKind, process::ReusePolicy};

#[tokio::test]
async fn lua_apps_become_components() {
    let platform = Platform::new();
    let staged = platform.service.stage(platform.sample("lua-wsapi", &[]).await).await;
    let staged = staged.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    let (droplet, files) = platform.droplet(staged.droplet).await;
    let manifest = droplet.manifest();
    assert_eq!((manifest.guest, manifest.reuse), (GuestKind::HttpP2, ReusePolicy::Pool));
    assert_eq!(manifest.environment.get("VIRGA_LUA_APP").map(String::as_str), Some("/app.lua"));
    assert!(files.iter().any(|file| file == "page.lua") && !files.iter().any(|file| file == "Procfile"), "{files:?}");

    // The same app once more, in another folder: the same droplet.
    let other = Platform::new();
    let again = other.service.stage(other.sample("lua-wsapi", &[]).await).await;
    assert_eq!(again.unwrap_or_else(|error| panic!("{error}")).droplet, staged.droplet);
}

#[tokio::test]
async fn what_lua_does_not_read_is_refused_with_its_line() {
    let platform = Platform::new();
    let refused = async |files: &[(&str, &[u8])]| {
        let error = platform.service.stage(platform.package(files).await).await.unwrap_err();
        assert_eq!(error.kind, StagingErrorKind::CompileFailed);
        error.message
    };
    let message = refused(&[("app.lua", b"return function(env\n")]).await;
    assert!(message.contains("no Lua 5.4"), "{message}");
    assert!(platform.lines.text().contains("./app.lua:2: ')' expected near"), "{}", platform.lines.text());
    let message = refused(&[("app.lua", b"\x1bLua"), ("-x.lua", b"")]).await;
    assert!(message.contains("no Lua 5.4"), "{message}");
    let message = refused(&[("app.lua", b""), ("lua_modules/lib/lua/5.4/cjson.so", b"")]).await;
    assert!(message.contains("lua_modules/lib/lua/5.4/cjson.so is machine code"), "{message}");
}
