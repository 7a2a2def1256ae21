//! Apps that reach one another by internal routes and network policies, and clients that reach apps by TCP routes.

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

#[tokio::test]
async fn a_tcp_route_is_a_port_as_long_as_it_leads_somewhere() -> anyhow::Result<()> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    platform.push("hello", "wat-hello", Push::default()).await?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let groups = api(&platform, "GET", "/routing/v1/router_groups?name=default-tcp", None).await?;
    let group = groups.pointer("/0/guid").and_then(Value::as_str).context("no router group")?;
    let ports = json!({ "reservable_ports": port.to_string() });
    api(&platform, "PUT", &format!("/routing/v1/router_groups/{group}"), Some(&ports)).await?;
    let domain = json!({ "name": "tcp.example", "router_group": { "guid": group } });
    let domain = api(&platform, "POST", "/v3/domains", Some(&domain)).await?;
    let (space, app) = (guid_of(&platform, "/v3/spaces", "dev").await?, guid_of(&platform, "/v3/apps", "hello").await?);
    let places = json!({ "space": { "data": { "guid": space } }, "domain": { "data": { "guid": domain.get("guid") } } });
    let route = api(&platform, "POST", "/v3/routes", Some(&json!({ "relationships": places }))).await?;
    ensure!(route.get("port") == Some(&json!(port)), "the only port there is was not given: {route}");
    let destinations = format!("/v3/routes/{}/destinations", route.get("guid").and_then(Value::as_str).context("no guid")?);
    let mapped = api(&platform, "POST", &destinations, Some(&json!({ "destinations": [{ "app": { "guid": app } }] }))).await?;
    let destination = mapped.pointer("/destinations/0/guid").and_then(Value::as_str).context("no destination")?.to_owned();

    let url = format!("http://127.0.0.1:{port}/");
    until("the port leads to the app", Duration::from_secs(20), || async {
        let text = platform.http().get(&url).send().await?.text().await?;
        ensure!(text.contains("Hello"), "{text}");
        Ok(())
    })
    .await?;
    platform.ok(&["curl", &format!("{destinations}/{destination}"), "-X", "DELETE", "--fail"]).await?;
    until("the port is closed", Duration::from_secs(20), || async {
        ensure!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err(), "it is still open");
        Ok(())
    })
    .await
}
