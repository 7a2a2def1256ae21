//! Real stagings of the samples in C and C++.

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
async fn c_and_cpp_programs_answer_requests_or_speak_cgi() {
    let platform = Platform::new();
    let c = staged(&platform, platform.sample("c-http", &[]).await).await;
    let (droplet, files) = platform.droplet(c.droplet).await;
    let manifest = droplet.manifest();
    assert_eq!((manifest.guest, manifest.reuse), (GuestKind::HttpP2, ReusePolicy::Pool));
    assert!(manifest.imports.iter().any(|import| import.starts_with("wasi:http/types@0.2.")), "{:?}", manifest.imports);
    assert_eq!(files, ["README.md"]);
    assert_eq!(staged(&platform, platform.sample("c-http", &[]).await).await.droplet, c.droplet);

    let worker = platform.sample("c-http", &[("Procfile", b"worker: app work\n".as_slice())]).await;
    assert_eq!(staged(&platform, worker).await.guest, GuestKind::Command);

    let cgi = staged(&platform, platform.sample("c-cgi", &[]).await).await;
    assert_eq!(cgi.guest, GuestKind::Cgi);
    let (droplet, _) = platform.droplet(cgi.droplet).await;
    let pages = first_pages(&std::fs::read(droplet.component()).unwrap());
    assert!(pages < 48, "it begins with {pages} pages of memory: more than a stack of 1 MiB and its small data");
    assert_eq!(staged(&platform, platform.sample("cpp-cmake", &[]).await).await.guest, GuestKind::HttpP2);

    let broken = platform.sample("c-http", &[("main.c", b"int main(void) { return nothing; }\n".as_slice())]).await;
    let error = platform.service.stage(broken).await.unwrap_err();
    assert_eq!(error.kind, StagingErrorKind::CompileFailed);
    assert!(platform.lines.text().contains("use of undeclared identifier 'nothing'"), "{}", platform.lines.text());

    let two: [(&str, &[u8]); 3] =
        [("one.c", b"int main(void) { return 1; }\n"), ("two.c", b"int main(void) { return 2; }\n"), ("Makefile", b"all: one two\n")];
    let error = platform.service.stage(platform.package(&two).await).await.unwrap_err();
    assert!(error.message.contains("2 programs (one, two)"), "{error}");
}

/// Pages of 64 KiB of the largest memory that it begins with.
fn first_pages(wasm: &[u8]) -> u64 {
    let memories = wasmparser::Parser::new(0).parse_all(wasm).filter_map(|payload| match payload.unwrap() {
        wasmparser::Payload::MemorySection(section) => section.into_iter().map(|memory| memory.unwrap().initial).max(),
        _ => None,
    });
    memories.max().unwrap()
}
