//! Unpacking droplet archives of any origin: nothing leaves the folder, nothing but files and folders comes in, sizes
//! are counted as they are written rather than believed.

use crate::archive::{ArchiveError, COMPONENT, FILES, MANIFEST};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

/// Bounds of an unpacked droplet.
#[derive(Debug, Clone, Copy)]
pub struct UnpackLimits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files and folders.
    pub entries: u64,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { bytes: 4 << 30, entries: 200_000 }
    }
}

/// Unpacks the archive so that `into` appears whole or not at all. If another process was faster, its result stays.
///
/// # Errors
/// See [`ArchiveError`]; nothing is left behind.
pub fn unpack(archive: impl Read, into: &Path, limits: UnpackLimits) -> Result<(), ArchiveError> {
    let parent = into.parent().ok_or_else(|| io::Error::other("a droplet needs a folder to lie in"))?;
    fs::create_dir_all(parent)?;
    let scratch = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(parent)?;
    unpack_entries(archive, scratch.path(), limits)?;
    if !scratch.path().join(MANIFEST).is_file() {
        return Err(ArchiveError::Manifest("is missing".into()));
    }
    match fs::rename(scratch.path(), into) {
        Ok(()) => {
            // Moved away: there is nothing left to delete.
            let _moved = scratch.keep();
            Ok(())
        }
        Err(_) if into.join(MANIFEST).is_file() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn unpack_entries(archive: impl Read, root: &Path, limits: UnpackLimits) -> Result<(), ArchiveError> {
    // The window bounds what a hostile archive can make the decoder hold: 2^27 = 128 MiB.
    let mut decoder = zstd::Decoder::new(archive)?;
    decoder.window_log_max(27)?;
    let mut tar = tar::Archive::new(decoder);
    let mut left = limits.bytes;
    for (count, entry) in (1..).zip(tar.entries()?) {
        let mut entry = entry?;
        if count > limits.entries {
            return Err(ArchiveError::TooLarge { limit: limits.entries, unit: "entries" });
        }
        let name = entry.path()?.into_owned();
        let inside = checked(&name)?;
        match entry.header().entry_type() {
            tar::EntryType::Directory => fs::create_dir_all(root.join(inside))?,
            tar::EntryType::Regular => left = write_file(&mut entry, &root.join(inside), left, limits)?,
            _ => return Err(refused(&name, "is neither a file nor a folder")),
        }
    }
    Ok(())
}

/// Writes one file and gives the bytes that may still follow.
fn write_file(entry: &mut impl Read, path: &Path, left: u64, limits: UnpackLimits) -> Result<u64, ArchiveError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // `create_new`: a second entry of the same name is an error, not an overwrite.
    let mut file = File::create_new(path)?;
    let written = io::copy(&mut entry.take(left.saturating_add(1)), &mut file)?;
    left.checked_sub(written).ok_or(ArchiveError::TooLarge { limit: limits.bytes, unit: "bytes" })
}

fn refused(name: &Path, reason: &'static str) -> ArchiveError {
    ArchiveError::Entry { path: name.display().to_string(), reason }
}

/// The path inside the droplet, if it has a place there.
fn checked(name: &Path) -> Result<PathBuf, ArchiveError> {
    let mut parts = name.components();
    let top = match parts.next() {
        Some(Component::Normal(top)) => top,
        _ => return Err(refused(name, "does not stay inside the droplet")),
    };
    let mut path = PathBuf::from(top);
    for part in parts {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err(refused(name, "does not stay inside the droplet")),
        }
    }
    let is_known = top == FILES || ((top == MANIFEST || top == COMPONENT) && path.components().count() == 1);
    if is_known { Ok(path) } else { Err(refused(name, "has no place in a droplet")) }
}
