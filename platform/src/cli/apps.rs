//! `virga apps`.

use super::{instances::running, target::targeted, ui::Ui};
use crate::client::{
    Client,
    resources::{App, Process, Route, StatsPage},
};
use std::collections::BTreeMap;

/// `virga apps`
pub async fn run(client: &Client, ui: Ui) -> anyhow::Result<()> {
    let target = targeted(client)?;
    ui.line(format!("Getting apps in {}...\n", target.place()))?;
    let apps: Vec<App> = client.list(&format!("/v3/apps?space_guids={}&order_by=name&per_page=5000", target.space.guid)).await?;
    if apps.is_empty() {
        return Ok(ui.line("No apps found")?);
    }
    let processes: Vec<Process> = client.list(&format!("/v3/processes?space_guids={}&per_page=5000", target.space.guid)).await?;
    let routes: Vec<Route> = client.list(&format!("/v3/routes?space_guids={}&per_page=5000", target.space.guid)).await?;
    let mut counts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for process in &processes {
        let Some(app) = process.relationships.guid("app") else { continue };
        let started = apps.iter().any(|a| a.guid == app && a.state == "STARTED");
        let up = if started && process.instances > 0 {
            let stats: StatsPage = client.get(&format!("/v3/processes/{}/stats", process.guid)).await?;
            running(&stats.resources)
        } else {
            0
        };
        counts.entry(app).or_default().push(format!("{}:{up}/{}", process.kind, process.instances));
    }
    let rows: Vec<Vec<String>> = apps
        .iter()
        .map(|app| {
            let urls = routes.iter().filter(|r| r.destinations.iter().any(|d| d.app.guid == app.guid)).map(|r| r.url.as_str());
            let processes = counts.get(app.guid.as_str()).map(|c| c.join(", ")).unwrap_or_default();
            vec![app.name.clone(), app.state.to_lowercase(), processes, urls.collect::<Vec<_>>().join(", ")]
        })
        .collect();
    Ok(ui.table(&["name", "requested state", "processes", "routes"], &rows)?)
}
