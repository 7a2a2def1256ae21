//! What the interpreter compiles of an app's packages, kept in the app's own cache: no other app's staging reads it.

use crate::{child::protocol::StageRequest, snapshot::Bytecode, toolchain};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Goes with the set of packages it was made of.
const KEPT: &str = "pip-bytecode";

/// The folders for a start of this app; that for what is new is empty.
pub(super) fn folders(request: &StageRequest) -> io::Result<Bytecode> {
    let folders = Bytecode { kept: request.cache.join(KEPT), made: request.work.join("compiled") };
    if fs::symlink_metadata(&folders.kept).is_ok_and(|metadata| !metadata.is_dir()) {
        fs::remove_file(&folders.kept)?;
    }
    fs::create_dir_all(&folders.kept)?;
    toolchain::remove(&folders.made);
    fs::create_dir_all(&folders.made)?;
    Ok(folders)
}

/// Moves what is new to what is kept, and says whether there was anything. The interpreter that wrote it has run the app's code, so it
/// may be anything: only plain files are taken, and the interpreter looks at what is in them before it uses them.
pub(super) fn keep(folders: &Bytecode) -> io::Result<bool> {
    let mut is_any = false;
    for entry in fs::read_dir(&folders.made)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        if entry.file_type()?.is_file() && name.extension().is_some_and(|extension| extension == "pyc") {
            place(&entry.path(), &folders.kept.join(name))?;
            is_any = true;
        }
    }
    Ok(is_any)
}

/// Never half of a file. The cache may be another file system.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    if to.is_dir() {
        fs::remove_dir_all(to)?;
    }
    let aside = to.with_extension("new");
    fs::copy(from, &aside)?;
    fs::rename(aside, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_files_alone_are_kept_and_replace_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Bytecode { kept: folder.path().join("kept"), made: folder.path().join("made") };
        for path in [&folders.kept, &folders.made, &folders.made.join("folder.pyc"), &folders.kept.join("b.pyc")] {
            fs::create_dir_all(path).unwrap();
        }
        fs::write(folder.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), folders.made.join("link.pyc")).unwrap();
        fs::write(folders.made.join("other.txt"), "").unwrap();
        assert!(!keep(&folders).unwrap(), "there is nothing to keep");
        fs::write(folders.kept.join("a.pyc"), "old").unwrap();
        for name in ["a.pyc", "b.pyc"] {
            fs::write(folders.made.join(name), "new").unwrap();
        }
        assert!(keep(&folders).unwrap());
        let mut kept: Vec<_> = fs::read_dir(&folders.kept).unwrap().map(|entry| entry.unwrap().path()).collect();
        kept.sort();
        assert_eq!(kept, ["a.pyc", "b.pyc"].map(|name| folders.kept.join(name)));
        for path in kept {
            assert_eq!(fs::read_to_string(path).unwrap(), "new");
        }
    }
}
