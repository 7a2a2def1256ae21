//! The per-function compile cache: a folder shared by all apps of a platform, so that the second app on the same
//! libraries compiles only its own functions.
//!
//! The engine checks nothing of what it gets back, so only the compile process of the platform may write the folder.

use std::{
    borrow::Cow,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Entries of the folder are named by a digest of the engine's key for the function.
#[derive(Debug)]
pub struct FunctionCache {
    folder: PathBuf,
}

impl FunctionCache {
    /// The cache in this folder, made if missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Two levels, so that no folder holds more than a few thousand names.
    fn path(&self, key: &blake3::Hash) -> PathBuf {
        let name = key.to_hex();
        let (group, rest) = name.as_str().split_at(2);
        self.folder.join(group).join(rest)
    }
}

impl wasmtime::CacheStore for FunctionCache {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        // Whatever cannot be read is compiled again.
        fs::read(self.path(&blake3::hash(key))).ok().map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        let path = self.path(&blake3::hash(key));
        let write = || -> io::Result<()> {
            let folder = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(folder)?;
            // Written aside and renamed: a reader never sees half an entry.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&value)?;
            file.persist(&path)?;
            Ok(())
        };
        write().is_ok()
    }
}
