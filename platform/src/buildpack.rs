//! `virga buildpack cache`: what staging would install at a first push is installed now.

use crate::{
    cli::ui::Ui,
    config::{Config, ConfigFlags},
};
use anyhow::Context as _;
use clap::Subcommand;
use std::{process::ExitCode, sync::Arc};
use virga_contract::logs::{Envelope, LogSink, Message};

/// The commands about buildpacks of this machine.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Install the toolchains of buildpacks, so that staging needs no network for them
    Cache {
        /// Buildpacks; all of them, if none is named
        #[arg(value_name = "BUILDPACK")]
        names: Vec<String>,
        #[command(flatten)]
        flags: ConfigFlags,
    },
}

struct Printed(Ui);

impl LogSink for Printed {
    fn emit(&self, envelope: Envelope) {
        if let Message::Log { payload, .. } = envelope.message {
            // Whoever reads our output has gone; the installation goes on.
            let _printed = self.0.line(format!("  {}", String::from_utf8_lossy(&payload)));
        }
    }
}

/// Runs one of them. Fails when something could not be installed.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::Cache { names, flags } = command;
    let config = Config::load(&flags)?;
    let ui = Ui::stdout();
    let folder = config.toolchains_dir.clone().unwrap_or_else(|| config.data_dir.join("buildpacks"));
    ui.line(format!("Installing toolchains into {}...", folder.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let filling = virga_buildpacks::fill_toolchains(folder, config.staging_limits.clone(), &names, Arc::new(Printed(ui)));
    let filled = runtime.block_on(filling).context("the toolchains cannot be installed")?;
    let mut is_complete = true;
    for one in &filled {
        let said = match &one.folders {
            Ok(folders) if folders.is_empty() => "needs none".to_owned(),
            Ok(folders) => {
                let names: Vec<_> = folders.iter().filter_map(|folder| folder.file_name()?.to_str()).collect();
                format!("{} ({} s)", names.join(", "), one.took_ms / 1000)
            }
            Err(reason) => {
                is_complete = false;
                format!("FAILED: {reason}")
            }
        };
        ui.line(format!("{}: {said}", one.name))?;
    }
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
