//! What users' buildpacks left in the app's folder, before anything of ours reads it: no links out of it, nothing but files and
//! folders, all of them open to us.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

/// Removes what is neither file nor folder, and links that lead out. Gives how many went.
///
/// # Errors
/// When the tree cannot be walked to its end.
pub(super) fn tidy(app: &Path) -> io::Result<usize> {
    let root = app.canonicalize()?;
    let mut removed = 0;
    open(&root)?;
    let mut entries = walkdir::WalkDir::new(&root).min_depth(1).into_iter();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let kind = entry.file_type();
        if kind.is_dir() {
            open(entry.path())?;
            continue;
        }
        let leads_inside = kind.is_symlink() && entry.path().canonicalize().is_ok_and(|target| target.starts_with(&root));
        if !kind.is_file() && !leads_inside {
            fs::remove_file(entry.path())?;
            removed += 1;
        } else if kind.is_file() && entry.metadata()?.permissions().mode() & 0o400 == 0 {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o644))?;
        }
    }
    Ok(removed)
}

/// A folder that nobody could look into again.
fn open(folder: &Path) -> io::Result<()> {
    let mode = fs::symlink_metadata(folder)?.permissions().mode();
    if mode & 0o700 == 0o700 { Ok(()) } else { fs::set_permissions(folder, fs::Permissions::from_mode(mode | 0o700)) }
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
        symlink("closed/file", app.join("inside")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, app.join("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        fs::set_permissions(app.join("closed/file"), fs::Permissions::from_mode(0)).unwrap();
        fs::set_permissions(app.join("closed"), fs::Permissions::from_mode(0)).unwrap();
        assert_eq!(tidy(&app).unwrap(), 3);
        assert_eq!(fs::read(app.join("inside")).unwrap(), b"text");
        assert!(!app.join("pipe").exists() && !app.join("closed/out").exists() && !app.join("Procfile").exists());
    }
}
