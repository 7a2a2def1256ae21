//! The blobstore on a real folder.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure here is a failed test")]

use bytes::Bytes;
use futures::TryStreamExt as _;
use std::path::{Path, PathBuf};
use virga_blobstore::{BlobError, Blobstore, BlobstoreConfig, Kind};
use virga_model::Sha256Digest;

fn folder() -> (tempfile::TempDir, Blobstore) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobstore::in_folder(&folder.path().join("blobs")).unwrap();
    (folder, blobs)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn what_goes_in_comes_out_by_its_digest() {
    let (folder, blobs) = folder();
    let big: Vec<u8> = (0..20_000_003_u32).map(|i| (i % 251) as u8).collect();
    let source = folder.path().join("source");
    std::fs::write(&source, &big).unwrap();
    let (digest, size) = blobs.put_file(Kind::Packages, &source).await.unwrap();
    assert_eq!((digest, size), (Sha256Digest::of(&big), 20_000_003));
    assert_eq!(blobs.size(Kind::Packages, &digest).await.unwrap(), Some(20_000_003));
    assert!(!blobs.exists(Kind::Droplets, &digest).await.unwrap(), "kinds are apart");

    let out = folder.path().join("out");
    blobs.to_file(Kind::Packages, &digest, &out).await.unwrap();
    assert!(std::fs::read(&out).unwrap() == big);
    let streamed: Vec<Bytes> = blobs.open(Kind::Packages, &digest).await.unwrap().try_collect().await.unwrap();
    assert!(streamed.concat() == big);

    blobs.delete(Kind::Packages, &digest).await.unwrap();
    blobs.delete(Kind::Packages, &digest).await.unwrap();
    assert!(matches!(blobs.open(Kind::Packages, &digest).await.err(), Some(BlobError::NotFound(_))));
}

#[tokio::test]
async fn damage_on_the_disk_is_found_and_healed_by_storing_again() {
    let (folder, blobs) = folder();
    let bytes = Bytes::from_static(b"the droplet's bytes");
    let digest = blobs.put_bytes(Kind::Droplets, bytes.clone()).await.unwrap();
    let [file] = files(&folder.path().join("blobs")).try_into().unwrap();
    std::fs::write(&file, b"the droplet's bytez").unwrap();

    let streamed: Result<Vec<Bytes>, _> = blobs.open(Kind::Droplets, &digest).await.unwrap().try_collect().await;
    assert_eq!(streamed.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    assert!(matches!(blobs.read(Kind::Droplets, &digest).await, Err(BlobError::Corrupt { .. })));
    let out = folder.path().join("out");
    assert!(matches!(blobs.to_file(Kind::Droplets, &digest, &out).await, Err(BlobError::Corrupt { .. })));
    assert!(!out.exists(), "a file that is not right never appears");

    blobs.put_bytes(Kind::Droplets, bytes.clone()).await.unwrap();
    assert_eq!(blobs.read(Kind::Droplets, &digest).await.unwrap(), bytes);
}

#[tokio::test]
async fn names_stay_in_their_bucket() {
    let (folder, blobs) = folder();
    blobs.put_named(Kind::Code, "../../../escape", Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(blobs.read_named(Kind::Code, "../../../escape").await.unwrap().as_deref(), Some(&b"x"[..]));
    assert_eq!(blobs.read_named(Kind::Code, "other").await.unwrap(), None);
    let root = folder.path().join("blobs").join("code");
    assert!(files(folder.path()).iter().all(|file| file.starts_with(&root)));
}

#[tokio::test]
async fn named_blobs_are_deleted_together_and_by_their_age() {
    let (_folder, blobs) = folder();
    for name in ["abc/one", "abc/two", "abcd/one", "x/one"] {
        blobs.put_named(Kind::Code, name, Bytes::from_static(b"x")).await.unwrap();
    }
    let there = async |name| blobs.read_named(Kind::Code, name).await.unwrap().is_some();
    blobs.delete_all_named(Kind::Code, "abc").await.unwrap();
    assert!(!there("abc/one").await && !there("abc/two").await);
    assert!(there("abcd/one").await, "whole parts count");
    blobs.delete_all_named(Kind::Code, "was never there").await.unwrap();

    blobs.put_named(Kind::Code, "x/two", Bytes::from_static(b"x")).await.unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let now = std::time::SystemTime::now();
    assert_eq!(blobs.delete_old_named(Kind::Code, now - hour, |name| name == "one").await.unwrap(), 0, "they are young");
    assert_eq!(blobs.delete_old_named(Kind::Code, now + hour, |name| name == "one").await.unwrap(), 2);
    assert!(!there("abcd/one").await && !there("x/one").await && there("x/two").await);
}

#[tokio::test]
async fn a_place_that_cannot_be_is_refused_at_once() {
    let config = BlobstoreConfig { location: "s3://".to_owned(), ..BlobstoreConfig::default() };
    assert!(matches!(Blobstore::open_at(&config), Err(BlobError::Location { .. })));
    let config = BlobstoreConfig { location: "/dev/null/blobs".to_owned(), ..BlobstoreConfig::default() };
    assert!(matches!(Blobstore::open_at(&config), Err(BlobError::Location { .. })));
}
