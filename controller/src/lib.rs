//! placeholder

pub mod manifests;
pub mod packages;
