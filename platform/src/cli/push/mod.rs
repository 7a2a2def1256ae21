//! `virga push`: the sequence of `cf push` (manifest to the server, bits, package, build, droplet, start), with a receipt.

pub mod bits;
pub mod manifest;
mod receipt;
pub mod staging;
mod upload;
mod variables;

use super::{
    app,
    args::Push,
    deployment, instances,
    target::{Targeted, targeted},
    ui::Ui,
};
use crate::client::{Client, resources::App};
use anyhow::Context as _;
use bits::Bits;
use manifest::{Plan, PlannedApp};
use receipt::Receipt;
use serde_json::{Map, Value, json};
use virga_model::size::{parse_bytes, parse_megabytes};

/// `virga push [APP_NAME] …`
pub async fn run(client: &Client, ui: Ui, args: Push) -> anyhow::Result<()> {
    let target = targeted(client)?;
    let plan = manifest::plan(&args, &std::env::current_dir()?)?;
    let names: Vec<&str> = plan.apps.iter().map(|app| app.name.as_str()).collect();
    ui.line(format!("Pushing app {} to {}...", names.join(", "), target.place()))?;
    apply_manifest(client, ui, &target, &plan).await?;
    for planned in &plan.apps {
        push_app(client, ui, &target, planned, &args).await?;
    }
    Ok(())
}

/// Steps 1 to 3: the server makes the apps, their processes and routes what the manifest says.
async fn apply_manifest(client: &Client, ui: Ui, target: &Targeted, plan: &Plan) -> anyhow::Result<()> {
    if let Some(file) = &plan.file {
        ui.line(format!("Applying manifest file {}...", file.display()))?;
    }
    let path = client.url(&format!("/v3/spaces/{}/actions/apply_manifest", target.space.guid))?;
    let response = client.send(|http| http.post(&path).header("Content-Type", "application/x-yaml").body(plan.yaml.clone())).await?;
    client.finish(response).await?;
    if plan.file.is_some() {
        ui.line("Manifest applied")?;
    }
    Ok(())
}

async fn push_app(client: &Client, ui: Ui, target: &Targeted, planned: &PlannedApp, args: &Push) -> anyhow::Result<()> {
    let mut receipt = Receipt::start();
    let app = target.app(client, &planned.name).await?;
    ui.line("Packaging files to upload...")?;
    let path = planned.path.clone();
    let bits = tokio::task::spawn_blocking(move || Bits::read(&path)).await.context("reading the app's files was interrupted")??;
    receipt.mark();
    let package = upload::upload(client, ui, &app, bits, &mut receipt).await?;
    let staged = staging::stage(client, ui, &app, &package).await?;
    receipt.staged(&staged);
    if let Some(strategy) = args.strategy.as_deref().filter(|_| app.state == "STARTED" && !args.no_start) {
        ui.line(format!("Starting deployment for app {}...", app.name))?;
        deployment::run(client, ui, &app.guid, strategy, Some(&staged.droplet), options(args)?).await?;
        receipt.step("deploy");
    } else {
        set_droplet(client, &app, &staged.droplet, args).await?;
        if args.no_start {
            receipt.show(ui)?;
            return Ok(ui.line(format!("App {} is staged and stopped.", app.name))?);
        }
        ui.line(format!("Waiting for app {} to start...\n", app.name))?;
        client.act(&format!("/v3/apps/{}/actions/restart", app.guid)).await?;
    }
    receipt.mark();
    let stages = instances::wait(client, ui, &app.name, &app.guid, args.no_wait).await?;
    receipt.started(stages);
    app::summary(client, ui, target, &app.name).await?;
    Ok(receipt.show(ui)?)
}

async fn set_droplet(client: &Client, app: &App, droplet: &str, args: &Push) -> anyhow::Result<()> {
    if args.no_start && app.state == "STARTED" {
        client.act(&format!("/v3/apps/{}/actions/stop", app.guid)).await?;
    }
    let path = format!("/v3/apps/{}/relationships/current_droplet", app.guid);
    client.patch::<Value>(&path, &json!({"data": {"guid": droplet}})).await?;
    Ok(())
}

/// What a deployment shall change besides the droplet.
fn options(args: &Push) -> anyhow::Result<Map<String, Value>> {
    let mut options = Map::new();
    if let Some(count) = args.max_in_flight {
        options.insert("max_in_flight".to_owned(), json!(count));
    }
    if let Some(count) = args.instances {
        options.insert("web_instances".to_owned(), json!(count));
    }
    if let Some(size) = &args.memory {
        options.insert("memory_in_mb".to_owned(), json!(parse_megabytes(size)?));
    }
    if let Some(size) = &args.disk {
        options.insert("disk_in_mb".to_owned(), json!(parse_megabytes(size)?));
    }
    if let Some(rate) = &args.log_rate_limit {
        let rate = if rate == "-1" { -1 } else { i64::try_from(parse_bytes(rate)?)? };
        options.insert("log_rate_limit_in_bytes_per_second".to_owned(), json!(rate));
    }
    Ok(options)
}
