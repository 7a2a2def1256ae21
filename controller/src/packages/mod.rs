//! Packages: source bits of an app, checked before anything else sees them.

pub mod bits;
mod entry_path;
