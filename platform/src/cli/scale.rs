//! `virga scale`.

use super::{app, args::Scale, confirm::confirm, lifecycle, target::targeted, ui::Ui};
use crate::client::Client;
use serde_json::{Map, Value, json};
use virga_model::size::{parse_bytes, parse_megabytes};

/// `virga scale APP_NAME [-i N] [-k DISK] [-m MEMORY] [-l LOG_RATE]`
pub async fn run(client: &Client, ui: Ui, args: Scale) -> anyhow::Result<()> {
    let target = targeted(client)?;
    let app = target.app(client, &args.name).await?;
    let body = body(&args)?;
    if body.is_empty() {
        ui.line(format!("Showing current scale of app {} in {}...\n", app.name, target.place()))?;
        return app::summary(client, ui, &target, &app.name).await;
    }
    ui.line(format!("Scaling app {} in {}...\n", app.name, target.place()))?;
    // Limits are given to an instance at its start; a change of count needs no restart.
    let restarts = app.state == "STARTED" && body.keys().any(|key| key != "instances");
    if restarts && !args.force && !confirm(&format!("This will cause the app to restart. Are you sure you want to scale {}?", app.name))? {
        return Ok(ui.line("Scaling cancelled")?);
    }
    let path = format!("/v3/apps/{}/processes/{}/actions/scale", app.guid, args.process);
    client.post::<Value>(&path, &Value::Object(body)).await?;
    if restarts {
        ui.line("Stopping app...\n")?;
        client.act(&format!("/v3/apps/{}/actions/stop", app.guid)).await?;
        return lifecycle::up(client, ui, &target, &app).await;
    }
    if app.state == "STARTED" && args.instances.is_some_and(|count| count > 0) {
        super::instances::wait(client, ui, &app.name, &app.guid, false).await?;
    }
    app::summary(client, ui, &target, &app.name).await
}

fn body(args: &Scale) -> anyhow::Result<Map<String, Value>> {
    let mut body = Map::new();
    if let Some(count) = args.instances {
        body.insert("instances".to_owned(), json!(count));
    }
    if let Some(size) = &args.memory {
        body.insert("memory_in_mb".to_owned(), json!(parse_megabytes(size)?));
    }
    if let Some(size) = &args.disk {
        body.insert("disk_in_mb".to_owned(), json!(parse_megabytes(size)?));
    }
    if let Some(rate) = &args.log_rate_limit {
        let rate = match rate.as_str() {
            "-1" => -1,
            "0" => 0,
            size => i64::try_from(parse_bytes(size)?)?,
        };
        body.insert("log_rate_limit_in_bytes_per_second".to_owned(), json!(rate));
    }
    Ok(body)
}
