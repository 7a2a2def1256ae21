//! Unpacking a package. The controller has checked the zip when it was uploaded; what follows trusts nothing of that:
//! nothing leaves the folder, no links, sizes counted as they are written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Component, Path, PathBuf},
};

/// Bounds of an unpacked package.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnzipLimits {
    pub(crate) bytes: u64,
    pub(crate) entries: usize,
}

/// Why a package could not be unpacked; the text is for the developer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnzipError {
    #[error("the package is not a zip archive that can be read: {0}")]
    Zip(#[from] zip::result::ZipError),
    #[error("the package could not be unpacked: {0}")]
    Io(#[from] io::Error),
    #[error("the package holds '{0}', which leads out of the app's folder")]
    Outside(String),
    #[error("the package holds '{0}' twice")]
    Twice(String),
    #[error("the package holds more than {0} files and folders; list what the app does not need in .cfignore")]
    Entries(usize),
    #[error("the package unpacks to more than {0} bytes; list what the app does not need in .cfignore")]
    Bytes(u64),
}

/// Unpacks `package` into the empty folder `into`.
pub(crate) fn unzip(package: &Path, into: &Path, limits: UnzipLimits) -> Result<(), UnzipError> {
    let mut archive = zip::ZipArchive::new(io::BufReader::new(File::open(package)?))?;
    if archive.len() > limits.entries {
        return Err(UnzipError::Entries(limits.entries));
    }
    let mut left = limits.bytes;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        let path = into.join(inside(&name).ok_or_else(|| UnzipError::Outside(name.clone()))?);
        if entry.is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        // A link is the text of its target in the archive; as a file it can do no harm, but no app means that.
        if entry.is_symlink() {
            return Err(UnzipError::Outside(name));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mode = if entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0) { 0o755 } else { 0o644 };
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(mode).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(UnzipError::Twice(name)),
            opened => opened?,
        };
        let written = io::copy(&mut entry.by_ref().take(left.saturating_add(1)), &mut file)?;
        left = left.checked_sub(written).ok_or(UnzipError::Bytes(limits.bytes))?;
    }
    Ok(())
}

/// The path below the app's folder; `None` for one that is absolute, climbs, or names nothing.
fn inside(name: &str) -> Option<PathBuf> {
    if name.contains(['\0', '\\']) {
        return None;
    }
    let mut path = PathBuf::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (path.components().count() > 0).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use zip::write::SimpleFileOptions;

    const LIMITS: UnzipLimits = UnzipLimits { bytes: 1000, entries: 10 };

    fn unzipped(build: impl FnOnce(&mut zip::ZipWriter<File>)) -> (tempfile::TempDir, Result<(), UnzipError>) {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("package.zip");
        let mut writer = zip::ZipWriter::new(File::create(&package).unwrap());
        build(&mut writer);
        writer.finish().unwrap();
        let into = folder.path().join("app");
        fs::create_dir(&into).unwrap();
        let result = unzip(&package, &into, LIMITS);
        (folder, result)
    }

    #[test]
    fn files_and_folders_come_out() {
        let (folder, result) = unzipped(|zip| {
            zip.add_directory("empty/", SimpleFileOptions::default()).unwrap();
            zip.start_file("a/b.txt", SimpleFileOptions::default()).unwrap();
            zip.write_all(b"hello").unwrap();
        });
        result.unwrap();
        assert_eq!(fs::read(folder.path().join("app/a/b.txt")).unwrap(), b"hello");
        assert!(folder.path().join("app/empty").is_dir());
    }

    #[test]
    fn nothing_leaves_the_folder() {
        assert_eq!(inside("../x"), None);
        assert_eq!(inside("a/../../x"), None);
        assert_eq!(inside("/etc/passwd"), None);
        assert_eq!(inside("a\\b"), None);
        assert_eq!(inside("./a/b"), Some(PathBuf::from("a/b")));
        let (_folder, result) = unzipped(|zip| zip.add_symlink("link", "/etc", SimpleFileOptions::default()).unwrap());
        assert!(matches!(result, Err(UnzipError::Outside(name)) if name == "link"));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let (_folder, result) = unzipped(|zip| {
            zip.start_file("zeros", SimpleFileOptions::default()).unwrap();
            zip.write_all(&vec![0; 1_000_000]).unwrap();
        });
        assert!(matches!(result, Err(UnzipError::Bytes(1000))));
    }
}
