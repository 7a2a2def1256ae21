//! `virga delete`.

use super::{args::Delete, confirm::confirm, target::targeted, ui::Ui};
use crate::client::{Client, resources::Route};

/// `virga delete APP_NAME [-f] [-r]`
pub async fn run(client: &Client, ui: Ui, args: Delete) -> anyhow::Result<()> {
    let target = targeted(client)?;
    let what = if args.routes { format!("app {} and its mapped routes", args.name) } else { format!("app {}", args.name) };
    if !args.force && !confirm(&format!("Really delete the {what}?"))? {
        return Ok(ui.line(format!("App '{}' has not been deleted.", args.name))?);
    }
    ui.line(format!("Deleting {what} in {}...", target.place()))?;
    let Some(app) = target.find_app(client, &args.name).await? else {
        ui.line(format!("App '{}' does not exist.", args.name))?;
        return Ok(ui.ok()?);
    };
    let routes: Vec<Route> = if args.routes { client.list(&format!("/v3/apps/{}/routes", app.guid)).await? } else { Vec::new() };
    if let Some(shared) = routes.iter().find(|route| route.destinations.iter().any(|d| d.app.guid != app.guid)) {
        anyhow::bail!(
            "Unable to delete app {}: route {} is also mapped to another app. Unmap it first, or delete without -r.",
            args.name,
            shared.url
        );
    }
    client.delete(&format!("/v3/apps/{}", app.guid)).await?;
    for route in routes {
        client.delete(&format!("/v3/routes/{}", route.guid)).await?;
    }
    Ok(ui.ok()?)
}
