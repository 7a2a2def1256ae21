//! Manifests: what a developer wants of the apps of a space, as one document.

pub mod diff;
pub mod document;
mod fields;
