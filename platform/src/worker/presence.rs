//! How a control process finds workers that it did not start: each living worker holds the lock of a file that says who it
//! is. The lock goes with the process, however it ends, so a file without one is a dead worker's.

use anyhow::Context as _;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    net::SocketAddr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// Who a worker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its process id.
    pub pid: u32,
    /// Its number on this box.
    pub index: u32,
    /// Where it accepts.
    pub listen: SocketAddr,
    /// The build it runs; see [`crate::version::build_id`].
    pub build: String,
    /// The configuration it was given, as far as a change of it needs a new worker.
    pub config: String,
}

/// A worker's own presence; ends with the process.
#[derive(Debug)]
pub struct Presence {
    _locked: File,
    path: PathBuf,
}

impl Presence {
    /// Makes this process known in `folder`.
    pub fn announce(folder: &Path, identity: &Identity) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.json", identity.pid));
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        file.try_lock().with_context(|| format!("{} is locked by another process", path.display()))?;
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(identity)?)?;
        Ok(Self { _locked: file, path })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the presence file was gone already");
        }
    }
}

/// A living worker, with a handle that stays its own even when its process id is used again.
#[derive(Debug)]
pub struct Living {
    /// Who it is.
    pub identity: Identity,
    /// The handle.
    pub handle: OwnedFd,
}

/// Every living worker of `folder`; what dead ones left is removed.
pub fn living(folder: &Path) -> anyhow::Result<Vec<Living>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        match look(&path)? {
            Some(worker) => found.push(worker),
            None => std::fs::remove_file(&path)
                .or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?,
        }
    }
    found.sort_by_key(|worker| (worker.identity.index, worker.identity.pid));
    Ok(found)
}

/// The worker that holds this file, if one does.
fn look(path: &Path) -> anyhow::Result<Option<Living>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !is_held(&file)? {
        return Ok(None);
    }
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    let identity: Identity = serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
    let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Held before and after: the process that was opened is the one that wrote the file.
    Ok(is_held(&file)?.then_some(Living { identity, handle }))
}

fn is_held(file: &File) -> anyhow::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => {
            file.unlock()?;
            Ok(false)
        }
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { pid: std::process::id(), index: 1, listen: "127.0.0.1:1".parse().unwrap(), build: "b".into(), config: "c".into() }
    }

    #[test]
    fn a_worker_is_seen_while_it_lives_and_its_file_goes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(living(&folder.path().join("none")).unwrap().is_empty());
        let presence = Presence::announce(folder.path(), &identity()).unwrap();
        let found = living(folder.path()).unwrap();
        assert_eq!(found.iter().map(|w| &w.identity).collect::<Vec<_>>(), [&identity()]);
        drop(presence);
        assert!(living(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_nobody_holds_is_a_dead_workers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("7.json");
        std::fs::write(&path, serde_json::to_vec(&identity()).unwrap()).unwrap();
        assert!(living(folder.path()).unwrap().is_empty());
        assert!(!path.exists());
    }
}
