//! The one binary `virga`: reads configuration, composes the rooms, runs them; and the command line for those without `cf`.

mod cli;
mod client;
mod config;
mod version;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Cloud Foundry's experience on WebAssembly.
#[derive(Debug, Parser)]
#[command(name = "virga", version = version::VERSION, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the effective configuration, secrets hidden
    Config(config::ConfigFlags),
    /// Print the version
    Version,
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
        Command::Config(flags) => config::show(&flags),
        Command::Version => {
            cli::ui::Ui::stdout().line(format!("virga version {}", version::VERSION))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Client(command) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(cli::run(command))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
