//! Apps that reach one another: internal routes and network policies.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use virga_tests::{Platform, Push, until};

/// wasi:http's `connection-refused` and `HTTP-request-denied`, as the sample answers them.
const REFUSED: u16 = 506;
const DENIED: u16 = 515;

/// A call of the API as the administrator.
async fn api(platform: &Platform, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
    let mut args = vec!["curl", path, "-X", method, "--fail"];
    let text = body.map(ToString::to_string);
    if let Some(text) = &text {
        args.extend(["-d", text]);
    }
    let answer = platform.ok(&args).await?;
    if answer.trim().is_empty() { Ok(Value::Null) } else { serde_json::from_str(&answer).with_context(|| answer) }
}

async fn guid_of(platform: &Platform, list: &str, name: &str) -> anyhow::Result<Value> {
    let found = api(platform, "GET", &format!("{list}?names={name}"), None).await?;
    Ok(found.pointer("/resources/0/guid").with_context(|| format!("no {name} in {found}"))?.clone())
}

/// Waits until `front` asks `back` with this outcome.
async fn until_asked(platform: &Platform, outcome: u16) -> anyhow::Result<()> {
    until(&format!("asking gives {outcome}"), Duration::from_secs(20), || async {
        let status = platform.get("front", "/back.apps.internal:8080").await?.status();
        ensure!(status == outcome, "{status}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_app_reaches_another_as_long_as_a_policy_lets_it() -> anyhow::Result<()> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    platform.push("front", "wat-asking", Push::default()).await?;
    platform.push("back", "wat-hello", Push::default()).await?;
    let (front, back) = (guid_of(&platform, "/v3/apps", "front").await?, guid_of(&platform, "/v3/apps", "back").await?);
    let (space, domain) = (guid_of(&platform, "/v3/spaces", "dev").await?, guid_of(&platform, "/v3/domains", "apps.internal").await?);
    let route =
        json!({ "host": "back", "relationships": { "space": { "data": { "guid": space } }, "domain": { "data": { "guid": domain } } } });
    let route = api(&platform, "POST", "/v3/routes", Some(&route)).await?;
    let route = route.get("guid").and_then(Value::as_str).context("a route without a guid")?.to_owned();
    let destination = json!({ "destinations": [{ "app": { "guid": back } }] });
    api(&platform, "POST", &format!("/v3/routes/{route}/destinations"), Some(&destination)).await?;

    until_asked(&platform, DENIED).await?;
    let policy = json!({ "policies": [{ "source": { "id": front }, "destination": {
        "id": back, "protocol": "tcp", "ports": { "start": 8080, "end": 8080 } } }] });
    api(&platform, "POST", "/networking/v1/external/policies", Some(&policy)).await?;
    until_asked(&platform, 200).await?;
    // Nobody outside is answered.
    let public = platform.http().get(platform.api()).header("Host", "back.apps.internal").send().await?;
    ensure!(public.status() == 404, "{}", public.status());
    until("the app's own log says why", Duration::from_secs(20), || async {
        let logs = platform.ok(&["logs", "front", "--recent"]).await?;
        ensure!(logs.contains("denied: no network policy allows port 8080"), "{logs}");
        Ok(())
    })
    .await?;

    platform.ok(&["stop", "back"]).await?;
    until_asked(&platform, REFUSED).await?;
    platform.ok(&["start", "back"]).await?;
    until_asked(&platform, 200).await?;
    api(&platform, "POST", "/networking/v1/external/policies/delete", Some(&policy)).await?;
    until_asked(&platform, DENIED).await?;
    Ok(())
}
