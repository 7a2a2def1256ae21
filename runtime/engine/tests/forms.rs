//! The forms code travels in: archives that are reproducible and safe to unpack, code files that load only if authentic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};
use virga_engine::{DropletDir, UnpackLimits, archive, code::CodeError, code::CodeSeal, compile, engine_key, for_compiling, for_running};
use virga_model::{
    Sha256Digest,
    droplet::{BuildpackRef, DropletManifest, GuestKind},
    process::ReusePolicy,
};

const HELLO: &str = include_str!("../../../tests/apps/wat-hello/app.wat");

fn manifest() -> DropletManifest {
    DropletManifest {
        format: 1,
        guest: GuestKind::Static,
        component: None,
        reuse: ReusePolicy::Request,
        process_types: BTreeMap::from([("web".into(), String::new())]),
        buildpack: BuildpackRef { name: "staticfile".into(), version: "1".into() },
        environment: BTreeMap::new(),
        imports: vec![],
        software: vec![],
        site: None,
    }
}

#[test]
fn code_of_the_compiling_engine_loads_in_the_running_engine_and_only_if_authentic() {
    let folder = tempfile::tempdir().unwrap();
    let wasm = wat::parse_str(HELLO).unwrap();
    let component = Sha256Digest::of(&wasm);
    let compiling = for_compiling(Some(&folder.path().join("functions"))).unwrap();
    let running = for_running(virga_engine::RunLimits { wasm_instances: 4 }).unwrap();
    assert_eq!(engine_key(&compiling), engine_key(&running), "staged code would have to be compiled again");

    let code = compile(&compiling, &wasm, |_| false).unwrap().code;
    let again = compile(&for_compiling(Some(&folder.path().join("functions"))).unwrap(), &wasm, |_| false).unwrap().code;
    assert_eq!(code, again, "the function cache changed the code");

    let seal = CodeSeal::new([7; 32], engine_key(&running));
    let path = folder.path().join("app.code");
    fs::write(&path, seal.seal(&component, code.clone())).unwrap();
    assert!(seal.load(&running, &component, &path).is_ok());
    assert!(seal.load(&running, &component, &path).is_ok(), "known file");

    let refused = |seal: &CodeSeal, component: &Sha256Digest| matches!(seal.load(&running, component, &path), Err(CodeError::NotAuthentic));
    assert!(refused(&CodeSeal::new([8; 32], engine_key(&running)), &component), "another platform's key");
    assert!(refused(&CodeSeal::new([7; 32], "another engine"), &component), "another engine");
    assert!(refused(&seal, &Sha256Digest::of(b"another component")), "another component");
    let mut tampered = seal.seal(&component, code);
    tampered[1000] ^= 1;
    fs::write(&path, &tampered).unwrap();
    assert!(refused(&seal, &component), "one bit changed, also in a file known before");
    fs::write(&path, b"short").unwrap();
    assert!(refused(&seal, &component));
}

#[test]
fn code_loads_while_another_worker_puts_its_own_copy_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let wasm = wat::parse_str(HELLO).unwrap();
    let component = Sha256Digest::of(&wasm);
    let code = compile(&for_compiling(None).unwrap(), &wasm, |_| false).unwrap().code;
    let running = for_running(virga_engine::RunLimits { wasm_instances: 4 }).unwrap();
    let seal = || CodeSeal::new([7; 32], engine_key(&running));
    let (path, scratch) = (folder.path().join("app.code"), folder.path().join("scratch"));
    let sealed = seal().seal(&component, code);
    let put = || {
        fs::write(&scratch, &sealed).unwrap();
        fs::rename(&scratch, &path).unwrap();
    };
    put();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                put();
            }
        });
        let problems: Vec<_> = (0..500).filter_map(|_| seal().load(&running, &component, &path).err()).collect();
        is_over.store(true, Relaxed);
        assert!(problems.is_empty(), "{}: {:?}", problems.len(), problems[0]);
    });
}

#[test]
fn the_same_input_gives_the_same_archive_and_comes_back_out() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("src");
    fs::create_dir_all(files.join("b/c")).unwrap();
    fs::write(files.join("b/c/two.txt"), "two").unwrap();
    fs::write(files.join("a.txt"), "one").unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let written = archive::write(&mut first, &manifest(), Some(b"wasm"), Some(&files)).unwrap();
    fs::write(files.join("a.txt"), "one").unwrap();
    archive::write(&mut second, &manifest(), Some(b"wasm"), Some(&files)).unwrap();
    assert_eq!(first, second);
    assert_eq!((written.digest, written.size_bytes), (Sha256Digest::of(&first), first.len() as u64));

    let into = folder.path().join("out/droplet");
    virga_engine::unpack(first.as_slice(), &into, UnpackLimits::default()).unwrap();
    virga_engine::unpack(first.as_slice(), &into, UnpackLimits::default()).unwrap();
    let droplet = DropletDir::open(&into).unwrap();
    assert_eq!(droplet.manifest(), &manifest());
    assert_eq!(fs::read(droplet.component()).unwrap(), b"wasm");
    assert_eq!(fs::read(droplet.files().unwrap().join("b/c/two.txt")).unwrap(), b"two");
    assert_eq!(fs::read_dir(into.parent().unwrap()).unwrap().count(), 1, "scratch folders were left behind");
}

/// An archive with one entry under a name that the tar crate itself would refuse to write.
fn hostile(name: &str, kind: tar::EntryType, link: Option<&str>) -> Vec<u8> {
    let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    if let Some(link) = link {
        header.set_link_name(link).unwrap();
    }
    header.set_entry_type(kind);
    header.set_size(4);
    header.set_cksum();
    tar.append(&header, &b"evil"[..]).unwrap();
    let mut encoder = tar.into_inner().unwrap();
    encoder.flush().unwrap();
    encoder.finish().unwrap()
}

#[test]
fn hostile_archives_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("in/droplet");
    let unpack = |bytes: &[u8], limits| virga_engine::unpack(bytes, &into, limits).unwrap_err().to_string();
    for name in ["../evil", "/etc/evil", "files/../../evil", "other/evil", "droplet.json/evil"] {
        let error = unpack(&hostile(name, tar::EntryType::Regular, None), UnpackLimits::default());
        assert!(error.contains("droplet"), "{name}: {error}");
    }
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Fifo] {
        let error = unpack(&hostile("files/x", kind, Some("/etc/passwd")), UnpackLimits::default());
        assert!(error.contains("neither a file nor a folder"), "{error}");
    }
    let mut big = Vec::new();
    archive::write(&mut big, &manifest(), Some(&vec![0; 1 << 20]), None).unwrap();
    assert!(unpack(&big, UnpackLimits { bytes: 1 << 19, entries: 10 }).contains("more than 524288 bytes"));
    assert!(unpack(&big, UnpackLimits { bytes: 1 << 30, entries: 1 }).contains("more than 1 entries"));
    assert!(!Path::new(&into).exists());
    assert_eq!(fs::read_dir(into.parent().unwrap()).unwrap().count(), 0);
}
