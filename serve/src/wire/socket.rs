//! Unix sockets that only the account which owns them may reach.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
};
use tokio::net::UnixListener;

/// Listens on `path`. Its folder is made if need be and closed to everybody else (0700); a socket that a dead process
/// left behind is replaced.
///
/// # Errors
/// `AddrInUse` if a living process answers there, `AlreadyExists` if something else than a socket stands there,
/// `PermissionDenied` if the folder belongs to somebody else, `InvalidInput` if the path is too long for a socket
/// (107 bytes), and whatever the file system says.
pub fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let folder = path.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a socket needs a folder"))?;
    close_folder(folder)?;
    clear_stale(path)?;
    let listener =
        UnixListener::bind(path).map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {}: {error}", path.display())))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn close_folder(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let metadata = fs::metadata(folder)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        let text = format!("{} belongs to another account", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    if metadata.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn clear_stale(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is not a socket", path.display())));
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, format!("another process serves {}", path.display())));
    }
    fs::remove_file(path)
}
