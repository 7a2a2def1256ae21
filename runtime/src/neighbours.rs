//! From worker to worker of one box: a guest that lives lives in one of them, and the others reach it over that one's Unix socket.
//! A connection begins with the instance's guid (16 bytes); one byte answers; the rest is the guest's.

use crate::{
    host::Instances,
    sockets::{HostEnd, NoConnection},
};
use arc_swap::ArcSwap;
use std::{
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use virga_contract::cell::WorkerIndex;
use virga_model::InstanceGuid;

/// Time for the first bytes of a connection.
const GREETING: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A connection to a guest.
pub enum Link {
    /// It lives in this worker.
    Here(HostEnd),
    /// It lives in another one.
    There(UnixStream),
}

fn path(folder: &Path, worker: WorkerIndex) -> PathBuf {
    folder.join(format!("{worker}.sock"))
}

/// The socket of this worker. One that an earlier worker of the same number still holds is replaced in one step.
///
/// # Errors
/// As the file system gives them.
pub fn bind(folder: &Path, worker: WorkerIndex) -> io::Result<UnixListener> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    let fresh = folder.join(format!("{worker}.{}", std::process::id()));
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&fresh)?;
    std::fs::rename(&fresh, path(folder, worker))?;
    Ok(listener)
}

/// A connection to an instance that lives in another worker; `None` in the error is a worker or an instance that is not there.
pub async fn connect(folder: &Path, worker: WorkerIndex, instance: InstanceGuid) -> Result<UnixStream, Option<NoConnection>> {
    let asking = async {
        let mut stream = UnixStream::connect(path(folder, worker)).await?;
        stream.write_all(&instance.as_u128().to_be_bytes()).await?;
        let answer = stream.read_u8().await?;
        Ok::<_, io::Error>((stream, answer))
    };
    match asking.await {
        Ok((stream, OPEN)) => Ok(stream),
        Ok((_, NOT_LISTENING)) => Err(Some(NoConnection::NotListening)),
        Ok((_, FULL)) => Err(Some(NoConnection::Full)),
        Ok(_) => Err(None),
        Err(error) => {
            tracing::debug!(worker.index = worker, %error, "a neighbour does not answer");
            Err(None)
        }
    }
}

const OPEN: u8 = 0;
const NOT_LISTENING: u8 = 1;
const FULL: u8 = 2;
const GONE: u8 = 3;

/// Lets the other workers in, until the future is dropped.
pub async fn serve(listener: UnixListener, instances: Arc<ArcSwap<Instances>>, tasks: TaskTracker, stopping: CancellationToken) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (instances, stopping) = (instances.clone(), stopping.clone());
                tasks.spawn(async move {
                    stopping.run_until_cancelled(carry(stream, &instances)).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a neighbour's connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn carry(mut stream: UnixStream, instances: &ArcSwap<Instances>) {
    let mut guid = [0; 16];
    if !matches!(timeout(GREETING, stream.read_exact(&mut guid)).await, Ok(Ok(_))) {
        return;
    }
    let guid = InstanceGuid::from_u128(u128::from_be_bytes(guid));
    let instance = instances.load().get(&guid).cloned();
    let connected = match instance {
        Some(instance) => instance.local_link().await,
        None => Err(NoConnection::Over),
    };
    let answer = match &connected {
        Ok(_) => OPEN,
        Err(NoConnection::NotListening) => NOT_LISTENING,
        Err(NoConnection::Full) => FULL,
        Err(NoConnection::Over) => GONE,
    };
    if stream.write_u8(answer).await.is_ok()
        && let Ok(mut end) = connected
        && let Err(error) = tokio::io::copy_bidirectional(&mut stream, &mut end).await
    {
        tracing::debug!(%error, "a neighbour's connection broke");
    }
}
