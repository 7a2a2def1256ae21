//! What earlier stagings of an app left: its package managers' caches, and the last result, which is used again where the
//! same is staged again. Each app has a folder of its own: nothing one app leaves is ever seen by another's staging.

use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagedDroplet;
use virga_model::{AppGuid, Sha256Digest};

/// The folder of one app. The result lies beside what the staging child may write, not in it.
pub(crate) struct PastStagings {
    child: PathBuf,
    last: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Last {
    content: Sha256Digest,
    component: Option<Sha256Digest>,
    staged: StagedDroplet,
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
        self.last(content).map(|last| last.staged)
    }

    /// Its component.
    pub(crate) fn component(&self, content: &Sha256Digest) -> Option<Sha256Digest> {
        self.last(content).and_then(|last| last.component)
    }

    /// Remembers a result.
    pub(crate) fn remember(&self, content: &Sha256Digest, staged: &StagedDroplet, component: Option<Sha256Digest>) -> io::Result<()> {
        let json = serde_json::to_vec(&Last { content: *content, component, staged: staged.clone() })?;
        let aside = self.last.with_extension("new");
        fs::write(&aside, json)?;
        fs::rename(aside, &self.last)
    }
}
