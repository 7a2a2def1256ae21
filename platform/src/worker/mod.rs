//! A worker process: router and cell together, locked down, fed by the control process over a Unix socket. It goes on
//! serving its last snapshot when the control process is away.

pub mod lockdown;
pub mod presence;
pub mod serve;

use crate::version;
use anyhow::Context as _;
use presence::{Identity, Presence};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};
use virga_serve::{
    Tasks,
    wire::{WireClient, WireLimits},
};
use virga_telemetry::{LogFormat, ObservingConfig};

/// Name of the control socket in the run folder.
pub const CONTROL_SOCKET: &str = "control.sock";

/// What the control process starts a worker with. All of it may be seen by others: nothing secret.
#[derive(Debug, clap::Args)]
pub struct WorkerArgs {
    /// Number of the worker on this box
    #[arg(long)]
    index: u32,
    /// Public address
    #[arg(long)]
    listen: SocketAddr,
    /// Data folder of the platform, for whoever reads the process list
    #[arg(long)]
    data_dir: PathBuf,
    /// Folder with the control socket
    #[arg(long)]
    run_dir: PathBuf,
    /// Digest of the configuration
    #[arg(long)]
    config_digest: String,
    /// Filter of the log
    #[arg(long)]
    log: String,
    /// Log as JSON
    #[arg(long)]
    log_json: bool,
}

/// `virga worker …`
pub fn run(args: WorkerArgs) -> anyhow::Result<ExitCode> {
    // Before any thread exists: threads inherit what is given up here.
    lockdown::apply()?;
    let format = if args.log_json { LogFormat::Json } else { LogFormat::Text };
    let observing = ObservingConfig { format, filter: args.log.clone(), otlp_endpoint: None, trace_ratio: 0.0 };
    let _observing = virga_telemetry::init(&observing, "virga", &format!("worker-{}", args.index))?;
    lockdown::raise_file_limit();
    let identity = Identity {
        pid: std::process::id(),
        index: args.index,
        listen: args.listen,
        build: version::build_id()?,
        config: args.config_digest.clone(),
    };
    let _presence = Presence::announce(&crate::up::presence_folder(&args.run_dir), &identity)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let end = runtime.block_on(async {
        let tasks = Tasks::new();
        let plane = Arc::new(WireClient::new(args.run_dir.join(CONTROL_SOCKET), WireLimits::default()));
        let drain = serve::LONGEST_DRAIN;
        let worker = serve::Worker { index: args.index, listen: args.listen, plane, tasks: tasks.clone() };
        tasks.spawn("worker", worker.run());
        tasks.run_until_stopped(drain).await
    })?;
    tracing::info!(worker.index = args.index, "worker ends: {end:?}");
    Ok(ExitCode::from(end.exit_code()))
}
