//! What the tests of this room have in common.

use std::fs;
use tempfile::TempDir;

/// An app of these files: each with its path inside of it, and its text.
pub(crate) fn app(files: &[(&str, &str)]) -> TempDir {
    let app = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = app.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    app
}
