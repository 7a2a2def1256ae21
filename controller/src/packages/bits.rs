//! The zip of a package: what is in it, and whether it may be unpacked at all.
//!
//! Nothing here trusts a header. Sizes are counted while the data is really decompressed, and the first entry that breaks a rule ends
//! the reading; the caller never keeps part of a refused package.

use super::entry_path::{check_symlink, normalise};
use sha1::{Digest as _, Sha1};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read, Seek},
};
use zip::{CompressionMethod, ZipArchive, read::ZipFile, result::ZipError, unstable::read::ZipIterable};

/// Bytes of a zip's central directory (names, comments and extra fields of all entries), which is held in memory.
const MAX_DIRECTORY_BYTES: u64 = 64 << 20;

/// What a package may hold; `docs/limits.md` names each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitsLimits {
    /// Bytes of one upload.
    pub upload_bytes: u64,
    /// Bytes of all files together once unpacked.
    pub unpacked_bytes: u64,
    /// Files, folders and symlinks.
    pub entries: u64,
    /// How many times larger than its compressed form a file may be …
    pub compression_ratio: u64,
    /// … once it is larger than this many bytes.
    pub compression_ratio_from_bytes: u64,
}

impl Default for BitsLimits {
    fn default() -> Self {
        Self {
            upload_bytes: 1 << 30,
            unpacked_bytes: 2 << 30,
            entries: 200_000,
            compression_ratio: 200,
            compression_ratio_from_bytes: 16 << 20,
        }
    }
}

/// Why bits are not a package.
#[derive(Debug, thiserror::Error)]
pub enum BitsError {
    /// The user's fault; the text names the limit and the entry.
    #[error("{0}")]
    Refused(String),
    /// Ours.
    #[error("reading or writing the bits failed")]
    Io(#[from] io::Error),
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A file and the SHA-1 of its content, by which clients ask for it again.
    File([u8; 20]),
    /// A symlink.
    Symlink,
}

/// One entry of a sound package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitsEntry {
    /// Its number in the zip.
    pub index: usize,
    /// Normal form of its name.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes once unpacked, counted.
    pub size_bytes: u64,
}

/// Reads a whole zip and checks it against `limits`.
///
/// # Errors
/// [`BitsError::Refused`] for anything that may not be unpacked.
pub fn inspect<R: Read + Seek>(mut zip: R, limits: &BitsLimits) -> Result<Vec<BitsEntry>, BitsError> {
    let count = count_entries(&mut zip, limits)?;
    let mut archive = ZipArchive::new(zip).map_err(|error| not_a_zip(&error))?;
    archive.validate_header_consistency().map_err(|error| not_a_zip(&error))?;
    let mut inspection = Inspection { limits, unpacked_bytes: 0, entries: Vec::with_capacity(count), symlinks: BTreeMap::new() };
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(|error| unreadable(&archive_name(index), &error))?;
        inspection.take(index, file)?;
    }
    inspection.finish()
}

/// How many entries there are, found out without holding them: a directory of entries alone can be as large as an upload.
fn count_entries<R: Read + Seek>(zip: &mut R, limits: &BitsLimits) -> Result<usize, BitsError> {
    let mut directory = ZipIterable::try_new(zip, zip::read::Config::default()).map_err(|error| not_a_zip(&error))?;
    let count = directory.len();
    if count as u64 > limits.entries {
        return Err(BitsError::Refused(format!("the package has {count} entries; the limit is {} entries", limits.entries)));
    }
    let mut first = None;
    for entry in directory.files().map_err(|error| not_a_zip(&error))? {
        let at = entry.map_err(|error| not_a_zip(&error))?.central_header_start();
        if at.saturating_sub(*first.get_or_insert(at)) > MAX_DIRECTORY_BYTES {
            return Err(BitsError::Refused(format!("the package's directory exceeds the limit of {MAX_DIRECTORY_BYTES} bytes")));
        }
    }
    Ok(count)
}

fn archive_name(index: usize) -> String {
    format!("number {index}")
}

fn not_a_zip(error: &ZipError) -> BitsError {
    BitsError::Refused(format!("the bits are not a sound zip file: {error}"))
}

fn unreadable(name: &str, error: &dyn std::fmt::Display) -> BitsError {
    refuse(name, &format!("cannot be read: {error}"))
}

fn refuse(name: &str, problem: &str) -> BitsError {
    let shown: String = name.chars().take(200).collect();
    BitsError::Refused(format!("entry '{}' {problem}", shown.escape_debug()))
}

struct Inspection<'a> {
    limits: &'a BitsLimits,
    unpacked_bytes: u64,
    entries: Vec<BitsEntry>,
    symlinks: BTreeMap<String, String>,
}

impl Inspection<'_> {
    fn take<R: Read>(&mut self, index: usize, mut file: ZipFile<'_, R>) -> Result<(), BitsError> {
        let name = file.name().map_err(|error| unreadable(&archive_name(index), &error))?.into_owned();
        if file.encrypted() {
            return Err(refuse(&name, "is encrypted"));
        }
        if !matches!(file.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(refuse(&name, "uses a compression other than deflate"));
        }
        let path = normalise(&name).map_err(|problem| refuse(&name, problem))?;
        if path.is_empty() {
            return if file.is_dir() { Ok(()) } else { Err(refuse(&name, "has no name")) };
        }
        let (kind, size_bytes) = match (file.unix_mode().unwrap_or(0) & 0o170_000, file.is_dir()) {
            (0o120_000, _) => (EntryKind::Symlink, self.take_symlink(&name, &path, &mut file)?),
            // The cf CLI marks folders as regular files; their name tells.
            (0 | 0o040_000 | 0o100_000, true) => (EntryKind::Folder, 0),
            (0 | 0o100_000, false) => self.take_file(&name, &mut file)?,
            _ => return Err(refuse(&name, "is neither a file, a folder nor a symlink")),
        };
        self.entries.push(BitsEntry { index, path, kind, size_bytes });
        Ok(())
    }

    fn take_symlink<R: Read>(&mut self, name: &str, path: &str, file: &mut ZipFile<'_, R>) -> Result<u64, BitsError> {
        let mut target = Vec::new();
        file.take(4_097).read_to_end(&mut target).map_err(|error| unreadable(name, &error))?;
        let target = String::from_utf8(target).map_err(|_| refuse(name, "is a symlink without a usable target"))?;
        if target.len() > 4_096 {
            return Err(refuse(name, "is a symlink with a target of more than 4096 bytes"));
        }
        let size = target.len() as u64;
        self.symlinks.insert(path.to_owned(), target);
        Ok(size)
    }

    fn take_file<R: Read>(&mut self, name: &str, file: &mut ZipFile<'_, R>) -> Result<(EntryKind, u64), BitsError> {
        let (declared, compressed) = (file.size(), file.compressed_size().max(1));
        let mut sha1 = Sha1::new();
        let mut buffer = vec![0; 64 << 10];
        let mut size = 0;
        loop {
            let read = file.read(&mut buffer).map_err(|error| unreadable(name, &error))?;
            let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { break };
            sha1.update(piece);
            size += read as u64;
            self.unpacked_bytes += read as u64;
            if self.unpacked_bytes > self.limits.unpacked_bytes {
                return Err(refuse(name, &format!("takes the package over the limit of {} unpacked bytes", self.limits.unpacked_bytes)));
            }
            if size > self.limits.compression_ratio_from_bytes && size / compressed > self.limits.compression_ratio {
                return Err(refuse(name, &format!("unpacks to more than {} times its compressed size", self.limits.compression_ratio)));
            }
        }
        if size != declared {
            return Err(refuse(name, &format!("declares {declared} bytes and holds {size}")));
        }
        Ok((EntryKind::File(sha1.finalize().into()), size))
    }

    /// The rules over several entries: no two of one name, nothing below a file or a symlink, no symlink that leaves.
    fn finish(self) -> Result<Vec<BitsEntry>, BitsError> {
        let mut leaves = BTreeSet::new();
        let mut folders = BTreeSet::new();
        for entry in &self.entries {
            let fresh =
                if entry.kind == EntryKind::Folder { folders.insert(entry.path.as_str()) } else { leaves.insert(entry.path.as_str()) };
            if !fresh {
                return Err(refuse(&entry.path, "is in the package more than once"));
            }
        }
        for entry in &self.entries {
            if entry.kind == EntryKind::Folder && leaves.contains(entry.path.as_str()) {
                return Err(refuse(&entry.path, "is both a file and a folder"));
            }
            let above = entry.path.match_indices('/').filter_map(|(at, _)| entry.path.get(..at));
            if let Some(above) = above.into_iter().find(|above| leaves.contains(above)) {
                return Err(refuse(&entry.path, &format!("lies below '{}', which is not a folder", above.escape_debug())));
            }
        }
        for link in self.symlinks.keys() {
            check_symlink(link, &self.symlinks).map_err(|problem| refuse(link, problem))?;
        }
        Ok(self.entries)
    }
}

#[cfg(test)]
#[path = "bits_tests.rs"]
mod tests;
