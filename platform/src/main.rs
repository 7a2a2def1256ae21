//! The one binary `virga`: reads configuration, composes the rooms, runs them; and the command line for those without `cf`.

mod buildpack;
mod cli;
mod client;
mod config;
mod services;
mod up;
mod version;
mod worker;

use clap::{Parser, Subcommand};
use std::{ffi::OsString, process::ExitCode};
use virga_telemetry::ObservingConfig;

/// A request is a few dozen small allocations; the system's allocator was a seventh of a fresh instance's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Cloud Foundry's experience on WebAssembly.
#[derive(Debug, Parser)]
#[command(name = "virga", version = version::VERSION, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the platform on this machine
    Up(up::Up),
    /// Print the effective configuration, secrets hidden
    Config(config::ConfigFlags),
    /// Work on the buildpacks of this machine
    #[command(subcommand)]
    Buildpack(buildpack::Command),
    /// Print the version
    Version,
    #[command(hide = true)]
    Worker(worker::WorkerArgs),
    /// Hold the data of the platform's services; started by the platform itself
    #[command(hide = true)]
    Services(services::ServicesArgs),
    /// Stage a package; started by the platform itself
    #[command(hide = true)]
    Stage {
        /// What the platform says
        arguments: Vec<OsString>,
    },
    /// Compile a component; started by the platform itself
    #[command(hide = true)]
    Compile {
        /// What the platform says
        arguments: Vec<OsString>,
    },
    #[command(flatten)]
    Client(cli::args::Command),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        // Whoever reads our output has gone; nobody is left to tell.
        Err(error) if is_broken_pipe(&error) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            eprintln!("FAILED");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(args) => up::run(args),
        Command::Config(flags) => config::show(&flags),
        Command::Version => {
            cli::ui::Ui::stdout().line(format!("virga version {}", version::VERSION))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Buildpack(command) => buildpack::run(command),
        Command::Worker(args) => worker::run(args),
        Command::Services(args) => services::run(&args),
        Command::Stage { arguments } => Ok(virga_buildpacks::run_stage_child(&arguments)),
        Command::Compile { arguments } => Ok(virga_buildpacks::run_compile_child(&arguments)),
        Command::Client(command) => {
            let filter = std::env::var("VIRGA_LOG").unwrap_or_else(|_| "warn".to_owned());
            let observing = ObservingConfig { filter, ..ObservingConfig::default() };
            let _observing = virga_telemetry::init(&observing, "virga", "command")?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(cli::run(command))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
