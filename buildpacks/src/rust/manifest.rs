//! What an app is made of, as its Cargo.lock has it.

use std::{fs, path::Path};
use virga_model::droplet::Software;

/// Crates that came from elsewhere, with their versions; none without a lock file that can be read.
pub(super) fn locked(lock: &Path) -> Vec<Software> {
    let text = fs::read_to_string(lock).unwrap_or_default();
    let table: toml::Table = text.parse().unwrap_or_default();
    let packages = table.get("package").and_then(toml::Value::as_array);
    let text = |package: &toml::Value, key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    packages
        .into_iter()
        .flatten()
        .filter(|package| package.get("source").is_some())
        .filter_map(|package| Some(Software { name: text(package, "name")?, version: text(package, "version")? }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_from_elsewhere_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("Cargo.lock");
        assert!(locked(&lock).is_empty());
        let text = "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"axum\"\nversion = \"0.8.9\"\nsource = \"registry+x\"\n";
        fs::write(&lock, text).unwrap();
        let found: Vec<_> = locked(&lock).into_iter().map(|one| format!("{} {}", one.name, one.version)).collect();
        assert_eq!(found, ["axum 0.8.9"]);
    }
}
