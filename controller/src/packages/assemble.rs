//! The zip of a package out of what the client sent and what the resource cache already has.

use super::{
    bits::{BitsEntry, BitsError, EntryKind},
    entry_path::normalise,
};
use serde::Deserialize;
use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// A file that the client did not send, because resource matching said the platform has it. Both the v3 form and the
/// older one (`fn`, `sha1`, `size`) are understood.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MatchedResource {
    /// Where it belongs in the app.
    #[serde(alias = "fn")]
    pub path: String,
    /// Permission bits, octal.
    #[serde(default)]
    pub mode: Option<String>,
    /// `{"value": <SHA-1>}`
    #[serde(default)]
    checksum: Option<Checksum>,
    #[serde(default)]
    sha1: Option<String>,
    /// Bytes.
    #[serde(alias = "size")]
    pub size_in_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Checksum {
    value: String,
}

impl MatchedResource {
    /// Its SHA-1, in lower-case hex.
    ///
    /// # Errors
    /// [`BitsError::Refused`] where there is none.
    pub fn sha1(&self) -> Result<String, BitsError> {
        let value = self.checksum.as_ref().map(|checksum| &checksum.value).or(self.sha1.as_ref());
        let value = value.map(|value| value.to_ascii_lowercase());
        value
            .filter(|value| value.len() == 40 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .ok_or_else(|| BitsError::Refused(format!("resource '{}' has no SHA-1", self.path.escape_debug())))
    }

    /// Its permission bits; what is no octal number reads as 0644.
    #[must_use]
    pub fn permissions(&self) -> u32 {
        let mode = self.mode.as_deref().and_then(|mode| u32::from_str_radix(mode.trim_start_matches("0o"), 8).ok());
        mode.map_or(0o644, |mode| mode & 0o777 | 0o400)
    }
}

/// A matched file, fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedResource {
    /// Where it belongs in the app.
    pub path: String,
    /// Permission bits.
    pub permissions: u32,
    /// Where its content is now.
    pub content: PathBuf,
}

/// Writes a zip with everything in `upload` (a sound zip) and the `fetched` files. The caller inspects the result like any
/// other upload, which finds names that are there twice.
///
/// # Errors
/// [`BitsError::Refused`] for a path that may not be; [`BitsError::Io`].
pub fn merge(upload: Option<&Path>, fetched: &[FetchedResource], target: &File) -> Result<(), BitsError> {
    let mut writer = ZipWriter::new(BufWriter::new(target));
    if let Some(upload) = upload {
        let mut archive = ZipArchive::new(BufReader::new(File::open(upload)?)).map_err(io::Error::other)?;
        for index in 0..archive.len() {
            writer.raw_copy_file(archive.by_index_raw(index).map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
    }
    for resource in fetched {
        let refuse = |problem: &str| BitsError::Refused(format!("resource '{}' {problem}", resource.path.escape_debug()));
        let path = normalise(&resource.path).map_err(refuse)?;
        if path.is_empty() {
            return Err(refuse("has no name"));
        }
        let mut content = File::open(&resource.content)?;
        // Compression level 1: the file came from our own disk and is unpacked once.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(1))
            .large_file(content.metadata()?.len() >= u64::from(u32::MAX))
            .unix_permissions(resource.permissions);
        writer.start_file(path, options).map_err(io::Error::other)?;
        io::copy(&mut content, &mut writer)?;
    }
    let mut inner = writer.finish().map_err(io::Error::other)?;
    inner.flush()?;
    Ok(())
}

/// SHA-1 and content of a file.
pub type FileContent = ([u8; 20], Vec<u8>);

/// The content of those of `entries` that are files, up to `budget_bytes` together but at least one; and how many entries
/// were looked at. For filling the resource cache piece by piece.
///
/// # Errors
/// [`BitsError::Io`].
pub fn read_some(zip: &Path, entries: &[BitsEntry], budget_bytes: u64) -> Result<(Vec<FileContent>, usize), BitsError> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(zip)?)).map_err(io::Error::other)?;
    let (mut contents, mut taken, mut looked_at) = (Vec::new(), 0, 0);
    for entry in entries {
        if taken > 0 && taken + entry.size_bytes > budget_bytes {
            break;
        }
        looked_at += 1;
        let EntryKind::File(sha1) = entry.kind else { continue };
        let mut content = Vec::new();
        let file = archive.by_index(entry.index).map_err(io::Error::other)?;
        file.take(entry.size_bytes).read_to_end(&mut content)?;
        taken += entry.size_bytes;
        contents.push((sha1, content));
    }
    Ok((contents, looked_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::bits::{BitsLimits, inspect};

    fn upload(folder: &Path) -> PathBuf {
        let path = folder.join("upload.zip");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        writer.start_file("a.txt", SimpleFileOptions::default()).unwrap();
        writer.write_all(b"sent").unwrap();
        writer.finish().unwrap();
        path
    }

    fn fetched(folder: &Path, path: &str) -> FetchedResource {
        let content = folder.join("content");
        std::fs::write(&content, b"known").unwrap();
        FetchedResource { path: path.to_owned(), permissions: 0o755, content }
    }

    #[test]
    fn matched_files_join_what_was_sent() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target.zip");
        let file = File::create(&target).unwrap();
        merge(Some(&upload(folder.path())), &[fetched(folder.path(), "bin/run")], &file).unwrap();
        let entries = inspect(File::open(&target).unwrap(), &BitsLimits::default()).unwrap();
        assert_eq!(entries.iter().map(|entry| (entry.path.as_str(), entry.size_bytes)).collect::<Vec<_>>(), [("a.txt", 4), ("bin/run", 5)]);
        let mut archive = ZipArchive::new(File::open(&target).unwrap()).unwrap();
        assert_eq!(archive.by_name("bin/run").unwrap().unix_mode().unwrap() & 0o777, 0o755);
        let (contents, looked_at) = read_some(&target, &entries, 1).unwrap();
        assert_eq!((contents.len(), contents[0].1.as_slice(), looked_at), (1, &b"sent"[..], 1));
    }

    #[test]
    fn a_matched_path_is_as_hostile_as_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("target.zip")).unwrap();
        for path in ["../evil", "/etc/passwd", "", "."] {
            assert!(matches!(merge(None, &[fetched(folder.path(), path)], &file), Err(BitsError::Refused(_))), "{path}");
        }
    }

    #[test]
    fn both_forms_of_a_matched_resource_are_read() {
        let sha1 = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";
        let new: MatchedResource =
            serde_json::from_value(serde_json::json!({"path": "a", "mode": "755", "checksum": {"value": sha1}, "size_in_bytes": 5}))
                .unwrap();
        let old: MatchedResource =
            serde_json::from_value(serde_json::json!({"fn": "a", "mode": "100755", "sha1": sha1, "size": 5})).unwrap();
        assert_eq!((new.sha1().unwrap(), new.permissions()), (sha1.to_owned(), 0o755));
        assert_eq!((old.sha1().unwrap(), old.permissions()), (sha1.to_owned(), 0o755));
        let none: MatchedResource = serde_json::from_value(serde_json::json!({"path": "a", "size_in_bytes": 5})).unwrap();
        assert!(none.sha1().is_err());
    }
}
