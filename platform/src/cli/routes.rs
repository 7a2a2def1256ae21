//! `virga routes`.

use super::{target::targeted, ui::Ui};
use crate::client::{
    Client,
    resources::{App, Resource, Route},
};
use std::collections::HashMap;

/// `virga routes`
pub async fn run(client: &Client, ui: Ui) -> anyhow::Result<()> {
    let target = targeted(client)?;
    ui.line(format!("Getting routes for {} ...\n", target.place()))?;
    let routes: Vec<Route> = client.list(&format!("/v3/routes?space_guids={}&per_page=5000", target.space.guid)).await?;
    if routes.is_empty() {
        return Ok(ui.line("No routes found.")?);
    }
    let apps: Vec<App> = client.list(&format!("/v3/apps?space_guids={}&per_page=5000", target.space.guid)).await?;
    let app_names: HashMap<&str, &str> = apps.iter().map(|app| (app.guid.as_str(), app.name.as_str())).collect();
    let domains: Vec<Resource> = client.list(&format!("/v3/organizations/{}/domains", target.organization.guid)).await?;
    let domain_names: HashMap<&str, &str> = domains.iter().map(|domain| (domain.guid.as_str(), domain.name.as_str())).collect();
    let rows: Vec<Vec<String>> = routes
        .iter()
        .map(|route| {
            let domain = route.relationships.guid("domain").unwrap_or_default();
            let apps = route.destinations.iter().filter_map(|d| app_names.get(d.app.guid.as_str()).copied());
            let protocols = route.destinations.iter().map(|d| d.protocol.as_deref().unwrap_or("http1"));
            vec![
                target.space.name.clone(),
                route.host.clone(),
                domain_names.get(domain).copied().unwrap_or(domain).to_owned(),
                route.path.clone(),
                route.protocol.clone(),
                protocols.collect::<Vec<_>>().join(", "),
                apps.collect::<Vec<_>>().join(", "),
            ]
        })
        .collect();
    Ok(ui.table(&["space", "host", "domain", "path", "protocol", "app-protocol", "apps"], &rows)?)
}
