//! Writing droplet archives (`application/vnd.virga.droplet`): a zstd tar with `droplet.json`, `app.wasm`, `files/…`.
//! The same input gives the same bytes: entries sorted, no times, no owners.

use sha2::Digest as _;
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};
use virga_model::{Sha256Digest, droplet::DropletManifest};

/// Name of the manifest's entry; always the first.
pub const MANIFEST: &str = "droplet.json";
/// Name of the component's entry.
pub const COMPONENT: &str = "app.wasm";
/// Folder of the guest's read-only file system.
pub const FILES: &str = "files";

const ZSTD_LEVEL: i32 = 3;

/// Why an archive could not be written or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The disk failed, or the archive is broken.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// `droplet.json` is not what it should be.
    #[error("droplet.json: {0}")]
    Manifest(String),
    /// An entry that has no place in a droplet.
    #[error("'{path}' {reason}")]
    Entry {
        /// Its name, as far as it can be shown.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More bytes or entries than allowed.
    #[error("the droplet has more than {limit} {unit}")]
    TooLarge {
        /// The limit.
        limit: u64,
        /// `bytes` or `entries`.
        unit: &'static str,
    },
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Of the archive; the droplet's name everywhere.
    pub digest: Sha256Digest,
    /// Of the archive.
    pub size_bytes: u64,
}

/// Writes a droplet: its manifest, its component, and everything under `files`.
///
/// # Errors
/// [`ArchiveError::Entry`] for symbolic links and special files, which have no place in a droplet.
pub fn write(out: impl Write, manifest: &DropletManifest, component: Option<&[u8]>, files: Option<&Path>) -> Result<Written, ArchiveError> {
    let hashing = Hashing { out, sha: sha2::Sha256::new(), bytes: 0 };
    let mut tar = tar::Builder::new(zstd::Encoder::new(hashing, ZSTD_LEVEL)?);
    let json = serde_json::to_vec_pretty(manifest).map_err(|error| ArchiveError::Manifest(error.to_string()))?;
    append_bytes(&mut tar, Path::new(MANIFEST), &json)?;
    if let Some(component) = component {
        append_bytes(&mut tar, Path::new(COMPONENT), component)?;
    }
    if let Some(root) = files {
        append_folder(&mut tar, root)?;
    }
    let mut hashing = tar.into_inner()?.finish()?;
    hashing.out.flush()?;
    Ok(Written { digest: Sha256Digest::from_bytes(hashing.sha.finalize().into()), size_bytes: hashing.bytes })
}

struct Hashing<W> {
    out: W,
    sha: sha2::Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.sha.update(bytes.get(..written).unwrap_or(bytes));
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn append_bytes<W: Write>(tar: &mut tar::Builder<W>, path: &Path, bytes: &[u8]) -> io::Result<()> {
    tar.append_data(&mut header(tar::EntryType::Regular, 0o644, bytes.len() as u64), path, bytes)
}

fn append_folder<W: Write>(tar: &mut tar::Builder<W>, root: &Path) -> Result<(), ArchiveError> {
    for path in sorted_tree(root)? {
        let inside = path.strip_prefix(root).unwrap_or(&path);
        let name = Path::new(FILES).join(inside);
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            tar.append_data(&mut header(tar::EntryType::Directory, 0o755, 0), &name, io::empty())?;
        } else if metadata.is_file() {
            let mut header = header(tar::EntryType::Regular, 0o644, metadata.len());
            tar.append_data(&mut header, &name, fs::File::open(&path)?)?;
        } else {
            return Err(ArchiveError::Entry { path: inside.display().to_string(), reason: "is neither a file nor a folder" });
        }
    }
    Ok(())
}

/// Everything under `root`, sorted by the whole path, the root itself left out.
fn sorted_tree(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            // Of the entry itself: a link to a folder is not followed.
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
