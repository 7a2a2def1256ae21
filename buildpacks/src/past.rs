//! What earlier stagings of an app left: its package managers' caches, and the last result, which is used again where the
//! same is staged again. Each app has a folder of its own: nothing one app leaves is ever seen by another's staging.

use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, hash_map::Entry},
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};
use virga_contract::staging::StagedDroplet;
use virga_model::{AppGuid, Sha256Digest, droplet::GuestKind};

/// The folder of one app. The result lies beside what the staging child may write, not in it.
pub(crate) struct PastStagings {
    child: PathBuf,
    last: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Last {
    content: Sha256Digest,
    staged: StagedDroplet,
    /// What the droplet asks of the cell.
    #[serde(default)]
    imports: Vec<String>,
}

impl PastStagings {
    pub(crate) fn of(cache: &Path, app: AppGuid) -> io::Result<Self> {
        let folder = cache.join(app.to_string());
        let child = folder.join("packages");
        fs::create_dir_all(&child)?;
        Ok(Self { child, last: folder.join("last.json") })
    }

    /// What the staging child may write to.
    pub(crate) fn folder(&self) -> &Path {
        &self.child
    }

    fn last(&self, content: &Sha256Digest) -> Option<Last> {
        let last: Last = serde_json::from_slice(&fs::read(&self.last).ok()?).ok()?;
        (last.content == *content).then_some(last)
    }

    /// The result of the last staging, if it was of the same content.
    pub(crate) fn same(&self, content: &Sha256Digest) -> Option<StagedDroplet> {
        // Earlier versions did not tell the component; what they made is made once more.
        let is_whole = |staged: &StagedDroplet| staged.component.is_some() || staged.guest == GuestKind::Static;
        self.last(content).map(|last| last.staged).filter(is_whole)
    }

    /// What the droplet of the last staging asks of the cell; none without one.
    pub(crate) fn imports(&self) -> Option<Vec<String>> {
        let last: Last = serde_json::from_slice(&fs::read(&self.last).ok()?).ok()?;
        Some(last.imports)
    }

    /// Remembers a result.
    pub(crate) fn remember(&self, content: &Sha256Digest, staged: &StagedDroplet, imports: Vec<String>) -> io::Result<()> {
        let json = serde_json::to_vec(&Last { content: *content, staged: staged.clone(), imports })?;
        let aside = self.last.with_extension("new");
        fs::write(&aside, json)?;
        fs::rename(aside, &self.last)
    }
}

/// Which apps are being staged, and whose past is to go when that is over: a package manager's cache is not taken away
/// from under it.
#[derive(Debug, Default)]
pub(crate) struct Stagings(Mutex<HashMap<AppGuid, Staging>>);

#[derive(Debug, Default)]
struct Staging {
    count: usize,
    is_past_doomed: bool,
}

/// One staging on its way; its end is told by dropping.
pub(crate) struct OnItsWay<'a> {
    stagings: &'a Stagings,
    app: AppGuid,
    cache: PathBuf,
}

impl Stagings {
    fn lock(&self) -> MutexGuard<'_, HashMap<AppGuid, Staging>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, app: AppGuid, cache: &Path) -> OnItsWay<'_> {
        self.lock().entry(app).or_default().count += 1;
        OnItsWay { stagings: self, app, cache: cache.to_owned() }
    }

    /// Removes what stagings of the app left, or of every app; now, or when the app's staging is over.
    pub(crate) fn forget(&self, cache: &Path, app: Option<AppGuid>) -> io::Result<()> {
        let apps = match app {
            Some(app) => vec![app],
            None => fs::read_dir(cache)?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect(),
        };
        // Held while a folder goes, so that no staging begins in it.
        let mut stagings = self.lock();
        for app in apps {
            match stagings.get_mut(&app) {
                Some(staging) => staging.is_past_doomed = true,
                None => remove(&cache.join(app.to_string()))?,
            }
        }
        Ok(())
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        let mut stagings = self.stagings.lock();
        let Entry::Occupied(mut entry) = stagings.entry(self.app) else { return };
        entry.get_mut().count -= 1;
        if entry.get().count == 0
            && entry.remove().is_past_doomed
            && let Err(error) = remove(&self.cache.join(self.app.to_string()))
        {
            tracing::warn!(app.guid = %self.app, %error, "what an app's stagings left could not be removed");
        }
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_of_an_app_goes_at_once_or_after_its_staging() {
        let cache = tempfile::tempdir().unwrap();
        let (one, two) = (AppGuid::random(), AppGuid::random());
        for app in [one, two] {
            PastStagings::of(cache.path(), app).unwrap();
        }
        let there = |app: AppGuid| cache.path().join(app.to_string()).exists();
        let stagings = Stagings::default();
        let staging = stagings.begin(one, cache.path());
        stagings.forget(cache.path(), None).unwrap();
        assert!(there(one) && !there(two));
        drop(staging);
        assert!(!there(one));
        stagings.forget(cache.path(), Some(one)).unwrap();
        PastStagings::of(cache.path(), one).unwrap();
        drop(stagings.begin(one, cache.path()));
        assert!(there(one), "a staging that ends takes nothing with it");
    }
}
