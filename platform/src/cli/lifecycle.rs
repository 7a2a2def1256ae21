//! `virga start`, `stop` and `restart`.

use super::{
    app, args, deployment, instances,
    target::{Targeted, targeted},
    ui::Ui,
};
use crate::client::{Client, resources::App};

/// `virga start APP_NAME`
pub async fn start(client: &Client, ui: Ui, name: &str) -> anyhow::Result<()> {
    let target = targeted(client)?;
    let app = target.app(client, name).await?;
    ui.line(format!("Starting app {name} in {}...\n", target.place()))?;
    if app.state == "STARTED" {
        ui.line(format!("App '{name}' is already started."))?;
        return Ok(ui.ok()?);
    }
    up(client, ui, &target, &app).await
}

/// Starts an app and waits until it runs.
pub async fn up(client: &Client, ui: Ui, target: &Targeted, app: &App) -> anyhow::Result<()> {
    client.act(&format!("/v3/apps/{}/actions/start", app.guid)).await?;
    ui.line(format!("Waiting for app {} to start...\n", app.name))?;
    instances::wait(client, ui, &app.name, &app.guid, false).await?;
    app::summary(client, ui, target, &app.name).await
}

/// `virga stop APP_NAME`
pub async fn stop(client: &Client, ui: Ui, name: &str) -> anyhow::Result<()> {
    let target = targeted(client)?;
    let app = target.app(client, name).await?;
    ui.line(format!("Stopping app {name} in {}...\n", target.place()))?;
    if app.state == "STOPPED" {
        ui.line(format!("App '{name}' is already stopped."))?;
    } else {
        client.act(&format!("/v3/apps/{}/actions/stop", app.guid)).await?;
    }
    Ok(ui.ok()?)
}

/// `virga restart APP_NAME [--strategy rolling]`
pub async fn restart(client: &Client, ui: Ui, args: args::Restart) -> anyhow::Result<()> {
    let target = targeted(client)?;
    let app = target.app(client, &args.name).await?;
    ui.line(format!("Restarting app {} in {}...\n", app.name, target.place()))?;
    if let (Some(strategy), "STARTED") = (&args.strategy, app.state.as_str()) {
        ui.line(format!("Creating deployment for app {}...", app.name))?;
        let options = args.max_in_flight.map(|count| ("max_in_flight".to_owned(), count.into())).into_iter().collect();
        deployment::run(client, ui, &app.guid, strategy, None, options).await?;
        instances::wait(client, ui, &app.name, &app.guid, false).await?;
        return app::summary(client, ui, &target, &app.name).await;
    }
    if app.state == "STARTED" {
        ui.line("Stopping app...\n")?;
        client.act(&format!("/v3/apps/{}/actions/stop", app.guid)).await?;
    }
    up(client, ui, &target, &app).await
}
