//! The stager: carries a package from the blobstore through detection, a staging child and the compiler to a droplet in the
//! blobstore.

use crate::{
    buildpack::{self, Buildpack},
    capabilities,
    child::{
        protocol::{ChildLimits, Confinement, StageRequest, StageResult},
        staging::{Children, left_file},
    },
    code::{self, CompileError, Compiler},
    config::StagingLimits,
    custom::Custom,
    failure, files,
    log::StagingLog,
    past::{PastStagings, Stagings},
    sandbox::{Sandboxes, StagingPolicy, network::Packages},
    scratch::Scratch,
    steps::Steps,
    toolchain::{self, Toolchains},
    unzip::{self, UnzipLimits},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use virga_blobstore::{BlobError, Blobstore, Kind};
use virga_contract::{
    ByteStream,
    cell::LinkError,
    logs::LogSink,
    staging::{BuildpackInfo, StagedDroplet, Stager, StagingError, StagingErrorKind, StagingRequest, UsedBuildpack},
};
use virga_model::{AppGuid, Sha256Digest};

/// What the stager needs.
pub struct StagingSetup {
    /// The platform's data folder; this room keeps to `buildpacks` in it.
    pub data_dir: PathBuf,
    /// Where toolchains are installed; several platforms of one machine may share it. Default: in `data_dir`.
    pub toolchains_dir: Option<PathBuf>,
    /// The platform's own program, which is also its children's (`stage`, `compile`).
    pub program: PathBuf,
    /// Where packages come from and droplets and code go.
    pub blobs: Blobstore,
    /// Where the lines of a staging go.
    pub logs: Arc<dyn LogSink>,
    /// Key with which code is sealed; the cells' [`virga_contract::cell::WorkerConfig::code_key`].
    pub code_key: [u8; 32],
    /// Limits.
    pub limits: StagingLimits,
    /// How what users sent is held.
    pub policy: StagingPolicy,
    /// Addresses (IP or CIDR) that nothing of a tenant may reach: the platform's own, and what the operator adds.
    pub denied_addresses: Vec<String>,
}

/// The stager could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Its folders cannot be made.
    #[error("the staging folder cannot be made: {0}")]
    Folder(#[from] std::io::Error),
    /// The WebAssembly engine cannot be made.
    #[error("{0}")]
    Engine(#[from] virga_engine::EngineError),
}

/// Stages packages, adopts uploaded droplets, and gives cells their code.
pub struct StagingService {
    folder: PathBuf,
    logs: Arc<dyn LogSink>,
    limits: StagingLimits,
    compiler: Compiler,
    toolchains: Toolchains,
    children: Children,
    permits: tokio::sync::Semaphore,
    stagings: Arc<Stagings>,
}

impl StagingService {
    /// Makes the folders, clears what a killed platform left half done, and learns the engine's key.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(setup: StagingSetup) -> Result<Self, SetupError> {
        let folder = setup.data_dir.join("buildpacks");
        for half_done in ["staging", "compiling", "unpacking"] {
            toolchain::remove(&folder.join(half_done));
        }
        fs::create_dir_all(folder.join("cache"))?;
        let folder = folder.canonicalize()?;
        let toolchains = setup.toolchains_dir.unwrap_or_else(|| folder.clone());
        fs::create_dir_all(&toolchains)?;
        let toolchains = toolchains.canonicalize()?;
        let engine_key = virga_engine::engine_key(&virga_engine::for_compiling(None)?);
        let children = Children {
            program: setup.program.clone(),
            limits: setup.limits.clone(),
            sandboxes: Sandboxes::new(setup.policy, &setup.data_dir.canonicalize()?),
            packages: Packages::new(&setup.denied_addresses),
        };
        let program = setup.program.clone();
        let compiler = Compiler {
            blobs: setup.blobs,
            program: setup.program,
            folder: folder.clone(),
            toolchains: toolchains.clone(),
            seal: virga_engine::code::CodeSeal::new(setup.code_key, engine_key),
            limits: setup.limits.clone(),
            permits: tokio::sync::Semaphore::new(setup.limits.concurrent_compiles),
            in_flight: std::sync::Mutex::default(),
        };
        Ok(Self {
            toolchains: Toolchains::new(toolchains, program, setup.limits.clone()),
            children,
            permits: tokio::sync::Semaphore::new(setup.limits.concurrent_stagings),
            stagings: Arc::default(),
            folder,
            logs: setup.logs,
            limits: setup.limits,
            compiler,
        })
    }

    /// Precompiled, sealed code of a component of a droplet for an engine; compiled now if there is none yet. What
    /// [`virga_contract::cell::ControlPlane::code`] answers with.
    ///
    /// # Errors
    /// [`LinkError::Missing`] for a droplet or component that is not there, or an engine that is not this platform's.
    pub async fn code(&self, droplet: Sha256Digest, component: Sha256Digest, engine_key: &str) -> Result<ByteStream, LinkError> {
        self.compiler.code(droplet, component, engine_key).await
    }

    /// Removes code of engines that this platform does not have, once its own has been the same for a week. For the start of a
    /// platform: this is a walk over all code.
    ///
    /// # Errors
    /// Those of the blobstore.
    pub async fn clear_old_code(&self) -> Result<u64, BlobError> {
        self.compiler.clear_others().await
    }

    async fn fetch(&self, package: Sha256Digest, scratch: &Path) -> Result<PathBuf, StagingError> {
        let zip = scratch.join("package.zip");
        self.compiler.blobs.to_file(Kind::Packages, &package, &zip).await.map_err(|error| match error {
            BlobError::NotFound(_) => failure::of(StagingErrorKind::Failed, "the package's bits are no longer there; push again"),
            other => failure::internal("fetch the package", &other),
        })?;
        let app = scratch.join("app");
        let limits = UnzipLimits { bytes: self.limits.package_bytes, entries: self.limits.package_entries };
        let into = app.clone();
        let unpacked = tokio::task::spawn_blocking(move || {
            fs::create_dir_all(&into)?;
            unzip::unzip(&zip, &into, limits)
        });
        match unpacked.await {
            Ok(Ok(())) => Ok(app),
            Ok(Err(error)) => Err(failure::of(StagingErrorKind::Failed, error.to_string())),
            Err(error) => Err(failure::internal("unpack the package", &error)),
        }
    }

    async fn stage_in(&self, request: &StagingRequest, scratch: &Path, log: &StagingLog) -> Result<StagedDroplet, StagingError> {
        let mut steps = Steps::begin();
        log.say("Fetching the app's package");
        let app = self.fetch(request.package, scratch).await?;
        steps.done("fetch");
        let past = PastStagings::of(&self.folder.join("cache"), request.app).map_err(|error| failure::internal("keep a cache", &error))?;
        let custom = Custom { blobs: &self.compiler.blobs, children: &self.children, request, scratch, cache: past.folder(), log };
        let chosen = custom.settle(&app).await?;
        let buildpack = chosen.builder();
        log.say(format!("Buildpack: {}", chosen.title()));
        let content = content_key(&app, buildpack)?;
        steps.done("detect");
        if let Some(mut staged) = past.same(&content)
            && self.still_there(&staged).await
        {
            log.say("The app is as at its last staging; its droplet is used again");
            steps.skip(&["build", "package", "compile"]);
            staged.steps = steps.into_list();
            return Ok(chosen.sign(staged));
        }
        let toolchains = self.toolchains.ensure_all(buildpack.toolchains, log).await?;
        let order = self.order(buildpack, app, scratch, past.folder(), toolchains)?;
        steps.done("toolchain");
        let work = order.work.clone();
        let result = self.children.stage(request, order, scratch, log).await?;
        let staged = self.finish(result, &work, steps, &past, &content, log).await?;
        Ok(chosen.sign(staged))
    }

    /// What the child is told.
    fn order(
        &self,
        buildpack: &Buildpack,
        app: PathBuf,
        scratch: &Path,
        cache: &Path,
        toolchains: BTreeMap<String, PathBuf>,
    ) -> Result<StageRequest, StagingError> {
        let work = scratch.join("work");
        fs::create_dir_all(&work).map_err(|error| failure::internal("make a folder", &error))?;
        Ok(StageRequest {
            buildpack: buildpack.name.to_owned(),
            app,
            droplet: work.join("droplet"),
            result: work.join("result.json"),
            work,
            cache: cache.to_owned(),
            toolchains,
            limits: ChildLimits { file_bytes: self.limits.file_bytes, cpu_seconds: self.limits.cpu_seconds },
            network: None,
            confinement: Confinement::None,
            custom: None,
        })
    }

    /// Takes the child's result in: droplet to the blobstore, code compiled.
    async fn finish(
        &self,
        result: StageResult,
        work: &Path,
        mut steps: Steps,
        past: &PastStagings,
        content: &Sha256Digest,
        log: &StagingLog,
    ) -> Result<StagedDroplet, StagingError> {
        let (guest, process_types, buildpack, imports, child_steps) = match result {
            StageResult::Staged { guest, process_types, buildpack, imports, steps } => (guest, process_types, buildpack, imports, steps),
            StageResult::Failed(error) => return Err(error),
            StageResult::Custom(_) => return Err(failure::internal("stage", &"the child answered something else")),
        };
        steps.took_over(child_steps);
        let archive = work.join("droplet");
        let archive = left_file(&archive).ok_or_else(|| failure::internal("store the droplet", &"the child left no plain file"))?;
        let (droplet, size_bytes) =
            self.compiler.blobs.put_file(Kind::Droplets, archive).await.map_err(|error| failure::internal("store the droplet", &error))?;
        steps.done("package");
        let wasm = work.join("app.wasm");
        let component = match left_file(&wasm).is_some() {
            true => Some(code::digest_of(&wasm).await.map_err(|error| failure::internal("read the component", &error))?),
            false => None,
        };
        if let Some(component) = component {
            log.say("Compiling to machine code");
            self.compiler.ensure(component, &wasm, &buildpack.name).await.map_err(uncompilable)?;
        }
        steps.done("compile");
        let steps = steps.into_list();
        let staged = StagedDroplet { droplet, size_bytes, guest, component, process_types, buildpacks: vec![buildpack], steps };
        past.imports().into_iter().flat_map(|before| capabilities::changes(&before, &imports)).for_each(|line| log.say(line));
        if let Err(error) = past.remember(content, &staged, imports) {
            tracing::warn!(%error, "staging: the result is not remembered");
        }
        log.say(format!("Droplet {} bytes, sha256 {droplet}", staged.size_bytes));
        Ok(staged)
    }

    async fn still_there(&self, staged: &StagedDroplet) -> bool {
        let droplet = self.compiler.blobs.exists(Kind::Droplets, &staged.droplet).await.unwrap_or_else(|error| {
            tracing::warn!(%error, droplet = %staged.droplet, "it is not known whether the last droplet is still stored; the app is built anew");
            false
        });
        match &staged.component {
            Some(component) => droplet && self.compiler.has(component).await,
            None => droplet,
        }
    }

    async fn adopt_in(&self, droplet: Sha256Digest, scratch: &Path) -> Result<StagedDroplet, StagingError> {
        let mut steps = Steps::begin();
        let invalid = |reason: String| failure::of(StagingErrorKind::Failed, format!("the uploaded droplet cannot be used: {reason}"));
        let unpacked = self.compiler.unpack(droplet, scratch).await.map_err(|error| invalid(error.to_string()))?;
        let size = self.compiler.blobs.size(Kind::Droplets, &droplet).await.map_err(|error| invalid(error.to_string()))?;
        let size_bytes = size.ok_or_else(|| invalid("it is no longer stored".to_owned()))?;
        steps.done("fetch");
        let manifest = unpacked.manifest().clone();
        if let Some(promised) = manifest.component {
            let wasm = unpacked.component();
            let bytes = tokio::fs::read(&wasm).await.map_err(|_| invalid("it has no app.wasm".into()))?;
            if Sha256Digest::of(&bytes) != promised {
                return Err(invalid("its app.wasm is not the one that droplet.json names".into()));
            }
            let found = crate::wasm::component(&bytes, "app.wasm")?;
            if found.guest != manifest.guest {
                return Err(invalid(format!("droplet.json says {}, its app.wasm is {}", manifest.guest, found.guest)));
            }
            if let Some(import) = found.imports.iter().find(|import| !manifest.imports.contains(import)) {
                return Err(invalid(format!("its app.wasm imports {import}, which droplet.json does not list")));
            }
            self.compiler.ensure(promised, &wasm, &manifest.buildpack.name).await.map_err(uncompilable)?;
        } else if manifest.guest != virga_model::droplet::GuestKind::Static {
            return Err(invalid("it has no component".into()));
        }
        steps.done("compile");
        let buildpack = UsedBuildpack {
            name: manifest.buildpack.name.clone(),
            buildpack_name: manifest.buildpack.name,
            detect_output: "uploaded droplet".into(),
            version: manifest.buildpack.version,
        };
        Ok(StagedDroplet {
            droplet,
            size_bytes,
            guest: manifest.guest,
            component: manifest.component,
            process_types: manifest.process_types,
            buildpacks: vec![buildpack],
            steps: steps.into_list(),
        })
    }
}

#[async_trait::async_trait]
impl Stager for StagingService {
    async fn stage(&self, request: StagingRequest) -> Result<StagedDroplet, StagingError> {
        let log = StagingLog::new(request.app, Arc::clone(&self.logs));
        let _permit = self.permits.acquire().await.map_err(|error| failure::internal("stage now", &error))?;
        let scratch = Scratch::new(self.folder.join("staging").join(request.build.to_string()))
            .map_err(|error| failure::internal("make a folder", &error))?;
        let _staging = self.stagings.begin(request.app, &self.folder.join("cache"));
        self.stage_in(&request, scratch.path(), &log).await
    }

    async fn adopt(&self, droplet: Sha256Digest) -> Result<StagedDroplet, StagingError> {
        let name = format!("adopt-{droplet}");
        let scratch = Scratch::new(self.folder.join("staging").join(name)).map_err(|error| failure::internal("make a folder", &error))?;
        self.adopt_in(droplet, scratch.path()).await
    }

    async fn forget(&self, app: Option<AppGuid>) -> Result<(), StagingError> {
        let (stagings, cache) = (Arc::clone(&self.stagings), self.folder.join("cache"));
        // Thousands of small files: not on the loop that serves requests.
        match tokio::task::spawn_blocking(move || stagings.forget(&cache, app)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failure::internal("forget earlier stagings", &error)),
            Err(error) => Err(failure::internal("forget earlier stagings", &error)),
        }
    }

    fn buildpacks(&self) -> Vec<BuildpackInfo> {
        buildpack::ALL.iter().map(|buildpack| buildpack.info()).collect()
    }
}

/// Names everything that a droplet depends on: the app's files and what builds it. The app's environment is not among it:
/// no build sees it.
fn content_key(app: &Path, buildpack: &Buildpack) -> Result<Sha256Digest, StagingError> {
    let tree = files::tree_digest(app).map_err(|error| failure::internal("read the package", &error))?;
    let digests: Result<Vec<String>, _> = buildpack.toolchains.iter().map(|toolchain| toolchain::digest(toolchain)).collect();
    let toolchains = digests.map_err(|error| failure::internal("set up the WebAssembly engine", &error))?;
    let text = format!("{tree} {} {} {}", buildpack.name, buildpack.version, toolchains.join(" "));
    Ok(Sha256Digest::of(text.as_bytes()))
}

fn uncompilable(error: CompileError) -> StagingError {
    match error {
        CompileError::Component(_) => failure::compile(error.to_string()),
        CompileError::Limit(_) => failure::of(StagingErrorKind::InsufficientResources, format!("{error}; make the program smaller")),
        CompileError::Platform(cause) => failure::internal("compile the component", &cause),
    }
}
