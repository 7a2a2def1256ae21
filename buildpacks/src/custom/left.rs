//! What users' buildpacks left in the app's folder, before anything of ours reads it: no links out of it, nothing but files and
//! folders, all of them open to us.

use crate::files;
use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

/// Removes what is neither file nor folder, and links that lead out. Gives how many went.
///
/// # Errors
/// When the tree cannot be walked to its end.
pub(super) fn tidy(app: &Path) -> io::Result<usize> {
    let root = app.canonicalize()?;
    let mut removed = 0;
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        files::open_folder(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                if entry.metadata()?.permissions().mode() & 0o400 == 0 {
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
                }
            } else if !(kind.is_symlink() && path.canonicalize().is_ok_and(|target| target.starts_with(&root))) {
                fs::remove_file(&path)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_out_and_pipes_go_links_inside_stay() {
        let folder = tempfile::tempdir().unwrap();
        let app = folder.path().join("app");
        fs::create_dir_all(app.join("closed")).unwrap();
        fs::write(folder.path().join("secret"), "key").unwrap();
        fs::write(app.join("closed/file"), "text").unwrap();
        symlink("../../secret", app.join("closed/out")).unwrap();
        symlink("/etc/passwd", app.join("Procfile")).unwrap();
        fs::create_dir(app.join("open")).unwrap();
        fs::write(app.join("open/file"), "text").unwrap();
        symlink("open/file", app.join("inside")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, app.join("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        fs::set_permissions(app.join("closed/file"), fs::Permissions::from_mode(0o000)).unwrap();
        fs::set_permissions(app.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
        assert_eq!(tidy(&app).unwrap(), 3);
        assert_eq!(fs::read(app.join("inside")).unwrap(), b"text");
        assert_eq!(fs::read(app.join("closed/file")).unwrap(), b"text");
        assert!(!app.join("pipe").exists() && !app.join("closed/out").exists() && !app.join("Procfile").exists());
    }
}
