//! A deployment from its creation to its end, for `push --strategy` and `restart --strategy`.

use super::ui::Ui;
use crate::client::{Client, Poll, resources::Deployment};
use anyhow::bail;
use serde_json::{Map, Value, json};

/// Creates a deployment and waits until it is over (a canary: until it pauses).
pub async fn run(
    client: &Client,
    ui: Ui,
    app: &str,
    strategy: &str,
    droplet: Option<&str>,
    options: Map<String, Value>,
) -> anyhow::Result<()> {
    let mut body = json!({"strategy": strategy, "relationships": {"app": {"data": {"guid": app}}}});
    if let (Some(droplet), Value::Object(body)) = (droplet, &mut body) {
        body.insert("droplet".to_owned(), json!({"guid": droplet}));
    }
    if let (false, Value::Object(body)) = (options.is_empty(), &mut body) {
        body.insert("options".to_owned(), Value::Object(options));
    }
    let deployment: Deployment = client.post("/v3/deployments", &body).await?;
    ui.line("Waiting for app to deploy...\n")?;
    let mut poll = Poll::new();
    loop {
        let now: Deployment = client.get(&format!("/v3/deployments/{}", deployment.guid)).await?;
        match (now.status.value.as_str(), now.status.reason.as_str()) {
            ("FINALIZED", "DEPLOYED") => return Ok(()),
            ("FINALIZED", "CANCELED") => bail!("Deployment has been canceled"),
            ("FINALIZED", "SUPERSEDED") => bail!("Deployment has been superseded"),
            ("FINALIZED", other) => bail!("Deployment ended as {other}"),
            (_, "PAUSED") => return Ok(ui.line("Canary deployment currently PAUSED.")?),
            _ => poll.wait().await,
        }
    }
}
