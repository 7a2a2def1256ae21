//! Sockets that a server accepts on.

use std::{
    fs,
    io::{Error, ErrorKind, Result},
    net::SocketAddr,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A bound socket.
#[derive(Debug)]
pub enum Listener {
    /// A Unix socket; its file goes away with it.
    Unix(UnixListener, SocketFile),
    /// A TCP socket.
    Tcp(TcpListener),
}

/// An accepted connection.
#[derive(Debug)]
pub enum Stream {
    /// Over a Unix socket.
    Unix(UnixStream),
    /// Over TCP.
    Tcp(TcpStream),
}

/// The file of a bound Unix socket, removed when dropped.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another process may have replaced it in the meantime: only our own file goes.
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            let _gone_already = fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::symlink_metadata(path)?.ino())
}

impl Listener {
    /// Binds a Unix socket that only this user may connect to (mode 0600). A socket file that nobody listens on any more
    /// is replaced; one with a living listener, or a file that is no socket, is an error.
    ///
    /// The socket is bound under a temporary name and moved into place, so that no client ever sees it with wider
    /// permissions or half made.
    ///
    /// # Errors
    /// Those of the file system, [`ErrorKind::AddrInUse`] when something listens there or a file is in the way.
    pub fn unix(path: &Path) -> Result<Self> {
        if let Ok(existing) = fs::symlink_metadata(path) {
            if !existing.file_type().is_socket() {
                return Err(Error::new(ErrorKind::AddrInUse, format!("{} exists and is no socket", path.display())));
            }
            if connect(path).is_ok() {
                return Err(Error::new(ErrorKind::AddrInUse, format!("another process listens on {}", path.display())));
            }
        }
        let draft = path.with_extension(format!("new-{}", std::process::id()));
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = bind(&draft)?;
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))?;
        fs::rename(&draft, path)?;
        listener.set_nonblocking(true)?;
        let file = SocketFile { path: path.to_owned(), inode: inode(path)? };
        Ok(Self::Unix(UnixListener::from_std(listener)?, file))
    }

    /// Binds a TCP address; port 0 takes a free one.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn tcp(address: SocketAddr) -> Result<Self> {
        Ok(Self::Tcp(TcpListener::bind(address).await?))
    }

    /// The bound TCP address.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// The next connection.
    ///
    /// # Errors
    /// Those of `accept(2)`; none of them ends the listener.
    pub async fn accept(&self) -> Result<Stream> {
        match self {
            Self::Unix(listener, _) => Ok(Stream::Unix(listener.accept().await?.0)),
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
        }
    }
}

/// Longest path that fits in `sockaddr_un` with its final zero (unix(7)).
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// A name for `path` that fits in a socket address. A longer path is reached through a handle on its folder, which the
/// returned file keeps open.
fn short_name(path: &Path) -> Result<(PathBuf, Option<fs::File>)> {
    use std::os::fd::AsRawFd as _;
    if path.as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
        return Ok((path.to_owned(), None));
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::new(ErrorKind::InvalidInput, format!("{} is no path of a socket", path.display())));
    };
    let folder = fs::File::open(folder)?;
    Ok((PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name), Some(folder)))
}

fn bind(path: &Path) -> Result<std::os::unix::net::UnixListener> {
    let (name, _folder) = short_name(path)?;
    std::os::unix::net::UnixListener::bind(name)
}

/// Connects to a Unix socket whose path may be longer than a socket address holds.
///
/// # Errors
/// Those of `connect(2)`.
pub fn connect(path: &Path) -> Result<std::os::unix::net::UnixStream> {
    let (name, _folder) = short_name(path)?;
    std::os::unix::net::UnixStream::connect(name)
}

/// As [`connect`], for async code.
///
/// # Errors
/// Those of `connect(2)`.
pub async fn connect_unix(path: &Path) -> Result<UnixStream> {
    let (name, _folder) = short_name(path)?;
    UnixStream::connect(name).await
}
