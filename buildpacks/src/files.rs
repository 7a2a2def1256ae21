//! Copies and digests of folders.

use sha2::{Digest as _, Sha256};
use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};
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

/// Opens a folder and all folders in it to us, whatever was done to their permissions.
pub(crate) fn open_tree(folder: &Path) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        open_folder(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Opens one folder; a link is none.
pub(crate) fn open_folder(folder: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    let mode = metadata.permissions().mode();
    let is_open = !metadata.is_dir() || mode & 0o700 == 0o700;
    if is_open { Ok(()) } else { fs::set_permissions(folder, fs::Permissions::from_mode(mode | 0o700)) }
}

/// Least that a file or folder counts, however empty it is.
const ENTRY_BYTES: u64 = 512;

/// Whether a folder takes more of the disk than this; also one that cannot be walked to its end. What disappears meanwhile counts
/// nothing.
pub(crate) fn is_tree_over(folder: &Path, bytes: u64) -> bool {
    let mut sum = 0_u64;
    for entry in walkdir::WalkDir::new(folder) {
        let metadata = entry.and_then(|entry| entry.metadata());
        sum = match metadata {
            Ok(metadata) => sum.saturating_add((metadata.blocks().saturating_mul(512)).max(ENTRY_BYTES)),
            Err(error) if error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) => sum,
            Err(_) => return true,
        };
        if sum > bytes {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_folders_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("a/b");
        fs::create_dir_all(&closed).unwrap();
        for path in [closed.as_path(), folder.path().join("a").as_path()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
        }
        open_tree(folder.path()).unwrap();
        assert_eq!(fs::metadata(&closed).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn empty_files_and_folders_too_deep_to_walk_count() {
        let folder = tempfile::tempdir().unwrap();
        for name in 0..100 {
            fs::write(folder.path().join(name.to_string()), "").unwrap();
        }
        assert!(is_tree_over(folder.path(), 40_000));
        assert!(!is_tree_over(folder.path(), 200_000));
        assert!(!is_tree_over(&folder.path().join("gone"), 1));
    }

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
