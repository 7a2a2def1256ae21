//! `virga restage`.

use super::{lifecycle, push::staging, target::targeted, ui::Ui};
use crate::client::{Client, resources::Package};
use anyhow::bail;
use serde_json::{Value, json};

/// `virga restage APP_NAME`
pub async fn run(client: &Client, ui: Ui, name: &str) -> anyhow::Result<()> {
    let target = targeted(client)?;
    let app = target.app(client, name).await?;
    ui.line(format!("Restaging app {name} in {}...\n", target.place()))?;
    let path = format!("/v3/packages?app_guids={}&states=READY&order_by=-created_at&per_page=1&page=1", app.guid);
    let page: crate::client::resources::Page<Package> = client.get(&path).await?;
    let Some(package) = page.resources.into_iter().next() else { bail!("App '{name}' has no eligible packages. Push it first.") };
    let staged = staging::stage(client, ui, &app, &package.guid).await?;
    if app.state == "STARTED" {
        client.act(&format!("/v3/apps/{}/actions/stop", app.guid)).await?;
    }
    let current = format!("/v3/apps/{}/relationships/current_droplet", app.guid);
    client.patch::<Value>(&current, &json!({"data": {"guid": staged.droplet}})).await?;
    lifecycle::up(client, ui, &target, &app).await
}
