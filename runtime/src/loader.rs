//! Droplets on disk and code in memory. Fetched when first needed, shared by all workers of the box through one folder,
//! mapped on the first request and unmapped when nobody has used it for a while: an idle app costs a map entry.

use crate::{
    preview1,
    program::{self, Program, linker},
    store::GuestState,
};
use arc_swap::ArcSwapOption;
use futures::StreamExt as _;
use sha2::Digest as _;
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{io::AsyncWriteExt as _, sync::OnceCell};
use tokio_util::task::TaskTracker;
use virga_contract::{
    ByteStream,
    cell::{ControlPlane, LinkError},
};
use virga_engine::{
    DropletDir, Engines, Flavor, UnpackLimits,
    code::{Code, CodeError, CodeSeal},
    shared,
};
use virga_model::{Sha256Digest, droplet::GuestKind};
use wasmtime::{
    Module,
    component::{Component, Linker},
};

/// In the folder of code: what components share.
pub(crate) const SHARED: &str = "shared";

/// Why a droplet cannot run here; the text is for the app's log.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The control process does not have it or is away.
    #[error("{0}")]
    Link(#[from] LinkError),
    /// The disk failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What arrived is not what was asked for.
    #[error("{0}")]
    Broken(String),
    /// The code is not authentic or the engine refuses it.
    #[error("{0}")]
    Code(#[from] CodeError),
    /// The component does not fit: an import that the cell lacks, an export that is missing.
    #[error("{0}")]
    Unfit(String),
}

/// Loads for one worker.
pub struct Loader {
    control: Arc<dyn ControlPlane>,
    cache: PathBuf,
    engines: Engines,
    plain: Linker<GuestState>,
    concurrent: Linker<GuestState>,
    modules: wasmtime::Linker<GuestState>,
    /// A folder with nothing in it.
    empty: PathBuf,
    seal: CodeSeal,
    /// Code of language engines by its digest. What has been mapped once stays so: there is one for each engine of the platform.
    shared: Mutex<HashMap<Sha256Digest, Arc<OnceCell<Module>>>>,
    droplets: Mutex<HashMap<Sha256Digest, Weak<Droplet>>>,
    born: Instant,
    tasks: TaskTracker,
}

/// One droplet, shared by the app instances that run it.
pub struct Droplet {
    digest: Sha256Digest,
    program: ArcSwapOption<Program>,
    loading: tokio::sync::Mutex<()>,
    /// Milliseconds since the loader began.
    last_used: AtomicU64,
    /// Bytes of its files on disk; 0 until they were counted.
    disk_bytes: AtomicU64,
}

impl Droplet {
    /// Bytes of its files on disk, once it has been loaded.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.disk_bytes.load(Relaxed)
    }
}

impl Loader {
    /// A loader that keeps its files under `cache`.
    ///
    /// # Errors
    /// When the cache folder cannot be written, or what guests may import cannot be linked, which is a mistake of this crate.
    pub(crate) fn new(
        control: Arc<dyn ControlPlane>,
        cache: PathBuf,
        engines: Engines,
        seal: CodeSeal,
        tasks: TaskTracker,
    ) -> wasmtime::Result<Self> {
        let (plain, concurrent) = (linker(&engines, Flavor::Plain)?, linker(&engines, Flavor::Concurrent)?);
        let modules = preview1::linker(engines.of(Flavor::Plain))?;
        let empty = cache.join("empty");
        std::fs::create_dir_all(&empty)?;
        Ok(Self {
            control,
            cache,
            engines,
            plain,
            concurrent,
            modules,
            empty,
            seal,
            shared: Mutex::default(),
            droplets: Mutex::default(),
            born: Instant::now(),
            tasks,
        })
    }

    /// The entry of a droplet; costs no I/O.
    pub(crate) fn droplet(&self, digest: Sha256Digest) -> Arc<Droplet> {
        let mut droplets = self.droplets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(droplet) = droplets.get(&digest).and_then(Weak::upgrade) {
            return droplet;
        }
        droplets.retain(|_, droplet| droplet.strong_count() > 0);
        let droplet = Arc::new(Droplet {
            digest,
            program: ArcSwapOption::empty(),
            loading: tokio::sync::Mutex::new(()),
            last_used: AtomicU64::new(0),
            disk_bytes: AtomicU64::new(0),
        });
        droplets.insert(digest, Arc::downgrade(&droplet));
        droplet
    }

    /// The key of the engine that code must be compiled for.
    pub(crate) fn engine_key(&self) -> &str {
        self.seal.engine_key()
    }

    /// The folder shared by the workers of the box.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// A folder with nothing in it, for guests that must be shown one.
    pub(crate) fn empty_folder(&self) -> &Path {
        &self.empty
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The droplet ready to run, and whether it had to be made so first.
    pub(crate) async fn program(&self, droplet: &Arc<Droplet>) -> Result<(Arc<Program>, bool), LoadError> {
        droplet.last_used.store(self.now_ms(), Relaxed);
        if let Some(program) = droplet.program.load_full() {
            return Ok((program, false));
        }
        let _alone = droplet.loading.lock().await;
        if let Some(program) = droplet.program.load_full() {
            return Ok((program, true));
        }
        let folder = self.fetched(droplet.digest).await?;
        let program = Arc::new(self.load(droplet.digest, &folder).await?);
        droplet.program.store(Some(program.clone()));
        if droplet.disk_bytes() == 0 {
            let (droplet, files) = (droplet.clone(), program.files.clone());
            // Beside the request: a site may have a hundred thousand files.
            self.tasks.spawn_blocking(move || droplet.disk_bytes.store(files.map_or(0, |files| size_of_tree(&files)), Relaxed));
        }
        Ok((program, true))
    }

    /// What kind of guest a droplet is; fetches it where need be, but maps nothing.
    pub(crate) async fn guest(&self, droplet: &Arc<Droplet>) -> Result<GuestKind, LoadError> {
        let _alone = droplet.loading.lock().await;
        Ok(self.fetched(droplet.digest).await?.manifest().guest)
    }

    /// Unmaps what nobody has used for `idle`.
    pub(crate) fn unmap_idle(&self, idle: Duration) {
        let limit = self.now_ms().saturating_sub(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX));
        let droplets = self.droplets.lock().unwrap_or_else(PoisonError::into_inner);
        for droplet in droplets.values().filter_map(Weak::upgrade) {
            // Whoever still runs it holds a reference of its own.
            if droplet.last_used.load(Relaxed) < limit {
                droplet.program.store(None);
            }
        }
    }

    async fn fetched(&self, digest: Sha256Digest) -> Result<DropletDir, LoadError> {
        let folder = self.cache.join("droplets").join(digest.to_string());
        if let Ok(droplet) = DropletDir::open(&folder) {
            return Ok(droplet);
        }
        let archive = self.download(self.control.droplet(digest).await?, Some(digest)).await?;
        let into = folder.clone();
        blocking(move || {
            let file = io::BufReader::new(std::fs::File::open(&archive.0)?);
            virga_engine::unpack(file, &into, UnpackLimits::default()).map_err(|error| LoadError::Broken(error.to_string()))
        })
        .await?;
        DropletDir::open(&folder).map_err(|error| LoadError::Broken(error.to_string()))
    }

    async fn load(&self, digest: Sha256Digest, droplet: &DropletDir) -> Result<Program, LoadError> {
        if droplet.manifest().guest == GuestKind::Static {
            return Ok(Program::of_files(droplet, &digest)?);
        }
        let component = droplet.manifest().component.ok_or_else(|| LoadError::Broken("the droplet names no component".into()))?;
        let program = match self.code(digest, component, &self.code_folder()).await? {
            Code::Component(code, Flavor::Plain) => match self.with_shared(digest, component, &code).await? {
                Some(linker) => Program::of_code(droplet, &linker, &code),
                None => Program::of_code(droplet, &self.plain, &code),
            },
            Code::Component(code, Flavor::Concurrent) => Program::of_code(droplet, &self.concurrent, &code),
            Code::Module(module) => Program::of_module(droplet, &self.modules, &module),
        };
        program.map_err(|error| LoadError::Unfit(format!("{error:#}")))
    }

    /// Where code of this engine lies.
    fn code_folder(&self) -> PathBuf {
        self.cache.join("code").join(self.seal.engine_key())
    }

    /// Maps code that the droplet needs from a file of the folder, fetching it where it is not there.
    async fn code(&self, droplet: Sha256Digest, program: Sha256Digest, folder: &Path) -> Result<Code, LoadError> {
        let path = folder.join(program.to_string());
        match self.seal.load(&self.engines, &program, &path) {
            Ok(code) => Ok(code),
            Err(problem) => {
                if matches!(problem, CodeError::NotAuthentic | CodeError::Refused(_)) {
                    tracing::warn!(path = %path.display(), "a code file was refused and is fetched anew: {problem}");
                }
                self.fetch_code(droplet, program, &path).await?;
                Ok(self.seal.load(&self.engines, &program, &path)?)
            }
        }
    }

    /// The linker for a component that shares code; `None` where it shares none.
    async fn with_shared(
        &self,
        droplet: Sha256Digest,
        program: Sha256Digest,
        code: &Component,
    ) -> Result<Option<Linker<GuestState>>, LoadError> {
        let mut linker = None;
        for name in program::shared(code) {
            let wanted = shared::digest(&name).ok_or_else(|| LoadError::Unfit(format!("it imports a core module {name}")))?;
            let module = self.shared_module(droplet, wanted).await;
            if matches!(module, Err(LoadError::Link(LinkError::Missing(_)))) {
                // The component's code may have been made again without it meanwhile: the next start asks for that.
                let stale = self.code_folder().join(program.to_string());
                if let Err(error) = tokio::fs::remove_file(&stale).await {
                    tracing::warn!(path = %stale.display(), "a code file whose shared code is gone stays: {error}");
                }
            }
            let linker = linker.get_or_insert_with(|| self.plain.clone());
            linker.root().module(&name, &module?).map_err(|error| LoadError::Unfit(format!("{error:#}")))?;
        }
        Ok(linker)
    }

    /// A core module that components share, mapped once.
    async fn shared_module(&self, droplet: Sha256Digest, wanted: Sha256Digest) -> Result<Module, LoadError> {
        // Who needs another one does not wait while this one is fetched.
        let cell = Arc::clone(self.shared.lock().unwrap_or_else(PoisonError::into_inner).entry(wanted).or_default());
        let mapped = cell.get_or_try_init(async || match self.code(droplet, wanted, &self.code_folder().join(SHARED)).await? {
            Code::Module(module) => Ok(module),
            Code::Component(..) => Err(LoadError::Broken(format!("shared code {wanted} is no core module's"))),
        });
        mapped.await.cloned()
    }

    async fn fetch_code(&self, droplet: Sha256Digest, component: Sha256Digest, path: &Path) -> Result<(), LoadError> {
        let stream = self.control.code(droplet, component, self.seal.engine_key()).await?;
        let mut scratch = self.download(stream, None).await?;
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        tokio::fs::rename(&scratch.0, path).await?;
        scratch.0 = PathBuf::new();
        Ok(())
    }

    /// Writes a stream to a scratch file, checking its digest where one is known.
    async fn download(&self, mut stream: ByteStream, digest: Option<Sha256Digest>) -> Result<Scratch, LoadError> {
        let folder = self.cache.join("scratch");
        tokio::fs::create_dir_all(&folder).await?;
        let scratch = Scratch(folder.join(format!("{:032x}", rand::random::<u128>())));
        let mut file = tokio::fs::File::create_new(&scratch.0).await?;
        let mut sha = sha2::Sha256::new();
        while let Some(piece) = stream.next().await {
            let piece = piece?;
            if digest.is_some() {
                sha.update(&piece);
            }
            file.write_all(&piece).await?;
        }
        file.flush().await?;
        match digest {
            Some(digest) if Sha256Digest::from_bytes(sha.finalize().into()) != digest => {
                Err(LoadError::Broken(format!("droplet {digest} arrived with another digest")))
            }
            _ => Ok(scratch),
        }
    }
}

/// A file that goes away with this value, unless it was moved.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty()
            && let Err(error) = std::fs::remove_file(&self.0)
        {
            tracing::warn!(path = %self.0.display(), "a scratch file stays behind: {error}");
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, LoadError> + Send + 'static) -> Result<T, LoadError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| LoadError::Broken(error.to_string()))?
}

/// What cannot be read is not counted.
fn size_of_tree(root: &Path) -> u64 {
    let mut bytes = 0_u64;
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => open.push(entry.path()),
                Ok(metadata) => bytes = bytes.saturating_add(metadata.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}
