//! `virga up`: the control process. It opens the data folder, makes what a first start needs, composes the rooms, brings
//! workers up, says when everything answers, and ends in two phases.

mod address;
mod api;
mod compose;
mod data_dir;
mod own_addresses;
mod plane;
mod process;
mod ready;
mod restart;
mod sample;
mod services;
mod supervisor;

use crate::{
    config::{Config, ConfigFlags},
    version,
    worker::{lockdown, presence, serve::Worker},
};
use anyhow::Context as _;
use compose::Platform;
use data_dir::DataDir;
use ready::Ready;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use supervisor::{Supervisor, WorkerSpec};
use virga_serve::{ExitReason, Tasks};
use virga_telemetry::LogFormat;

/// Added to the time that requests in flight have: for what comes after the last of them.
const LAST_STEPS: Duration = Duration::from_secs(5);

/// Time for telemetry that was not sent yet.
const TELEMETRY_END: Duration = Duration::from_secs(2);

/// Flags of `virga up`.
#[derive(Debug, clap::Args)]
pub struct Up {
    #[command(flatten)]
    config: ConfigFlags,
    /// Push a sample app and print its URL
    #[arg(long)]
    sample: bool,
    /// Form of what is printed when ready
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people
    Text,
    /// One line of JSON
    Json,
}

/// Where workers make themselves known.
pub fn presence_folder(run_dir: &Path) -> PathBuf {
    run_dir.join("workers")
}

/// `virga up`
pub fn run(args: Up) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let observing = virga_telemetry::init(&config.telemetry, "virga", "control")?;
    lockdown::no_core_dumps()?;
    lockdown::raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let end = runtime.block_on(control(&config, &args, &observing));
    // Exporters still hold what the last steps said; they send it from a thread of their own.
    observing.shutdown(TELEMETRY_END);
    let end = end?;
    if let ExitReason::TaskFailed { task, error } = &end {
        eprintln!("{task} failed: {error}");
    }
    Ok(ExitCode::from(end.exit_code()))
}

async fn control(config: &Config, args: &Up, observing: &virga_telemetry::Observing) -> anyhow::Result<ExitReason> {
    let data = DataDir::open(&config.data_dir)?;
    let living = presence::living(&presence_folder(&data.run))?;
    let held = address::hold(config.listen, !living.is_empty())?;
    let tasks = Tasks::new();
    let platform = Platform::compose(config, &data, held.address, &tasks).await?;
    observing.export(&platform.metrics);
    let drain = Duration::from_millis(config.drain_ms) + LAST_STEPS;
    let spec = WorkerSpec {
        count: config.worker_count(),
        listen: held.address,
        data_dir: data.path.clone(),
        run_dir: data.run.clone(),
        config: platform.worker_config_digest()?,
        build: version::build_id()?,
        log: config.telemetry.filter.clone(),
        log_json: config.telemetry.format == LogFormat::Json,
        drain,
    };
    let workers = Supervisor::new(spec, platform.reported.clone(), tasks.clone());
    platform.serve_control(&workers)?;
    let up = async {
        bring_up(&platform, &workers, living, held.address, &tasks).await?;
        let ready = ready(config, args, &platform, held.address).await?;
        match args.output {
            Output::Text => ready.print()?,
            Output::Json => ready.print_json()?,
        }
        anyhow::Ok(())
    };
    let stopping = tasks.draining();
    let run = tasks.run_until_stopped(drain + LAST_STEPS);
    tokio::pin!(run);
    let (started, end) = tokio::select! {
        end = &mut run => (Ok(()), end?),
        // A stop in the middle of the start makes the start fail; that is not why the process ends.
        started = up => match started {
            Err(error) if !stopping.is_cancelled() => {
                tasks.stop();
                (Err(error), run.await?)
            }
            _ => (Ok(()), run.await?),
        },
    };
    if started.is_err() || end != ExitReason::Stopped {
        workers.kill_all();
    }
    platform.close().await;
    started.map(|()| end)
}

async fn bring_up(
    platform: &Platform,
    workers: &std::sync::Arc<Supervisor>,
    living: Vec<presence::Living>,
    listen: SocketAddr,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    if platform.workers == 0 {
        let worker = Worker { index: 0, listen, plane: platform.plane.clone(), tasks: tasks.clone() };
        tasks.spawn("worker", async move { worker.run().await.map_err(|error| format!("{error:#}")) });
        platform.reported.of(std::process::id()).await;
    }
    workers.start(living).await
}

async fn ready(config: &Config, args: &Up, platform: &Platform, listen: SocketAddr) -> anyhow::Result<Ready> {
    let reachable = reachable(listen);
    let sample_url = if args.sample { Some(sample(config, platform, reachable).await?) } else { None };
    Ok(Ready {
        api: format!("http://{reachable}"),
        api_by_name: platform.endpoints.canonical().api,
        user: virga_uaa::ADMIN_USERNAME,
        password: platform.generated_password.clone(),
        organization: compose::ORGANIZATION,
        space: compose::SPACE,
        apps_domain: format!("apps.{}", config.domain),
        sample_url,
        listen,
        pid: std::process::id(),
        workers: platform.workers,
    })
}

/// URL of the sample, which is pushed where it is not there yet.
async fn sample(config: &Config, platform: &Platform, api: SocketAddr) -> anyhow::Result<String> {
    if let Some(route) = sample::find(&platform.store).await? {
        return sample::until_it_answers(api, &route).await;
    }
    let known = platform.generated_password.clone().or_else(|| config.admin_password.as_ref().map(|p| p.expose().clone()));
    let password = known.context("--sample logs in as admin: set VIRGA_ADMIN_PASSWORD to the password of the first start")?;
    let route = sample::push_sample(api, &password).await.context("the sample could not be pushed")?;
    sample::until_it_answers(api, &route).await
}

/// An address that a client on this box can connect to.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, listen.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, listen.port()).into(),
        _ => listen,
    }
}
