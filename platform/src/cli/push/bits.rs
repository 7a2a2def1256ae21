//! The bits of an app: what belongs to it, their SHA-1 for resource matching, and the zip of what the server lacks.

use anyhow::{Context as _, bail};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use std::{
    collections::HashSet,
    fs::File,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

/// Never part of an app (`cf`'s own list).
const ALWAYS_IGNORED: [&str; 9] =
    [".cfignore", ".DS_Store", ".git", ".gitignore", ".hg", ".svn", "_darcs", "/manifest.yml", "/manifest.yaml"];

/// One entry of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path inside the app, with `/`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
    /// SHA-1 of a file with content, lower-case hex.
    pub sha1: String,
}

/// The kind of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File,
    /// A symbolic link to this target.
    Link(String),
}

/// Where the bits come from.
#[derive(Debug)]
pub enum Source {
    /// A folder.
    Folder(PathBuf),
    /// A zip, jar or war.
    Archive(PathBuf),
    /// One `.wasm` or `.wat` file, which is an app by itself.
    Single(PathBuf),
}

/// An app's entries and their source.
#[derive(Debug)]
pub struct Bits {
    source: Source,
    /// What belongs to it.
    pub entries: Vec<Entry>,
}

impl Bits {
    /// Reads the names and hashes of everything at `path`.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let metadata = std::fs::metadata(path).with_context(|| format!("'{}' cannot be read", path.display()))?;
        let (source, entries) = if metadata.is_dir() {
            let path = path.canonicalize()?;
            let entries = folder_entries(&path)?;
            (Source::Folder(path), entries)
        } else if matches!(path.extension().and_then(|e| e.to_str()), Some("wasm" | "wat")) {
            (Source::Single(path.to_owned()), vec![single_entry(path)?])
        } else {
            (Source::Archive(path.to_owned()), archive_entries(path)?)
        };
        if entries.is_empty() {
            bail!("No app files found in '{}'", path.display());
        }
        Ok(Self { source, entries })
    }

    /// Entries the server may already have, in the shape of `/v3/resource_matches`.
    pub fn resources(&self) -> Vec<Value> {
        let files = self.entries.iter().filter(|entry| entry.kind == Kind::File && entry.size > 0);
        files
            .map(|entry| {
                json!({"path": entry.name, "mode": format!("{:o}", entry.mode & 0o777), "checksum": {"value": entry.sha1}, "size_in_bytes": entry.size})
            })
            .collect()
    }

    /// Writes the zip of everything but `matched`; `None` when nothing is left to send.
    pub fn archive(&self, matched: &HashSet<String>) -> anyhow::Result<Option<File>> {
        let entries: Vec<&Entry> = self.entries.iter().filter(|entry| !matched.contains(&entry.name)).collect();
        if entries.iter().all(|entry| entry.kind == Kind::Folder) && !matched.is_empty() {
            return Ok(None);
        }
        let mut zip = ZipWriter::new(tempfile::tempfile()?);
        let mut from = match &self.source {
            Source::Archive(path) => Some(ZipArchive::new(File::open(path)?)?),
            Source::Folder(_) | Source::Single(_) => None,
        };
        for entry in entries {
            let options = SimpleFileOptions::default().unix_permissions(entry.mode & 0o777).large_file(entry.size >= u64::from(u32::MAX));
            match (&entry.kind, &self.source) {
                (Kind::Folder, _) => zip.add_directory(entry.name.as_str(), options)?,
                (Kind::Link(target), _) => zip.add_symlink(entry.name.as_str(), target.as_str(), options)?,
                (Kind::File, source) => {
                    zip.start_file(entry.name.as_str(), options)?;
                    match (source, &mut from) {
                        (Source::Folder(root), _) => copy(&mut File::open(root.join(&entry.name))?, &mut zip)?,
                        (Source::Single(path), _) => copy(&mut File::open(path)?, &mut zip)?,
                        (Source::Archive(_), Some(archive)) => copy(&mut archive.by_name(&entry.name)?, &mut zip)?,
                        (Source::Archive(_), None) => bail!("the archive was not opened"),
                    }
                }
            }
        }
        Ok(Some(zip.finish()?))
    }
}

fn copy(from: &mut impl std::io::Read, to: &mut impl std::io::Write) -> std::io::Result<()> {
    std::io::copy(from, to).map(drop)
}

fn ignored(root: &Path) -> anyhow::Result<Gitignore> {
    let mut builder = GitignoreBuilder::new(root);
    for line in ALWAYS_IGNORED {
        builder.add_line(None, line)?;
    }
    let file = root.join(".cfignore");
    if file.is_file()
        && let Some(error) = builder.add(&file)
    {
        bail!("{} cannot be read: {error}", file.display());
    }
    Ok(builder.build()?)
}

fn folder_entries(root: &Path) -> anyhow::Result<Vec<Entry>> {
    let ignored = ignored(root)?;
    let (mut entries, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        let mut names: Vec<_> = std::fs::read_dir(root.join(&folder))?.collect::<Result<Vec<_>, _>>()?;
        names.sort_by_key(std::fs::DirEntry::file_name);
        for found in names {
            let relative = folder.join(found.file_name());
            let metadata = found.metadata()?;
            if ignored.matched(&relative, metadata.is_dir()).is_ignore() {
                continue;
            }
            let name = relative.to_str().with_context(|| format!("the file name {relative:?} is not UTF-8"))?.to_owned();
            let mode = metadata.permissions().mode();
            if metadata.is_dir() {
                entries.push(Entry { name, kind: Kind::Folder, mode, size: 0, sha1: String::new() });
                folders.push(relative);
            } else if metadata.is_symlink() {
                let target = std::fs::read_link(found.path())?;
                let target = target.to_str().with_context(|| format!("the link {relative:?} is not UTF-8"))?.to_owned();
                entries.push(Entry { name, kind: Kind::Link(target), mode: 0o777, size: 0, sha1: String::new() });
            } else if metadata.is_file() {
                let sha1 = hash(File::open(found.path())?)?;
                entries.push(Entry { name, kind: Kind::File, mode, size: metadata.len(), sha1 });
            }
        }
    }
    Ok(entries)
}

fn single_entry(path: &Path) -> anyhow::Result<Entry> {
    let name = path.file_name().and_then(|name| name.to_str()).context("the file's name is not UTF-8")?.to_owned();
    let size = std::fs::metadata(path)?.len();
    Ok(Entry { name, kind: Kind::File, mode: 0o644, size, sha1: hash(File::open(path)?)? })
}

fn archive_entries(path: &Path) -> anyhow::Result<Vec<Entry>> {
    let not_zip = || format!("'{}' is neither a folder, nor a zip, .wasm or .wat file", path.display());
    let mut archive = ZipArchive::new(File::open(path)?).with_context(not_zip)?;
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let (name, mode, size) = (file.name()?.into_owned(), file.unix_mode().unwrap_or(0o644), file.size());
        if file.is_dir() {
            entries.push(Entry { name, kind: Kind::Folder, mode, size: 0, sha1: String::new() });
        } else if file.is_symlink() {
            let mut target = String::new();
            file.read_to_string(&mut target)?;
            entries.push(Entry { name, kind: Kind::Link(target), mode: 0o777, size: 0, sha1: String::new() });
        } else {
            let sha1 = hash(&mut file)?;
            entries.push(Entry { name, kind: Kind::File, mode, size, sha1 });
        }
    }
    Ok(entries)
}

fn hash(mut from: impl std::io::Read) -> std::io::Result<String> {
    struct Hasher(Sha1);
    impl std::io::Write for Hasher {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut hasher = Hasher(Sha1::new());
    std::io::copy(&mut from, &mut hasher)?;
    hasher.flush()?;
    Ok(hasher.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn names(bits: &Bits) -> Vec<&str> {
        bits.entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    #[test]
    fn cfignore_and_the_built_in_list_are_kept_out() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.js", "skip.log", "sub/b.js", "node_modules/x/y.js", ".git/config", "manifest.yml", "sub/manifest.yml"] {
            write(folder.path(), name, name);
        }
        write(folder.path(), ".cfignore", "*.log\nnode_modules/\n");
        std::os::unix::fs::symlink("a.js", folder.path().join("link")).unwrap();
        let bits = Bits::read(folder.path()).unwrap();
        assert_eq!(names(&bits), ["a.js", "link", "sub", "sub/b.js", "sub/manifest.yml"]);
        assert_eq!(bits.resources().len(), 3);
    }

    #[test]
    fn matched_files_are_not_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a", "hello");
        write(folder.path(), "b", "world");
        let bits = Bits::read(folder.path()).unwrap();
        assert_eq!(bits.entries[0].sha1, "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d");
        let zip = bits.archive(&HashSet::from(["a".to_owned()])).unwrap().unwrap();
        let zip = ZipArchive::new(zip).unwrap();
        assert_eq!(zip.file_names().map(Result::unwrap).collect::<Vec<_>>(), ["b"]);
        assert!(bits.archive(&HashSet::from(["a".to_owned(), "b".to_owned()])).unwrap().is_none());
    }

    #[test]
    fn a_zip_is_read_entry_by_entry_and_an_empty_folder_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        zip.start_file("x/y", SimpleFileOptions::default()).unwrap();
        zip.write_all(b"hello").unwrap();
        zip.finish().unwrap();
        let bits = Bits::read(&path).unwrap();
        assert_eq!(names(&bits), ["x/y"]);
        let again = ZipArchive::new(bits.archive(&HashSet::new()).unwrap().unwrap()).unwrap();
        assert_eq!(again.file_names().map(Result::unwrap).collect::<Vec<_>>(), ["x/y"]);
        let empty = tempfile::tempdir().unwrap();
        assert!(Bits::read(empty.path()).unwrap_err().to_string().starts_with("No app files found"));
    }
}
