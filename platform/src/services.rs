//! `virga services`: the process that holds the data of the platform's own services. The control process starts it, and it ends with it.

use crate::worker::lockdown;
use anyhow::Context as _;
use std::{io::Write as _, path::PathBuf, process::ExitCode};
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;
use virga_serve::wire;
use virga_telemetry::{LogFormat, ObservingConfig};

/// What it says on its standard output once it answers.
pub const READY: &str = "ready";

/// What the control process starts it with. All of it may be seen by others: what is secret is the first line of its standard input, a
/// [`virga_services::ServersConfig`] as JSON.
#[derive(Debug, clap::Args)]
pub struct ServicesArgs {
    /// Folder of the data
    #[arg(long)]
    folder: PathBuf,
    /// Socket to answer on
    #[arg(long)]
    socket: PathBuf,
    /// Filter of the log
    #[arg(long)]
    log: String,
    /// Log as JSON
    #[arg(long)]
    log_json: bool,
}

/// `virga services …`: until its standard input ends, which it does also when the control process is killed.
pub fn run(args: &ServicesArgs) -> anyhow::Result<ExitCode> {
    // Before any thread exists: threads inherit what is given up here.
    lockdown::apply()?;
    let format = if args.log_json { LogFormat::Json } else { LogFormat::Text };
    let observing = ObservingConfig { format, filter: args.log.clone(), otlp_endpoint: None, trace_ratio: 0.0 };
    let mut servers = String::new();
    std::io::stdin().read_line(&mut servers).context("the control process does not say which servers there are")?;
    let servers = serde_json::from_str(&servers).context("what the control process says of servers is not understood")?;
    let _observing = virga_telemetry::init(&observing, "virga", "services")?;
    lockdown::raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let listener = wire::bind_private(&args.socket).with_context(|| format!("cannot listen on {}", args.socket.display()))?;
        let stop = CancellationToken::new();
        let watch = async {
            let mut input = tokio::io::stdin();
            // An error of the pipe means the same as its end.
            while matches!(input.read(&mut [0; 64]).await, Ok(bytes) if bytes > 0) {}
            stop.cancel();
            std::future::pending().await
        };
        // Clients wait in the socket's queue until they are served; nobody has to wait for more than the socket.
        let mut out = std::io::stdout();
        writeln!(out, "{READY}").and_then(|()| out.flush()).context("the control process does not listen")?;
        tokio::select! {
            served = virga_services::serve(listener, &args.folder, servers, stop.clone()) => served.context("the services cannot be served"),
            never = watch => never,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
