//! An unpacked droplet on disk.

use crate::archive::{ArchiveError, COMPONENT, FILES, MANIFEST};
use std::{
    fs,
    path::{Path, PathBuf},
};
use virga_model::droplet::DropletManifest;

/// A folder that [`crate::unpack()`] filled, with its manifest read.
#[derive(Debug, Clone)]
pub struct DropletDir {
    root: PathBuf,
    manifest: DropletManifest,
}

impl DropletDir {
    /// Reads the manifest.
    ///
    /// # Errors
    /// [`ArchiveError::Io`] when the folder is not there, [`ArchiveError::Manifest`] for a manifest of another format.
    pub fn open(root: &Path) -> Result<Self, ArchiveError> {
        let json = fs::read(root.join(MANIFEST))?;
        let manifest: DropletManifest = serde_json::from_slice(&json).map_err(|error| ArchiveError::Manifest(error.to_string()))?;
        if manifest.format != 1 {
            return Err(ArchiveError::Manifest(format!("format {} is not known here", manifest.format)));
        }
        Ok(Self { root: root.to_owned(), manifest })
    }

    /// What the droplet says of itself.
    #[must_use]
    pub fn manifest(&self) -> &DropletManifest {
        &self.manifest
    }

    /// Where the portable component lies, if the droplet has one.
    #[must_use]
    pub fn component(&self) -> PathBuf {
        self.root.join(COMPONENT)
    }

    /// The guest's read-only files, if the droplet has any.
    #[must_use]
    pub fn files(&self) -> Option<PathBuf> {
        let files = self.root.join(FILES);
        files.is_dir().then_some(files)
    }
}
