//! What a buildpack makes of an app, and the droplet that becomes of it.

use crate::{buildpack::Buildpack, failure};
use std::{collections::BTreeMap, fs, path::Path};
use virga_contract::staging::StagingError;
use virga_model::{
    Sha256Digest,
    droplet::{BuildpackRef, DropletManifest, GuestKind, Software, StaticSite},
    process::ReusePolicy,
};

/// The result of a buildpack.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) guest: GuestKind,
    pub(crate) reuse: ReusePolicy,
    /// What was found, for `droplets.buildpacks[].detect_output`.
    pub(crate) detect_output: String,
    pub(crate) component: Option<Vec<u8>>,
    pub(crate) imports: Vec<String>,
    pub(crate) software: Vec<Software>,
    pub(crate) environment: BTreeMap<String, String>,
    /// Process types and commands that the buildpack knows; those of the Procfile win.
    pub(crate) process_types: BTreeMap<String, String>,
    pub(crate) site: Option<StaticSite>,
    /// Lines for the app's log.
    pub(crate) notes: Vec<String>,
}

impl Built {
    pub(crate) fn new(guest: GuestKind, reuse: ReusePolicy, detect_output: impl Into<String>) -> Self {
        Self {
            guest,
            reuse,
            detect_output: detect_output.into(),
            component: None,
            imports: Vec::new(),
            software: Vec::new(),
            environment: BTreeMap::new(),
            process_types: BTreeMap::new(),
            site: None,
            notes: Vec::new(),
        }
    }
}

/// Writes the droplet's archive to `out` and gives the manifest that is in it.
pub(crate) fn package(
    buildpack: &Buildpack,
    built: &Built,
    procfile: BTreeMap<String, String>,
    files: &Path,
    out: &Path,
) -> Result<DropletManifest, StagingError> {
    let mut process_types = built.process_types.clone();
    process_types.extend(procfile);
    if built.guest != GuestKind::Command {
        process_types.entry("web".into()).or_insert_with(|| default_command(built.guest).into());
    }
    let manifest = DropletManifest {
        format: 1,
        guest: built.guest,
        component: built.component.as_deref().map(Sha256Digest::of),
        reuse: built.reuse,
        process_types,
        buildpack: BuildpackRef { name: buildpack.name.into(), version: buildpack.version.into() },
        environment: built.environment.clone(),
        imports: built.imports.clone(),
        software: built.software.clone(),
        site: built.site.clone(),
    };
    let files = files.is_dir().then_some(files);
    let file = fs::File::create(out).map_err(|error| failure::internal("write the droplet", &error))?;
    virga_engine::archive::write(file, &manifest, built.component.as_deref(), files)
        .map_err(|error| failure::internal("write the droplet", &error))?;
    Ok(manifest)
}

/// What stands as the command where the app names none; the cell knows how to start each kind.
fn default_command(guest: GuestKind) -> &'static str {
    match guest {
        GuestKind::HttpP2 | GuestKind::HttpP3 => "serve",
        GuestKind::Cgi => "cgi",
        GuestKind::Static => "static",
        GuestKind::Server | GuestKind::Command => "app.wasm",
    }
}
