//! Manifests: what a developer wants of the apps of a space, as one document.

mod apply;
pub mod diff;
pub mod document;
mod endpoints;
mod fields;
mod processes;
mod render;
mod routes;

pub(crate) use apply::work as apply_work;
pub use endpoints::{apply_manifest, manifest_diff, show_manifest};
