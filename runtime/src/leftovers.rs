//! Clears the box's shared cache folder of what no instance needs any more: droplets and code of apps that went, files of
//! downloads that a crash cut off. One worker of a box does it, now and then; whatever is deleted can be fetched again.

use crate::{loader::SHARED, service_files};
use std::{
    collections::HashSet,
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};
use virga_engine::DropletDir;
use virga_model::Sha256Digest;

/// What is younger stays: another worker may know a newer snapshot than this one.
const YOUNG: Duration = Duration::from_secs(3600);

/// Deletes what is not needed for the droplets in `needed`; gives the number of entries that went.
///
/// # Errors
/// When a folder cannot be read or an entry not deleted; the next round tries again.
pub fn clear(cache: &Path, engine_key: &str, needed: &HashSet<Sha256Digest>, now: SystemTime) -> io::Result<usize> {
    let droplets = cache.join("droplets");
    let names: HashSet<_> = needed.iter().map(ToString::to_string).collect();
    let components: HashSet<_> = needed.iter().filter_map(|droplet| component_of(&droplets.join(droplet.to_string()))).collect();
    let mut gone = remove(&droplets, now, |name| names.contains(name))?;
    // What components share is of the engine key's platform; no droplet names it.
    gone += remove(&cache.join("code").join(engine_key), now, |name| name == SHARED || components.contains(name))?;
    // Code of another engine belongs to another version of the platform.
    gone += remove(&cache.join("code"), now, |name| name == engine_key)?;
    gone += remove(&cache.join("scratch"), now, |_| false)?;
    gone += service_files::clear(cache)?;
    Ok(gone)
}

fn component_of(droplet: &Path) -> Option<String> {
    Some(DropletDir::open(droplet).ok()?.manifest().component?.to_string())
}

/// Removes the old entries of a folder but those to keep.
fn remove(folder: &Path, now: SystemTime, keep: impl Fn(&str) -> bool) -> io::Result<usize> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut gone = 0;
    for entry in entries {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let is_young = metadata.modified().ok().and_then(|at| now.duration_since(at).ok()).is_none_or(|age| age < YOUNG);
        if is_young || entry.file_name().to_str().is_some_and(&keep) {
            continue;
        }
        if metadata.is_dir() {
            fs::remove_dir_all(entry.path())?
        } else {
            fs::remove_file(entry.path())?
        }
        gone += 1;
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_or_young_stays() {
        let cache = tempfile::tempdir().unwrap();
        let (kept, unneeded) = (Sha256Digest::of(b"kept"), Sha256Digest::of(b"unneeded"));
        let component = Sha256Digest::of(b"component");
        let manifest = serde_json::json!({
            "format": 1, "guest": "http-p2", "component": component, "reuse": "request", "process_types": {},
            "buildpack": {"name": "wasm", "version": "1"}, "environment": {}, "imports": [], "software": [],
        });
        for droplet in [kept, unneeded] {
            let folder = cache.path().join("droplets").join(droplet.to_string());
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("droplet.json"), manifest.to_string()).unwrap();
        }
        for code in ["key/old", &format!("key/{component}"), "key/shared/engine", "other/x"] {
            let path = cache.path().join("code").join(code);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "code").unwrap();
        }
        let needed = HashSet::from([kept]);
        let now = SystemTime::now();
        assert_eq!(clear(cache.path(), "key", &needed, now).unwrap(), 0, "all of it is young");
        assert_eq!(clear(cache.path(), "key", &needed, now + YOUNG * 2).unwrap(), 3);
        assert!(cache.path().join("droplets").join(kept.to_string()).exists());
        assert!(cache.path().join("code/key").join(component.to_string()).exists());
        assert!(cache.path().join("code/key/shared/engine").exists());
        assert_eq!(clear(cache.path(), "key", &needed, now + YOUNG * 2).unwrap(), 0);
    }
}
