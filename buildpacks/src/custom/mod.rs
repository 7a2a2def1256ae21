//! Buildpacks of users, as Cloud Foundry has them: folders with `bin/detect`, `bin/supply`, `bin/finalize` or `bin/compile`, and
//! `bin/release`. Their programs run in the sandbox alone. What they leave is a WebAssembly program, or a tree that one of our
//! buildpacks builds.

mod address;
mod choose;
mod left;
mod prepare;
mod run;
mod settle;

pub(crate) use prepare::Custom;
pub(crate) use run::run;

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// The builder that rows of such buildpacks name.
pub const BUILDER: &str = "programs";

/// What the child does with them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) job: Job,
    /// In the order in which they are asked for.
    pub(crate) buildpacks: Vec<Unpacked>,
    /// What their programs see besides the sandbox's own.
    pub(crate) environment: BTreeMap<String, String>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Finds the first that wants the app.
    Detect,
    /// Supplies all and finalizes the last.
    Build,
    /// Supplies all: the last of the app's buildpacks is one of ours.
    Supply,
}

/// A buildpack in a folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Unpacked {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
}

/// What the child found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// The first that wants the app, by its place, and what it said.
    Detected(Option<(usize, String)>),
    /// The app's folder is ready.
    Built,
}
