//! Keeps the process of the platform's own services alive, as long as workers may ask it.

use super::{process::keep_to_ourselves, restart::Restarts};
use crate::services::READY;
use anyhow::{Context as _, ensure};
use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use virga_serve::Tasks;
use virga_services::ServersConfig;

/// How long it may take from its start until it answers.
const START_TIME: Duration = Duration::from_secs(30);
/// How long it may take to end.
const END_TIME: Duration = Duration::from_secs(10);

/// What it is started with.
#[derive(Clone)]
pub struct ServicesSpec {
    /// Folder of the data.
    pub folder: PathBuf,
    /// Where it answers.
    pub socket: PathBuf,
    /// The operator's servers that it may use.
    pub servers: ServersConfig,
    /// `tracing` filter.
    pub log: String,
    /// Whether it logs as JSON.
    pub log_json: bool,
}

/// Starts the process and keeps it until `stop`; returns when it answers.
pub async fn start(spec: ServicesSpec, stop: CancellationToken, tasks: &Tasks) -> anyhow::Result<()> {
    let first = start_one(&spec).await?;
    tasks.spawn("services", keep(spec, first, stop));
    Ok(())
}

/// The process, and what it reads until its end: waiting for a child closes the input that it still holds.
struct Running {
    child: Child,
    input: ChildStdin,
}

async fn keep(spec: ServicesSpec, mut process: Running, stop: CancellationToken) {
    let mut restarts = Restarts::default();
    loop {
        let began = Instant::now();
        let died = tokio::select! {
            how = process.child.wait() => how,
            () = stop.cancelled() => return end(process).await,
        };
        let died = died.map_or_else(|error| error.to_string(), |status| status.to_string());
        tracing::error!("the process of the platform's services died ({died}) and is started again");
        let mut pause = restarts.died(began.elapsed());
        process = loop {
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            match start_one(&spec).await {
                Ok(process) => break process,
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "the platform's services cannot be started");
                    pause = Duration::from_secs(1);
                }
            }
        };
    }
}

/// Its standard input ends, and so does it.
async fn end(process: Running) {
    let Running { mut child, input } = process;
    drop(input);
    if timeout(END_TIME, child.wait()).await.is_err() {
        tracing::warn!("the process of the platform's services does not end in time and is killed");
        if let Err(error) = child.kill().await {
            tracing::error!(%error, "the process of the platform's services cannot be killed");
        }
    }
}

/// Starts it, and waits until it answers.
async fn start_one(spec: &ServicesSpec) -> anyhow::Result<Running> {
    // The running binary, also when its file was replaced since.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("virga").arg("services").arg("--folder").arg(&spec.folder).arg("--socket").arg(&spec.socket).arg("--log").arg(&spec.log);
    if spec.log_json {
        command.arg("--log-json");
    }
    keep_to_ourselves(&mut command);
    // A process group of its own: a Ctrl-C at the terminal is for the control process, which ends it last.
    command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("the process of the platform's services cannot be started")?;
    let (mut input, output) = child.stdin.take().zip(child.stdout.take()).context("the process of the platform's services has no pipes")?;
    // Not by arguments or the environment: those may be seen by others.
    let mut servers = serde_json::to_vec(&spec.servers).context("the servers cannot be written")?;
    servers.push(b'\n');
    input.write_all(&servers).await.context("the process of the platform's services does not listen")?;
    let mut line = String::new();
    timeout(START_TIME, BufReader::new(output).read_line(&mut line)).await.context("the platform's services do not answer")??;
    ensure!(line.trim() == READY, "the process of the platform's services ended at its start; its own log says why");
    Ok(Running { child, input })
}
