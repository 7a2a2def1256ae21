//! Precompiled code files: the engine's output followed by a footer that authenticates it.
//!
//! Mapping machine code means trusting it wholly, so a file is mapped only if the control process sealed it, with this
//! platform's key, for this engine and this component. The footer stands at the end because the engine maps the file
//! from its first byte.

use crate::{Engines, Flavor, recipe::Form};
use blake3::Hasher;
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _, Seek as _},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
    sync::{Mutex, PoisonError},
};
use virga_model::Sha256Digest;
use wasmtime::{Module, component::Component};

const MAGIC: &[u8; 8] = b"VIRGAC01";
const FOOTER_BYTES: u64 = 32 + MAGIC.len() as u64;
/// How often a file is checked that changes meanwhile. Its stamp also changes when it loses its name to another file, since several
/// workers may fetch the same code at once; that happens to it once.
const CHECKS: u32 = 3;

/// Why a code file was not mapped.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// It could not be read.
    #[error("the code file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It was not sealed by this platform for this engine and component, or was changed since.
    #[error("the code file is not authentic")]
    NotAuthentic,
    /// It is authentic, yet the engine refuses it.
    #[error("the engine refuses the code: {0}")]
    Refused(String),
}

/// Mapped code, ready to be linked.
pub enum Code {
    /// A component, and the engine it was compiled for and must be linked in.
    Component(Component, Flavor),
    /// A core module, for the plain engine.
    Module(Module),
}

/// Which file on disk, in which state; a change of its bytes shows in one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
        })
    }
}

/// Seals and maps code for one platform key and one engine.
pub struct CodeSeal {
    key: [u8; 32],
    engine_key: String,
    /// Files that passed; mapping one of them again needs no second pass over its bytes.
    verified: Mutex<HashMap<Sha256Digest, Stamp>>,
}

impl CodeSeal {
    /// With the platform's secret key and the [`crate::engine_key`] of the engine that will map the code.
    #[must_use]
    pub fn new(key: [u8; 32], engine_key: impl Into<String>) -> Self {
        Self { key, engine_key: engine_key.into(), verified: Mutex::default() }
    }

    /// The engine this seal is for.
    #[must_use]
    pub fn engine_key(&self) -> &str {
        &self.engine_key
    }

    fn hasher(&self, component: &Sha256Digest) -> Hasher {
        let mut hasher = Hasher::new_keyed(&self.key);
        hasher.update(&(self.engine_key.len() as u64).to_le_bytes());
        hasher.update(self.engine_key.as_bytes());
        hasher.update(component.as_bytes());
        hasher
    }

    /// The footer to write after `code`, which was compiled from `component` by this engine.
    #[must_use]
    pub fn footer(&self, component: &Sha256Digest, code: &[u8]) -> Vec<u8> {
        let mut hasher = self.hasher(component);
        hasher.update(code);
        let mut footer = hasher.finalize().as_bytes().to_vec();
        footer.extend_from_slice(MAGIC);
        footer
    }

    /// Code and footer in one, as they travel and lie on disk.
    #[must_use]
    pub fn seal(&self, component: &Sha256Digest, mut code: Vec<u8>) -> Vec<u8> {
        let footer = self.footer(component, &code);
        code.extend_from_slice(&footer);
        code
    }

    /// Maps a code file after checking it.
    ///
    /// # Errors
    /// See [`CodeError`]; a file that is not authentic should be deleted and fetched anew.
    pub fn load(&self, engines: &Engines, component: &Sha256Digest, path: &Path) -> Result<Code, CodeError> {
        let mut file = File::open(path)?;
        let stamp = self.verified_stamp(component, &mut file)?;
        let mut tag = [0];
        file.read_exact_at(&mut tag, stamp.size.saturating_sub(FOOTER_BYTES + 1))?;
        let code = match Form::of_tag(u8::from_le_bytes(tag)).ok_or(CodeError::NotAuthentic)? {
            Form::Component(flavor) => map::component(engines.of(flavor), &file).map(|component| Code::Component(component, flavor)),
            Form::Module => map::module(engines.of(Flavor::Plain), &file).map(Code::Module),
        };
        code.map_err(|error| CodeError::Refused(format!("{error:#}")))
    }

    /// Checks the file, unless it is known to be authentic in the state that it is in.
    fn verified_stamp(&self, component: &Sha256Digest, file: &mut File) -> Result<Stamp, CodeError> {
        let mut stamp = Stamp::of(file)?;
        for _ in 0..CHECKS {
            if self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(component) == Some(&stamp) {
                return Ok(stamp);
            }
            self.verify(component, file, stamp.size)?;
            let after = Stamp::of(file)?;
            if after == stamp {
                self.verified.lock().unwrap_or_else(PoisonError::into_inner).insert(*component, stamp);
                return Ok(stamp);
            }
            stamp = after;
        }
        Err(CodeError::NotAuthentic)
    }

    fn verify(&self, component: &Sha256Digest, file: &mut File, size: u64) -> Result<(), CodeError> {
        let code_bytes = size.checked_sub(FOOTER_BYTES).ok_or(CodeError::NotAuthentic)?;
        file.rewind()?;
        let mut hasher = self.hasher(component);
        hasher.update_reader((&mut *file).take(code_bytes))?;
        let mut mac = [0; 32];
        file.read_exact(&mut mac)?;
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        // `blake3::Hash` compares in constant time.
        if &magic == MAGIC && hasher.finalize() == blake3::Hash::from_bytes(mac) { Ok(()) } else { Err(CodeError::NotAuthentic) }
    }
}

pub(crate) mod map {
    //! The one `unsafe` of the house: verified code is mapped. Files are opened again through the descriptor, so that it is the
    //! very file that was checked, whatever its name points to by now.

    use std::{fs::File, os::fd::AsRawFd as _};
    use wasmtime::{Engine, Module, component::Component};

    fn path(file: &File) -> String {
        format!("/proc/self/fd/{}", file.as_raw_fd())
    }

    #[expect(unsafe_code, reason = "machine code must be trusted to be mapped; reviewed")]
    pub(crate) fn component(engine: &Engine, file: &File) -> wasmtime::Result<Component> {
        // SAFETY: `deserialize_file` asks that the bytes came from `precompile_component` of this engine version and are
        // not changed while mapped. The caller has just checked a keyed MAC over the bytes, the engine key and the
        // component, which only the control process can make; and the file lies in the platform's own cache folder,
        // where files are only ever created under a new inode, never written in place. In a staging child the caller maps
        // code of a toolchain, whose folder the platform alone writes, as it does the programs in it that the child runs.
        unsafe { Component::deserialize_file(engine, path(file)) }
    }

    #[expect(unsafe_code, reason = "machine code must be trusted to be mapped; reviewed")]
    pub(crate) fn module(engine: &Engine, file: &File) -> wasmtime::Result<Module> {
        // SAFETY: as above, with `precompile_module`.
        unsafe { Module::deserialize_file(engine, path(file)) }
    }
}
