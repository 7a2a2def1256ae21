//! Copies and digests of folders.

use sha2::{Digest as _, Sha256};
use std::{fs, io, path::Path};
use virga_model::Sha256Digest;

/// Copies files and folders below `from` to `into`, made where missing; `skip` is asked with paths relative to `from`.
/// Links are left out. Gives the number of files.
pub(crate) fn copy_tree(from: &Path, into: &Path, skip: &dyn Fn(&Path) -> bool) -> io::Result<u64> {
    let mut count = 0;
    fs::create_dir_all(into)?;
    let entries = walkdir::WalkDir::new(from).min_depth(1).sort_by_file_name();
    let kept = entries
        .into_iter()
        .filter_entry(|entry| !entry.path().strip_prefix(from).is_ok_and(|inside| !inside.as_os_str().is_empty() && skip(inside)));
    for entry in kept {
        let entry = entry?;
        let Ok(inside) = entry.path().strip_prefix(from) else { continue };
        if entry.file_type().is_dir() {
            fs::create_dir_all(into.join(inside))?;
        } else if entry.file_type().is_file() {
            fs::copy(entry.path(), into.join(inside))?;
            count += 1;
        }
    }
    Ok(count)
}

/// The digest of names and bytes of everything below a folder: the same content, the same digest, whatever its times.
pub(crate) fn tree_digest(folder: &Path) -> io::Result<Sha256Digest> {
    let mut hasher = Sha256::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        let inside = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let name = inside.as_os_str().as_encoded_bytes();
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name);
        if entry.file_type().is_file() {
            let mut file = Sha256::new();
            io::copy(&mut fs::File::open(entry.path())?, &mut HashWriter(&mut file))?;
            hasher.update(b"f");
            hasher.update(file.finalize());
        } else {
            hasher.update(b"d");
        }
    }
    Ok(Sha256Digest::from_bytes(hasher.finalize().into()))
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes of all files below a folder; what disappears meanwhile counts nothing.
pub(crate) fn tree_bytes(folder: &Path) -> u64 {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_and_names_make_the_digest() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "1").unwrap();
        let first = tree_digest(folder.path()).unwrap();
        fs::write(folder.path().join("a"), "1").unwrap();
        assert_eq!(tree_digest(folder.path()).unwrap(), first);
        fs::write(folder.path().join("a"), "2").unwrap();
        assert_ne!(tree_digest(folder.path()).unwrap(), first);
        fs::write(folder.path().join("a"), "1").unwrap();
        fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        assert_ne!(tree_digest(folder.path()).unwrap(), first);
    }
}
