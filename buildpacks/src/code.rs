//! Precompiled code of components: made in a limited process, sealed, kept in the blobstore, handed to the cells.

use crate::{
    child::{
        command,
        entry::SHARED_LIST,
        run::{self, Ended, Limit, Watch},
    },
    config::StagingLimits,
    scratch::Scratch,
    toolchain,
};
use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::{Duration, SystemTime},
};
use virga_blobstore::{BlobError, Blobstore, Kind};
use virga_contract::{ByteStream, cell::LinkError};
use virga_engine::{DropletDir, UnpackLimits, code::CodeSeal};
use virga_model::Sha256Digest;

/// How long code of other engines is kept after the engine has changed.
const OTHERS_CODE_STAYS: Duration = Duration::from_secs(7 * 86_400);

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    /// The component is at fault; the text is the engine's.
    #[error("the component cannot be compiled: {0}")]
    Component(String),
    /// The component needs more than a limit gives.
    #[error("compiling the component hit the limit on {0}")]
    Limit(&'static str),
    /// The platform failed.
    #[error("the platform failed to compile: {0}")]
    Platform(String),
}

impl From<BlobError> for CompileError {
    fn from(error: BlobError) -> Self {
        Self::Platform(error.to_string())
    }
}

impl From<std::io::Error> for CompileError {
    fn from(error: std::io::Error) -> Self {
        Self::Platform(error.to_string())
    }
}

/// Makes and gives code.
pub(crate) struct Compiler {
    pub(crate) blobs: Blobstore,
    pub(crate) program: PathBuf,
    /// Folder of this room; scratch folders and the cache of functions lie in it.
    pub(crate) folder: PathBuf,
    /// Where toolchains are.
    pub(crate) toolchains: PathBuf,
    pub(crate) seal: CodeSeal,
    pub(crate) limits: StagingLimits,
    pub(crate) permits: tokio::sync::Semaphore,
    /// Who compiles what now: a second asker waits for the first instead of compiling too.
    pub(crate) in_flight: std::sync::Mutex<HashMap<Sha256Digest, Arc<tokio::sync::Mutex<()>>>>,
}

impl Compiler {
    fn name(&self, component: &Sha256Digest) -> String {
        format!("{component}/{}", self.seal.engine_key())
    }

    /// Whether sealed code of the component for this engine is there.
    pub(crate) async fn has(&self, component: &Sha256Digest) -> bool {
        self.blobs.open_named(Kind::Code, &self.name(component)).await.is_ok()
    }

    /// Removes code that was made for other engines, by earlier versions of this program: it would never be asked for again. Not
    /// before this engine has been the platform's for [`OTHERS_CODE_STAYS`]: until then an upgrade may be taken back.
    pub(crate) async fn clear_others(&self) -> Result<u64, BlobError> {
        let mark = self.folder.join("engine");
        if !fs::read_to_string(&mark).is_ok_and(|known| known == self.seal.engine_key()) {
            fs::write(&mark, self.seal.engine_key())?;
        }
        let before = SystemTime::now() - OTHERS_CODE_STAYS;
        if fs::metadata(&mark)?.modified()? >= before {
            return Ok(0);
        }
        self.blobs.delete_old_named(Kind::Code, before, |engine_key| engine_key != self.seal.engine_key()).await
    }

    /// Makes the code of a component that lies in a file, unless it is there already.
    /// Toolchains of the buildpack of this name may have parts of it already.
    pub(crate) async fn ensure(&self, component: Sha256Digest, wasm: &Path, buildpack: &str) -> Result<(), CompileError> {
        self.in_turn(component, async || if self.has(&component).await { Ok(()) } else { self.make(component, wasm, buildpack).await })
            .await
    }

    /// One at a time for each component: who comes second finds the work done.
    async fn in_turn<T>(&self, component: Sha256Digest, work: impl AsyncFnOnce() -> T) -> T {
        let turn = Arc::clone(self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).entry(component).or_default());
        let result = {
            let _turn = turn.lock().await;
            work().await
        };
        drop(turn);
        // The last one to leave clears the entry: then only the map itself holds it.
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, turn| Arc::strong_count(turn) > 1);
        result
    }

    async fn make(&self, component: Sha256Digest, wasm: &Path, buildpack: &str) -> Result<(), CompileError> {
        let closed = |_| CompileError::Platform("the platform is stopping".into());
        let _permit = self.permits.acquire().await.map_err(closed)?;
        let scratch = Scratch::new(self.folder.join("compiling").join(component.to_string()))?;
        let out = scratch.path().join("code");
        let cache = self.folder.join("functions");
        std::fs::create_dir_all(&cache)?;
        let shared = toolchain::shared(&self.toolchains, buildpack).map_err(|error| CompileError::Platform(error.to_string()))?;
        let paths = [wasm, &out, &cache].into_iter().chain(shared.iter().map(PathBuf::as_path));
        let arguments: Vec<&OsStr> = ["compile".as_ref()].into_iter().chain(paths.map(Path::as_os_str)).collect();
        let command = command::prepare(&self.program, &arguments, scratch.path(), &BTreeMap::new());
        match run::run(command, &self.watch(scratch.path()), None).await? {
            Ended::Exited { status, .. } if status.success() => {}
            Ended::Exited { last_lines, .. } => return Err(CompileError::Component(last_lines.join(" "))),
            Ended::Stopped(Limit::Memory) => return Err(CompileError::Limit("memory")),
            Ended::Stopped(Limit::Wall) => return Err(CompileError::Limit("time")),
            Ended::Stopped(_) => return Err(CompileError::Limit("disk")),
        }
        let list = tokio::fs::read_to_string(out.with_extension(SHARED_LIST)).await?;
        for digest in list.lines() {
            let digest = digest.parse().map_err(|_| CompileError::Platform(format!("'{digest}' is no digest")))?;
            self.keep_shared(digest, &shared).await?;
        }
        // After what it needs: whoever finds it finds that.
        self.keep(&component, tokio::fs::read(&out).await?).await
    }

    /// Keeps code that components share, from the folder of the toolchain that has it.
    async fn keep_shared(&self, digest: Sha256Digest, folders: &[PathBuf]) -> Result<(), CompileError> {
        if self.has(&digest).await {
            return Ok(());
        }
        let found = folders.iter().map(|folder| folder.join(digest.to_string())).find(|path| path.is_file());
        let path = found.ok_or_else(|| CompileError::Platform(format!("shared code {digest} is gone")))?;
        self.keep(&digest, tokio::fs::read(path).await?).await
    }

    async fn keep(&self, program: &Sha256Digest, code: Vec<u8>) -> Result<(), CompileError> {
        let sealed = self.seal.seal(program, code);
        self.blobs.put_named(Kind::Code, &self.name(program), sealed.into()).await?;
        Ok(())
    }

    fn watch(&self, scratch: &Path) -> Watch {
        Watch {
            wall: Duration::from_millis(self.limits.compile_ms),
            memory_bytes: self.limits.compile_memory_mb << 20,
            cache: None,
            reserve_bytes: self.limits.reserve_bytes,
            processes: self.limits.processes,
            disk_bytes: self.limits.file_bytes,
            disk_folder: scratch.to_owned(),
            output_bytes: 0,
            line_bytes: self.limits.output_line_bytes,
        }
    }

    /// Sealed code for a cell, of a component or of what it shares; compiled now from the droplet if there is none yet.
    pub(crate) async fn code(&self, droplet: Sha256Digest, component: Sha256Digest, engine_key: &str) -> Result<ByteStream, LinkError> {
        let name = format!("{component}/{engine_key}");
        match self.blobs.open_named(Kind::Code, &name).await {
            Ok(stream) => return Ok(stream),
            Err(BlobError::NotFound(_)) if engine_key == self.seal.engine_key() => {}
            Err(BlobError::NotFound(_)) => {
                return Err(LinkError::Missing(format!("code for engine {engine_key}, which is not this platform's,")));
            }
            Err(error) => return Err(LinkError::Failed(error.to_string())),
        }
        self.in_turn(
            component,
            async || if self.has(&component).await { Ok(()) } else { self.make_from_droplet(droplet, component).await },
        )
        .await?;
        self.blobs.open_named(Kind::Code, &name).await.map_err(|error| LinkError::Failed(error.to_string()))
    }

    async fn make_from_droplet(&self, droplet: Sha256Digest, component: Sha256Digest) -> Result<(), LinkError> {
        let failed = |error: &dyn std::fmt::Display| LinkError::Failed(error.to_string());
        let scratch = Scratch::new(self.folder.join("unpacking").join(component.to_string())).map_err(|error| failed(&error))?;
        let unpacked = self.unpack(droplet, scratch.path()).await?;
        let (wasm, buildpack) = (unpacked.component(), &unpacked.manifest().buildpack.name);
        let found = digest_of(&wasm).await.map_err(|error| failed(&error))?;
        if found == component {
            return self.make(component, &wasm, buildpack).await.map_err(|error| failed(&error));
        }
        // Shared code, then, which a compilation of the component brings. Never the other way round: turns cannot wait for one another.
        self.in_turn(found, async || self.make(found, &wasm, buildpack).await).await.map_err(|error| failed(&error))?;
        if self.has(&component).await { Ok(()) } else { Err(LinkError::Missing(format!("component {component} in droplet {droplet}"))) }
    }

    /// Fetches and unpacks a droplet into a scratch folder.
    pub(crate) async fn unpack(&self, droplet: Sha256Digest, scratch: &Path) -> Result<DropletDir, LinkError> {
        let archive = scratch.join("droplet");
        let into = scratch.join("unpacked");
        self.blobs.to_file(Kind::Droplets, &droplet, &archive).await.map_err(|error| match error {
            BlobError::NotFound(_) => LinkError::Missing(format!("droplet {droplet}")),
            other => LinkError::Failed(other.to_string()),
        })?;
        let unpacking = tokio::task::spawn_blocking(move || {
            virga_engine::unpack(std::fs::File::open(&archive)?, &into, UnpackLimits::default())?;
            DropletDir::open(&into)
        });
        unpacking.await.map_err(|error| LinkError::Failed(error.to_string()))?.map_err(|error| LinkError::Failed(error.to_string()))
    }
}

/// Digest of a file's bytes.
pub(crate) async fn digest_of(path: &Path) -> std::io::Result<Sha256Digest> {
    Ok(Sha256Digest::of(&tokio::fs::read(path).await?))
}
