//! A bound on the number of tasks of a staging, kept by the kernel where the platform may make control groups. A resource
//! limit would not do: it does not hold for the machine's root, as which many platforms run.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

const MOUNTED_AT: &str = "/sys/fs/cgroup";
const PREFIX: &str = "virga-staging-";

/// Groups of ours whose last process was not reaped yet when they were to go.
static LEFT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A control group that goes with this value.
#[derive(Debug)]
pub(crate) struct TaskGroup(PathBuf);

impl TaskGroup {
    /// Makes one for at most `tasks`.
    ///
    /// # Errors
    /// Where that is not this platform's to do.
    pub(crate) fn new(name: &str, tasks: u64) -> io::Result<Self> {
        let parent = parent().ok_or_else(|| io::Error::other("the platform's own control group is not to be found"))?;
        sweep(&parent);
        let folder = parent.join(format!("{PREFIX}{}-{name}", std::process::id()));
        let failed = |what: &str, error: io::Error| io::Error::new(error.kind(), format!("{what} in {}: {error}", parent.display()));
        fs::create_dir(&folder).map_err(|error| failed("making one", error))?;
        let group = Self(folder);
        // Without the controller there is no such file, and the group is of no use.
        fs::write(group.0.join("pids.max"), tasks.to_string()).map_err(|error| failed("setting pids.max of one", error))?;
        Ok(group)
    }

    /// Where a process writes `0` to join.
    pub(crate) fn door(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for TaskGroup {
    fn drop(&mut self) {
        // Until the last of its processes is reaped it stays; the next staging sweeps.
        if fs::remove_dir(&self.0).is_err() {
            LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(self.0.clone());
        }
    }
}

/// The platform's own group, of the second version or of the first one's counter of tasks.
fn parent() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let of = |prefix: &str| own.lines().find_map(|line| line.strip_prefix(prefix)).map(|path| path.trim_start_matches('/').to_owned());
    let second = || Some(Path::new(MOUNTED_AT).join(of("0::")?)).filter(|path| path.join("cgroup.controllers").is_file());
    let first = || {
        let line = own.lines().find(|line| line.split(':').nth(1) == Some("pids"))?;
        let path = line.splitn(3, ':').nth(2)?;
        Some(Path::new(MOUNTED_AT).join("pids").join(path.trim_start_matches('/')))
    };
    first().filter(|path| path.is_dir()).or_else(second)
}

/// Removes groups that are over: those we left, and those of platforms that are gone. One that nobody has joined yet is empty
/// too, and must stay.
fn sweep(parent: &Path) {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner).retain(|group| group.is_dir() && fs::remove_dir(group).is_err());
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            let _in_use = fs::remove_dir(entry.path());
        }
    }
}

/// Puts this process into a group.
///
/// # Errors
/// Those of the kernel.
pub(crate) fn join(door: &Path) -> io::Result<()> {
    fs::write(door, "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_nobody_joined_yet_outlasts_others_beginnings() {
        // Where the platform may make no groups there is none to lose.
        let Ok(first) = TaskGroup::new("first", 8) else { return };
        let second = TaskGroup::new("second", 8).unwrap();
        assert!(first.door().is_file() && second.door().is_file());
        let folder = first.0.clone();
        drop(first);
        assert!(!folder.exists());
    }
}
