//! From what an app asks for to the one of our buildpacks that makes its droplet, with users' buildpacks run on the way.

use super::{
    Custom,
    choose::{Choice, Source, choose},
};
use crate::{
    buildpack::Buildpack,
    detect::{self, Chosen},
    failure, wasm,
};
use std::path::Path;
use virga_contract::staging::{OfferedBuildpack, StagedDroplet, StagingError, UsedBuildpack};

/// Who makes the droplet, and whose names it carries.
pub(crate) struct Settled {
    chosen: Chosen,
    users: Vec<UsedBuildpack>,
    /// The one of ours was asked for, or found the app; else it only finishes what users' buildpacks built.
    is_ours_named: bool,
}

impl Settled {
    pub(crate) fn builder(&self) -> &'static Buildpack {
        self.chosen.builder
    }

    pub(crate) fn title(&self) -> String {
        if self.is_ours_named {
            format!("{} {}", self.chosen.offered.name, self.chosen.version())
        } else {
            format!("{} {}, for what the app's buildpacks built", self.chosen.builder.name, self.chosen.builder.version)
        }
    }

    /// Writes the names of the platform's list into what was staged.
    pub(crate) fn sign(&self, mut staged: StagedDroplet) -> StagedDroplet {
        if self.is_ours_named {
            staged = self.chosen.sign(staged);
        } else {
            staged.buildpacks.clear();
        }
        staged.buildpacks.splice(0..0, self.users.iter().cloned());
        staged
    }
}

impl Custom<'_> {
    /// Chooses, and runs what users' buildpacks have to run before one of ours.
    pub(crate) async fn settle(&self, app: &Path) -> Result<Settled, StagingError> {
        match choose(app, &self.request.buildpacks, &self.request.offered)? {
            Choice::Ours(chosen) => Ok(Settled { chosen, users: Vec::new(), is_ours_named: true }),
            Choice::Ask(sources, ours) => match self.detect(&sources, app).await? {
                None => ours.map(|chosen| Settled { chosen, users: Vec::new(), is_ours_named: true }),
                Some((index, said)) => {
                    let sources: Vec<Source> = sources.into_iter().skip(index).take(1).collect();
                    self.finish(&sources, None, &said, app).await
                }
            },
            Choice::Users(sources, last) => self.finish(&sources, last, "", app).await,
        }
    }

    async fn finish(&self, sources: &[Source], last: Option<Chosen>, said: &str, app: &Path) -> Result<Settled, StagingError> {
        self.build(sources, app, last.is_some()).await?;
        let is_ours_named = last.is_some();
        let chosen = match last {
            Some(chosen) => chosen,
            None => left_for(app, &self.request.offered, sources)?,
        };
        let users = sources.iter().map(|source| UsedBuildpack {
            name: source.name.clone(),
            buildpack_name: source.name.clone(),
            detect_output: said.to_owned(),
            version: source.version.clone().unwrap_or_default(),
        });
        Ok(Settled { chosen, users: users.collect(), is_ours_named })
    }
}

/// Who builds what users' buildpacks left: a finished program is one, whatever else lies there.
fn left_for(app: &Path, offered: &[OfferedBuildpack], sources: &[Source]) -> Result<Chosen, StagingError> {
    if app.join("app.wasm").is_file() {
        let builder = &wasm::BUILDPACK;
        let name = builder.name.to_owned();
        let offered = OfferedBuildpack { builder: name.clone(), name, version: None, detect: Vec::new(), bits: None };
        return Ok(Chosen { builder, offered });
    }
    detect::choose(app, &[], offered).map_err(|_| {
        let names: Vec<_> = sources.iter().map(|source| format!("'{}'", source.name)).collect();
        failure::compile(format!(
            "the buildpacks {} left no WebAssembly program (app.wasm, or the *.wasm that the web process names) and nothing that one of the \
             platform's own buildpacks knows",
            names.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_program_is_taken_before_its_sources() {
        let app = tempfile::tempdir().unwrap();
        std::fs::write(app.path().join("package.json"), "{}").unwrap();
        let nothing = left_for(app.path(), &[], &[]).unwrap_err();
        assert!(nothing.message.contains("no WebAssembly program"), "{nothing}");
        std::fs::write(app.path().join("app.wasm"), "").unwrap();
        assert_eq!(left_for(app.path(), &[], &[]).unwrap().builder.name, "wasm");
    }
}
