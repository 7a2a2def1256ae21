//! The file system of an app instance that finds its services' credentials in files: the droplet's files, linked into a folder of its own, and those beside them.
//! They are one tree, since snapshots of started apps know one root.

use crate::loader::LoadError;
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink},
    path::{Path, PathBuf},
};

/// Folder of these trees in the cache, each below the id of the process that made it.
const TREES: &str = "trees";

/// A tree that goes away with this value.
pub(crate) struct ServiceFiles(PathBuf);

impl ServiceFiles {
    /// Makes the tree.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn make(cache: &Path, droplet: Option<PathBuf>, files: BTreeMap<String, String>) -> Result<Self, LoadError> {
        let folder = cache.join(TREES).join(std::process::id().to_string()).join(format!("{:032x}", rand::random::<u128>()));
        let made = tokio::task::spawn_blocking(move || {
            // Dropped where something fails, with what there is of it.
            let tree = Self(folder);
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&tree.0)?;
            for (path, text) in files {
                write(&tree.0.join(path.trim_start_matches('/')), &text)?;
            }
            if let Some(droplet) = droplet {
                link(&droplet, &tree.0)?;
            }
            Ok::<_, io::Error>(tree)
        });
        Ok(made.await.map_err(io::Error::other)??)
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for ServiceFiles {
    fn drop(&mut self) {
        let folder = std::mem::take(&mut self.0);
        let remove = move || match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %folder.display(), "the files of an app instance stay behind: {error}");
            }
            _ => {}
        };
        // There may be many, and this may be the thread that serves other apps.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// Only this user reads it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

/// Links every file of a tree into another; what is there already stays.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let mut open = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = open.pop() {
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
            let there = fs::symlink_metadata(&target).ok();
            if kind.is_dir() {
                match there {
                    None => fs::create_dir(&target)?,
                    Some(there) if there.is_dir() => {}
                    Some(_) => continue,
                }
                open.push((entry.path(), target));
            } else if there.is_none() {
                if kind.is_symlink() {
                    symlink(fs::read_link(entry.path())?, target)?;
                } else {
                    fs::hard_link(entry.path(), target)?;
                }
            }
        }
    }
    Ok(())
}

/// Removes the trees of processes that are gone; gives how many there were.
///
/// # Errors
/// Those of the disk.
pub(crate) fn clear(cache: &Path) -> io::Result<usize> {
    let entries = match fs::read_dir(cache.join(TREES)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut gone = 0;
    for entry in entries {
        let entry = entry?;
        let is_alive = Path::new("/proc").join(entry.file_name()).exists();
        if !is_alive {
            fs::remove_dir_all(entry.path())?;
            gone += 1;
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn a_tree_has_both_and_leaves_the_droplet_as_it_is() {
        let cache = tempfile::tempdir().unwrap();
        let droplet = cache.path().join("droplet");
        fs::create_dir_all(droplet.join("etc/cf-service-bindings")).unwrap();
        fs::write(droplet.join("etc/hosts"), "hosts").unwrap();
        fs::write(droplet.join("etc/cf-service-bindings/vcap_services"), "forged").unwrap();
        symlink("etc/hosts", droplet.join("link")).unwrap();
        let files = BTreeMap::from([("/etc/cf-service-bindings/vcap_services".to_owned(), "secret".to_owned())]);
        let tree = ServiceFiles::make(cache.path(), Some(droplet.clone()), files).await.unwrap();
        let folder = tree.folder().to_owned();
        let read = |path: &str| fs::read_to_string(folder.join(path)).unwrap();
        assert_eq!(
            (read("etc/hosts"), read("link"), read("etc/cf-service-bindings/vcap_services")),
            ("hosts".into(), "hosts".into(), "secret".into())
        );
        assert_eq!(fs::metadata(folder.join("etc/cf-service-bindings/vcap_services")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        // Aside, where nothing is held up by it.
        std::thread::spawn(move || drop(tree)).join().unwrap();
        assert!(!folder.exists());
        assert_eq!(fs::read_to_string(droplet.join("etc/cf-service-bindings/vcap_services")).unwrap(), "forged");
        assert_eq!(fs::read_to_string(droplet.join("etc/hosts")).unwrap(), "hosts");
    }

    #[test]
    fn what_a_process_that_is_gone_left_is_removed() {
        let cache = tempfile::tempdir().unwrap();
        // No process has this id: it is more than the kernel gives out.
        for process in [std::process::id(), u32::MAX] {
            fs::create_dir_all(cache.path().join(TREES).join(process.to_string()).join("tree")).unwrap();
        }
        assert_eq!(clear(cache.path()).unwrap(), 1);
        assert!(cache.path().join(TREES).join(std::process::id().to_string()).exists());
    }
}
