//! Apps on one language engine share its code: real stagings of samples.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod harness;

use futures::TryStreamExt as _;
use harness::{CODE_KEY, Platform};
use virga_blobstore::Kind;
use virga_contract::staging::Stager as _;
use virga_engine::{
    code::{Code, CodeSeal},
    shared,
};
use virga_model::Sha256Digest;

const SAMPLES: &[&str] = &["javascript-hono", "typescript-fastify", "python-flask", "ruby-rack"];

struct Staged {
    droplet: Sha256Digest,
    component: Sha256Digest,
    /// Bytes of the portable component.
    bytes: usize,
}

async fn staged(platform: &Platform, sample: &str) -> Staged {
    let result = platform.service.stage(platform.sample(sample, &[]).await).await;
    let droplet = result.unwrap_or_else(|error| panic!("{sample}: {error}\n{}", platform.lines.text())).droplet;
    let (unpacked, _) = platform.droplet(droplet).await;
    let bytes = std::fs::read(unpacked.component()).unwrap().len();
    Staged { droplet, component: unpacked.manifest().component.unwrap(), bytes }
}

async fn code(platform: &Platform, droplet: Sha256Digest, program: Sha256Digest, key: &str) -> Vec<u8> {
    platform.service.code(droplet, program, key).await.unwrap().map_ok(|piece| piece.to_vec()).try_concat().await.unwrap()
}

/// The core modules that an app's code imports.
async fn imported(platform: &Platform, staged: &Staged) -> Vec<Sha256Digest> {
    let engines = virga_engine::for_running(virga_engine::RunLimits { wasm_instances: 1 }).unwrap();
    let key = virga_engine::engine_key(&engines);
    let sealed = code(platform, staged.droplet, staged.component, &key).await;
    // An image of memory has pages of zeros, which the component has not.
    let bytes = sealed.iter().filter(|byte| **byte != 0).count();
    assert!(bytes < staged.bytes, "machine code is larger than what it is made of: the engine's is in it");
    let file = platform.data_dir().join("code");
    std::fs::write(&file, sealed).unwrap();
    let Code::Component(component, _) = CodeSeal::new(CODE_KEY, key).load(&engines, &staged.component, &file).unwrap() else {
        panic!("an app on an engine is a component")
    };
    let kind = component.component_type();
    kind.imports(engines.of(virga_engine::Flavor::Plain)).filter_map(|(name, _)| shared::digest(name)).collect()
}

#[tokio::test]
async fn the_code_of_an_engine_is_there_once() {
    let platform = Platform::new();
    let mut engines = Vec::new();
    for sample in SAMPLES {
        let found = imported(&platform, &staged(&platform, sample).await).await;
        assert!(!found.is_empty(), "{sample}");
        engines.push(found);
    }
    let [hono, fastify, flask, rack] = engines.try_into().unwrap();
    assert_eq!(hono, fastify, "two apps in JavaScript");
    assert!(hono != flask && flask != rack);
}

#[tokio::test]
async fn lost_shared_code_is_brought_again() {
    let platform = Platform::new();
    let staged = staged(&platform, "javascript-hono").await;
    let key = virga_engine::engine_key(&virga_engine::for_compiling(None).unwrap());
    let found = imported(&platform, &staged).await;
    for digest in &found {
        let before = code(&platform, staged.droplet, *digest, &key).await;
        platform.blobs.delete_named(Kind::Code, &format!("{digest}/{key}")).await.unwrap();
        assert!(code(&platform, staged.droplet, *digest, &key).await == before, "the same code for the same module");
    }
    let nobodys = Sha256Digest::of(b"no code");
    assert!(platform.service.code(staged.droplet, nobodys, &key).await.is_err());
}
