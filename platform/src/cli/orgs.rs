//! `virga orgs` and `virga spaces`.

use super::ui::Ui;
use crate::client::{Client, ClientError, resources::Resource};
use anyhow::bail;

async fn names(client: &Client, ui: Ui, path: &str, none: &str) -> anyhow::Result<()> {
    let found: Vec<Resource> = client.list(path).await?;
    if found.is_empty() {
        return Ok(ui.line(none)?);
    }
    let rows: Vec<Vec<String>> = found.into_iter().map(|resource| vec![resource.name]).collect();
    Ok(ui.table(&["name"], &rows)?)
}

/// `virga orgs`
pub async fn orgs(client: &Client, ui: Ui) -> anyhow::Result<()> {
    let Some(user) = client.session().user() else { return Err(ClientError::NotLoggedIn.into()) };
    ui.line(format!("Getting orgs as {user}...\n"))?;
    names(client, ui, "/v3/organizations?order_by=name", "No orgs found.").await
}

/// `virga spaces`
pub async fn spaces(client: &Client, ui: Ui) -> anyhow::Result<()> {
    let session = client.session();
    let Some(user) = session.user() else { return Err(ClientError::NotLoggedIn.into()) };
    let Some(org) = session.organization else { bail!("No org targeted, use 'virga target -o ORG' to target an org.") };
    ui.line(format!("Getting spaces in org {} as {user}...\n", org.name))?;
    names(client, ui, &format!("/v3/spaces?organization_guids={}&order_by=name", org.guid), "No spaces found.").await
}
