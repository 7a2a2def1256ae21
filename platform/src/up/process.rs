//! One worker process: a child of ours, or one that an earlier control process left behind.

use super::supervisor::WorkerSpec;
use crate::worker::presence::Living;
use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::{os::fd::OwnedFd, process::Stdio, sync::Arc, time::Duration};
use tokio::{
    process::{Child, Command},
    sync::oneshot,
};

/// A worker process and a handle that means it alone.
#[derive(Debug)]
pub struct WorkerProcess {
    pid: u32,
    handle: Arc<OwnedFd>,
    life: Life,
}

/// How the end of a process is learnt.
#[derive(Debug)]
enum Life {
    /// A child of ours can be asked how it ended.
    Child(Child),
    /// Of any other it can only be learnt that it is gone.
    Other(oneshot::Receiver<()>),
}

/// Takes our environment from a child, but for what its log needs: there may be secrets in it.
pub fn keep_to_ourselves(command: &mut Command) {
    command.env_clear();
    for name in ["RUST_BACKTRACE", "TZ", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

impl WorkerProcess {
    /// Starts a worker.
    pub fn start(spec: &WorkerSpec, index: u32) -> anyhow::Result<Self> {
        // The running binary, also when its file was replaced since.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("virga").arg("worker");
        command.arg("--index").arg(index.to_string()).arg("--listen").arg(spec.listen.to_string());
        command.arg("--data-dir").arg(&spec.data_dir).arg("--run-dir").arg(&spec.run_dir);
        command.arg("--config-digest").arg(&spec.config).arg("--log").arg(&spec.log);
        if spec.log_json {
            command.arg("--log-json");
        }
        keep_to_ourselves(&mut command);
        // An error of a guest is told in words; a backtrace of the host at each would cost more than the guest.
        command.env("RUST_LIB_BACKTRACE", "0");
        // A process group of its own: a Ctrl-C at the terminal is for the control process, which tells its workers.
        command.process_group(0).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(false);
        let child = command.spawn().context("a worker process cannot be started")?;
        let pid = child.id().context("the worker has no process id")?;
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).context("the worker has no process id")?;
        let handle = pidfd_open(raw, PidfdFlags::empty())?;
        Ok(Self { pid, handle: Arc::new(handle), life: Life::Child(child) })
    }

    /// Takes over one that is there.
    pub fn adopted(living: Living) -> anyhow::Result<Self> {
        let handle = Arc::new(living.handle);
        let (gone, life) = oneshot::channel();
        let watched = handle.clone();
        // A thread, since it may wait for days and must not keep the runtime from ending; the process's end takes it along.
        std::thread::Builder::new().name("adopted worker".to_owned()).spawn(move || {
            // A process handle becomes readable when its process ends (pidfd_open(2)).
            while let Err(error) = poll(&mut [PollFd::new(&*watched, PollFlags::IN)], None) {
                tracing::debug!(%error, "waiting for a worker's end was interrupted");
            }
            // Nobody listens any more: then nobody needs to know.
            gone.send(()).ok();
        })?;
        Ok(Self { pid: living.identity.pid, handle, life: Life::Other(life) })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for its end and says how it came, as far as that can be known.
    pub async fn wait(&mut self) -> String {
        match &mut self.life {
            Life::Child(child) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => format!("cannot be watched: {error}"),
            },
            Life::Other(gone) => {
                if !gone.is_terminated() {
                    gone.await.ok();
                }
                "it is gone".to_owned()
            }
        }
    }

    /// Ends it at once.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        match pidfd_send_signal(&*self.handle, signal) {
            // It has ended by itself.
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => tracing::error!(worker.pid = self.pid, %error, "a worker cannot be signalled"),
        }
    }

    /// Lets it drain for at most `deadline`, then ends it.
    pub async fn stop(mut self, deadline: Duration) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(deadline, self.wait()).await.is_err() {
            tracing::warn!(worker.pid = self.pid, "a worker does not end in time and is killed");
            self.kill();
            self.wait().await;
        }
    }
}
