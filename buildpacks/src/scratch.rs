//! Folders that last as long as a piece of work.

use crate::toolchain;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A folder that is empty at first and gone at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// What a killed platform left under the same name is removed first.
    pub(crate) fn new(path: PathBuf) -> io::Result<Self> {
        toolchain::remove(&path);
        fs::create_dir_all(path.join("tmp"))?;
        fs::create_dir_all(path.join("home"))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        toolchain::remove(&self.0);
    }
}
