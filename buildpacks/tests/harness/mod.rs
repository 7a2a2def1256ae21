//! A stager with a data folder of its own, real children and a real blobstore, and a log that keeps what it is told.

#![allow(dead_code, clippy::unwrap_used, reason = "test code; each test file uses its part")]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use virga_blobstore::{Blobstore, Kind};
use virga_buildpacks::{CUSTOM_BUILDER, StagingLimits, StagingPolicy, StagingService, StagingSetup};
use virga_contract::{
    logs::{Envelope, LogSink, Message},
    staging::{BuildpackInfo, OfferedBuildpack, Stager as _, StagingRequest},
};
use virga_model::{AppGuid, BuildGuid, Sha256Digest};

#[derive(Default)]
pub struct Lines(Mutex<Vec<String>>);

impl LogSink for Lines {
    fn emit(&self, envelope: Envelope) {
        assert_eq!(envelope.source_type, "STG");
        if let Message::Log { payload, .. } = envelope.message {
            self.0.lock().unwrap().push(String::from_utf8_lossy(&payload).into_owned());
        }
    }
}

impl Lines {
    pub fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

pub struct Platform {
    pub service: StagingService,
    pub blobs: Blobstore,
    pub lines: Arc<Lines>,
    pub app: AppGuid,
    folder: tempfile::TempDir,
}

pub const CODE_KEY: [u8; 32] = [7; 32];

impl Platform {
    pub fn new() -> Self {
        Self::with(StagingLimits::default())
    }

    pub fn with(limits: StagingLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobstore::in_folder(&folder.path().join("blobs")).unwrap();
        let lines = Arc::new(Lines::default());
        let service = StagingService::new(StagingSetup {
            data_dir: folder.path().join("data"),
            toolchains_dir: std::env::var_os("VIRGA_TOOLCHAINS_DIR").map(PathBuf::from),
            program: env!("CARGO_BIN_EXE_virga-buildpacks-child").into(),
            blobs: blobs.clone(),
            logs: lines.clone(),
            code_key: CODE_KEY,
            limits,
            policy: StagingPolicy::default(),
            denied_addresses: Vec::new(),
        });
        Self { service: service.unwrap(), blobs, lines, app: AppGuid::random(), folder }
    }

    /// Where package managers and interpreters keep what they will use again for this app.
    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("data/buildpacks/cache").join(self.app.to_string()).join("packages")
    }

    /// Zips files, given as names with their text, into a package.
    pub async fn package(&self, files: &[(&str, &[u8])]) -> StagingRequest {
        let package = self.zipped(Kind::Packages, files).await;
        self.request(package)
    }

    async fn zipped(&self, kind: Kind, files: &[(&str, &[u8])]) -> Sha256Digest {
        let path = self.folder.path().join("package.zip");
        let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        for (name, text) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(text).unwrap();
        }
        zip.finish().unwrap();
        self.blobs.put_file(kind, &path).await.unwrap().0
    }

    /// A buildpack of scripts for the shell, as one that was uploaded.
    pub async fn buildpack(&self, name: &str, scripts: &[(&str, &str)]) -> OfferedBuildpack {
        let files: Vec<(String, String)> =
            scripts.iter().map(|(program, script)| (format!("bin/{program}"), format!("#!/bin/bash\n{script}\n"))).collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
        let bits = self.zipped(Kind::Buildpacks, &files).await;
        OfferedBuildpack { name: name.to_owned(), builder: CUSTOM_BUILDER.to_owned(), version: None, detect: Vec::new(), bits: Some(bits) }
    }

    /// A request for this app with these buildpacks, by name.
    pub async fn custom(&self, files: &[(&str, &[u8])], buildpacks: &[OfferedBuildpack]) -> StagingRequest {
        let mut request = self.package(files).await;
        request.buildpacks = buildpacks.iter().map(|one| one.name.clone()).collect();
        request.offered.splice(0..0, buildpacks.iter().cloned());
        request
    }

    /// Zips a sample app of `tests/apps`, with more files over its own.
    pub async fn sample(&self, name: &str, more: &[(&str, &[u8])]) -> StagingRequest {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/apps").join(name);
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for path in tree(&root) {
            let inside = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if !more.iter().any(|(name, _)| *name == inside) {
                files.push((inside, fs::read(&path).unwrap()));
            }
        }
        let own = files.iter().map(|(name, text)| (name.as_str(), text.as_slice()));
        self.package(&own.chain(more.iter().copied()).collect::<Vec<_>>()).await
    }

    fn request(&self, package: Sha256Digest) -> StagingRequest {
        StagingRequest {
            build: BuildGuid::random(),
            app: self.app,
            package,
            buildpacks: Vec::new(),
            offered: self.service.buildpacks().into_iter().map(offer).collect(),
            environment: [("VCAP_APPLICATION".to_owned(), format!("{{\"version\":\"{}\"}}", BuildGuid::random()))].into(),
            memory_mb: 2048,
            disk_mb: 1024,
            timeout: Duration::from_secs(240),
        }
    }

    /// A droplet's manifest and the names of its files.
    pub async fn droplet(&self, digest: Sha256Digest) -> (virga_engine::DropletDir, Vec<String>) {
        let archive = self.folder.path().join("droplet");
        self.blobs.to_file(Kind::Droplets, &digest, &archive).await.unwrap();
        let into = self.folder.path().join(format!("unpacked-{digest}"));
        virga_engine::unpack(fs::File::open(archive).unwrap(), &into, virga_engine::UnpackLimits::default()).unwrap();
        let droplet = virga_engine::DropletDir::open(&into).unwrap();
        let files =
            droplet.files().map(|files| tree(&files).iter().map(|path| path.strip_prefix(&files).unwrap().display().to_string()).collect());
        (droplet, files.unwrap_or_default())
    }

    pub fn scratch_folders(&self) -> usize {
        ["staging", "compiling", "unpacking"]
            .iter()
            .filter_map(|name| fs::read_dir(self.folder.path().join("data/buildpacks").join(name)).ok())
            .map(Iterator::count)
            .sum()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

fn tree(root: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().flatten();
    entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

/// As a new installation offers it.
fn offer(known: BuildpackInfo) -> OfferedBuildpack {
    OfferedBuildpack { name: known.name.to_owned(), builder: known.name.to_owned(), version: None, detect: Vec::new(), bits: None }
}
