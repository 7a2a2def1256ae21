//! The arrows between the rooms are those of the plan (ARCHITECTURE.md), and no heavy dependency has two owners.

#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

/// Room and the rooms it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("virga-model", &[]),
    ("virga-contract", &["virga-model"]),
    ("virga-telemetry", &["virga-model", "virga-contract"]),
    ("virga-serve", &["virga-model", "virga-contract", "virga-telemetry"]),
    ("virga-store", &["virga-model"]),
    ("virga-blobstore", &["virga-model"]),
    ("virga-uaa", &["virga-model", "virga-contract", "virga-serve", "virga-store"]),
    ("virga-broker", &["virga-model", "virga-contract", "virga-serve"]),
    ("virga-services", &["virga-model", "virga-serve"]),
    ("virga-controller", &["virga-model", "virga-contract", "virga-serve", "virga-store", "virga-blobstore", "virga-broker"]),
    ("virga-scheduler", &["virga-model", "virga-contract", "virga-serve", "virga-store"]),
    ("virga-engine", &["virga-model"]),
    ("virga-buildpacks", &["virga-model", "virga-contract", "virga-blobstore", "virga-engine"]),
    ("virga-runtime", &["virga-model", "virga-contract", "virga-serve", "virga-blobstore", "virga-engine"]),
    ("virga-router", &["virga-model", "virga-contract", "virga-serve"]),
];

/// Rooms that may use every other.
const ROOF: &[&str] = &["virga", "virga-tests"];

/// Heavy dependency and its owners.
const OWNERS: &[(&str, &[&str])] = &[
    ("wasmtime", &["virga-engine", "virga-runtime"]),
    ("wasmtime-wasi-http", &["virga-runtime"]),
    ("sqlx", &["virga-store"]),
    ("rusqlite", &["virga-services"]),
    ("tokio-postgres", &["virga-services"]),
    ("redis", &["virga-services"]),
    ("object_store", &["virga-blobstore"]),
    ("opentelemetry_sdk", &["virga-telemetry"]),
    ("jsonwebtoken", &["virga-serve"]),
    ("argon2", &["virga-uaa"]),
    ("openidconnect", &["virga-uaa"]),
];

fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let normal = |package: &cargo_metadata::Package| {
        let names = package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal);
        names.map(|dependency| dependency.name.clone()).collect()
    };
    metadata.packages.iter().map(|package| (package.name.to_string(), normal(package))).collect()
}

#[test]
fn rooms_use_only_the_rooms_the_plan_allows() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    for (room, dependencies) in uses() {
        if ROOF.contains(&room.as_str()) {
            continue;
        }
        let allowed = allowed.get(room.as_str()).unwrap_or_else(|| panic!("{room} is not in the plan"));
        let forbidden: Vec<_> = dependencies.iter().filter(|d| d.starts_with("virga")).filter(|d| !allowed.contains(&d.as_str())).collect();
        assert!(forbidden.is_empty(), "{room} must not use {forbidden:?}");
    }
}

#[test]
fn heavy_dependencies_have_the_owners_of_the_plan() {
    let uses = uses();
    for (dependency, owners) in OWNERS {
        let users: Vec<_> = uses.iter().filter(|(_, d)| d.contains(*dependency)).map(|(room, _)| room.as_str()).collect();
        let strangers: Vec<_> = users.iter().filter(|room| !owners.contains(room)).collect();
        assert!(strangers.is_empty(), "{dependency} belongs to {owners:?}, not to {strangers:?}");
    }
}
