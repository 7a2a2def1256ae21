//! The data folder: one control process at a time, a private folder for sockets, and the platform's own secrets.

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{Read as _, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use virga_model::Sha256Digest;

/// Longest path of a Unix socket with its final zero is 108 bytes (unix(7)); names in the run folder take up to 32.
const LONGEST_RUN_DIR: usize = 108 - 1 - 32;

/// How long a lock that another process holds is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The data folder, locked for this process.
#[derive(Debug)]
pub struct DataDir {
    /// The folder, absolute.
    pub path: PathBuf,
    /// Where sockets are; private to the user.
    pub run: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the folder where it is missing and locks it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        private_folder(path)?;
        let path = path.canonicalize()?;
        let lock = OpenOptions::new().create(true).read(true).write(true).truncate(false).mode(0o600).open(path.join("lock"))?;
        take(&lock, &path)?;
        let mut file = &lock;
        lock.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        let run = run_dir(&path);
        private_folder(&run)?;
        let owner = std::fs::symlink_metadata(&run)?;
        ensure!(
            owner.is_dir() && owner.uid() == rustix::process::geteuid().as_raw(),
            "{} belongs to another user; remove it or choose another --data-dir",
            run.display()
        );
        Ok(Self { path, run, _lock: lock })
    }

    /// A folder inside, made where missing.
    pub fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        private_folder(&path)?;
        Ok(path)
    }

    /// The platform's own secrets, made at the first start.
    pub fn secrets(&self) -> anyhow::Result<Secrets> {
        let path = self.path.join("secrets.json");
        let mut known: StoredSecrets = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => StoredSecrets::default(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let is_whole = known.code_key.is_some() && known.sealing_key.is_some();
        let secrets = Secrets {
            code_key: *known.code_key.get_or_insert_with(rand::random),
            sealing_key: *known.sealing_key.get_or_insert_with(rand::random),
        };
        if !is_whole {
            let new = self.path.join("secrets.json.new");
            let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec(&known)?)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
        }
        Ok(secrets)
    }
}

/// Secrets of this box alone; those of the whole installation are in the database.
#[derive(Clone)]
pub struct Secrets {
    /// Authenticates precompiled code.
    pub code_key: [u8; 32],
    /// Seals what is secret in the database, unless the configuration has a key for it.
    pub sealing_key: [u8; 32],
}

/// As they are kept; an earlier release knew fewer.
#[derive(Default, Serialize, Deserialize)]
struct StoredSecrets {
    code_key: Option<[u8; 32]>,
    sealing_key: Option<[u8; 32]>,
}

/// A process that was killed a moment ago may not be gone yet, hence the patience.
fn take(lock: &File, path: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => std::thread::sleep(PATIENCE / 20),
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "{} is in use by another virga (process {}); stop it, or choose another folder with --data-dir",
                    path.display(),
                    holder(lock)
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}

fn holder(mut lock: &File) -> String {
    let mut text = String::new();
    match lock.read_to_string(&mut text) {
        Ok(_) if !text.is_empty() => text,
        _ => "unknown".to_owned(),
    }
}

/// `run` in the data folder, or a folder of a short name outside where that would be too long for a socket.
fn run_dir(data: &Path) -> PathBuf {
    let inside = data.join("run");
    if inside.as_os_str().len() <= LONGEST_RUN_DIR {
        return inside;
    }
    let digest = Sha256Digest::of(data.as_os_str().as_bytes()).to_string();
    let name = format!("virga-{}-{}", rustix::process::geteuid().as_raw(), digest.get(..16).unwrap_or_default());
    std::env::temp_dir().join(name)
}

fn private_folder(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let permissions = std::fs::metadata(path)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
            .with_context(|| format!("cannot make {} private", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_and_secrets_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let data = DataDir::open(&path).unwrap();
        let error = DataDir::open(&path).unwrap_err().to_string();
        assert!(error.contains("in use by another virga") && error.contains(&std::process::id().to_string()), "{error}");
        let keys = |data: &DataDir| data.secrets().map(|secrets| (secrets.code_key, secrets.sealing_key)).unwrap();
        let both = keys(&data);
        assert_eq!(keys(&data), both);
        let old = serde_json::json!({ "code_key": both.0 });
        std::fs::write(data.path.join("secrets.json"), old.to_string()).unwrap();
        let grown = keys(&data);
        assert!(grown.0 == both.0 && grown.1 != both.1 && keys(&data) == grown, "a secret that is missing is made, and stays");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data.path.join("secrets.json")), mode(&data.run)), (0o600, 0o700));
        drop(data);
        assert!(DataDir::open(&path).is_ok());
    }

    #[test]
    fn a_long_folder_gets_a_short_run_folder() {
        let short = run_dir(Path::new("/srv/virga"));
        assert_eq!(short, Path::new("/srv/virga/run"));
        let long = run_dir(Path::new(&format!("/srv/{}", "x".repeat(100))));
        assert!(long.as_os_str().len() <= LONGEST_RUN_DIR && long != run_dir(Path::new(&format!("/srv/{}", "y".repeat(100)))));
    }
}
