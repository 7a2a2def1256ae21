//! The modules that an app needs: from its own `vendor` folder, else fetched once per content of go.mod and go.sum.

use super::Go;
use crate::{child::entry::say, failure};
use sha2::{Digest as _, Sha256};
use std::{fs, io, path::Path};
use virga_contract::staging::StagingError;
use virga_model::{Sha256Digest, droplet::Software};

/// Fetches what is missing; gives names and versions.
pub(super) fn fetch(app: &Path, cache: &Path, go: &Go) -> Result<Vec<Software>, StagingError> {
    let failed = |error: io::Error| failure::internal("keep the app's modules", &error);
    let wanted = required(&read(&app.join("go.mod")).map_err(failed)?);
    if wanted.is_empty() || app.join("vendor/modules.txt").is_file() {
        return Ok(wanted);
    }
    let key = key(app).map_err(failed)?;
    let fetched = cache.join("go-fetched");
    if fs::read_to_string(&fetched).is_ok_and(|held| held == key) {
        say("The app's modules are as at the last push; nothing to download");
        return Ok(wanted);
    }
    match go.fetch(["mod", "download"], app) {
        Ok(true) => fs::write(&fetched, key).map_err(failed)?,
        Ok(false) => {
            return Err(failure::compile(
                "go could not fetch the app's modules; its reason stands in the log above. Modules come from the module proxy and are checked against go.sum; what is in no proxy can be pushed in a vendor folder (go mod vendor)",
            ));
        }
        Err(error) => return Err(failure::internal("start go", &error)),
    }
    Ok(wanted)
}

fn read(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

fn key(app: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    for name in ["go.mod", "go.sum", "go.work", "go.work.sum"] {
        match fs::read(app.join(name)) {
            Ok(text) => {
                hasher.update((text.len() as u64).to_le_bytes());
                hasher.update(text);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => hasher.update([0]),
            Err(error) => return Err(error),
        }
    }
    Ok(Sha256Digest::from_bytes(hasher.finalize().into()).to_string())
}

/// Modules that a go.mod requires, of both forms of `require`.
fn required(text: &str) -> Vec<Software> {
    let mut found = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["require", "("] => is_inside = true,
            [")"] => is_inside = false,
            ["require", name, version] => found.push((*name, *version)),
            [name, version] if is_inside => found.push((*name, *version)),
            _ => {}
        }
    }
    let mut found: Vec<Software> =
        found.into_iter().map(|(name, version)| Software { name: name.trim_matches('"').into(), version: version.into() }).collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_require_are_read() {
        let text = "module a\n\ngo 1.25\n\nrequire example.com/one v1.2.3 // indirect\n\nrequire (\n\texample.com/two/v2 v2.0.0\n)\n\nreplace (\n\texample.com/one v1.2.3 => ./one\n)\n";
        let found: Vec<_> = required(text).into_iter().map(|module| format!("{} {}", module.name, module.version)).collect();
        assert_eq!(found, ["example.com/one v1.2.3", "example.com/two/v2 v2.0.0"]);
    }
}
