//! The same package gives the same droplet, whichever platform stages it, in whichever folder.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod harness;

use harness::Platform;
use virga_contract::staging::Stager as _;
use virga_model::Sha256Digest;

/// Sample apps, among them such whose droplet has an image of their started memory.
const SAMPLES: &[&str] = &["static-site", "javascript-hono", "python-flask"];
const COMMAND: &[u8] = b"(module (memory (export \"memory\") 1) (func (export \"_start\")))";

async fn digest_of(sample: Option<&str>) -> Sha256Digest {
    let platform = Platform::new();
    let request = match sample {
        Some(sample) => platform.sample(sample, &[]).await,
        None => platform.package(&[("app.wat", COMMAND), ("data/motd.txt", b"hi"), ("Procfile", b"web: one\n")]).await,
    };
    let staged = platform.service.stage(request).await;
    staged.unwrap_or_else(|error| panic!("{sample:?}: {error}\n{}", platform.lines.text())).droplet
}

#[tokio::test]
async fn the_same_package_is_the_same_droplet_anywhere() {
    for sample in [None].into_iter().chain(SAMPLES.iter().copied().map(Some)) {
        let (one, other) = (digest_of(sample).await, digest_of(sample).await);
        assert_eq!(one, other, "{sample:?}");
    }
}
