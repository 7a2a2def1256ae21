//! Route services: bound to a route by the API, asked by the router, gone when they are unbound.

use anyhow::ensure;
use serde_json::{Value, json};
use std::time::Duration;
use virga_tests::{Platform, Push, host_of, until};

const WAIT: Duration = Duration::from_secs(30);

/// Waits until `GET /env/NAME` of the shop is answered so.
async fn until_answered(platform: &Platform, what: &str, text: &str) -> anyhow::Result<()> {
    until(what, WAIT, async || {
        let answer = platform.get("shop", "/env/WHO").await?.text().await?;
        ensure!(answer == text, "{answer}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_route_goes_through_its_route_service_as_long_as_it_is_bound() -> anyhow::Result<()> {
    let platform = Platform::start(1).await?;
    platform.login().await?;
    for (app, says) in [("shop", "the shop"), ("gate", "the gate"), ("toll", "the toll")] {
        platform.push(app, "go-http", Push { flags: &["--no-start"] }).await?;
        platform.ok(&["set-env", app, "WHO", says]).await?;
        platform.ok(&["start", app]).await?;
    }
    until_answered(&platform, "the app answers", "the shop").await?;
    let to = |guid: &str| json!({ "data": { "guid": guid } });
    let space = platform.first_guid("/v3/spaces?names=dev").await?;
    let body =
        |url: String| json!({ "type": "user-provided", "name": "way", "route_service_url": url, "relationships": { "space": to(&space) } });
    let instance = platform.ask("POST", "/v3/service_instances", &body(format!("https://{}/env/WHO", host_of("gate")))).await?;
    let instance = instance["guid"].as_str().unwrap_or_default().to_owned();
    let route = platform.first_guid("/v3/routes?hosts=shop").await?;
    let body = json!({ "relationships": { "route": to(&route), "service_instance": to(&instance) } });
    let binding = platform.ask("POST", "/v3/service_route_bindings", &body).await?;
    until_answered(&platform, "the gate answers", "the gate").await?;

    let again = platform.ask("POST", "/v3/service_route_bindings", &body).await;
    let again = again.err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(again.contains("The route and service instance are already bound."), "{again}");
    let change = json!({ "route_service_url": format!("https://{}/env/WHO", host_of("toll")) });
    platform.ask("PATCH", &format!("/v3/service_instances/{instance}"), &change).await?;
    until_answered(&platform, "the new place answers", "the toll").await?;

    let path = format!("/v3/service_route_bindings/{}", binding["guid"].as_str().unwrap_or_default());
    platform.ask("DELETE", &path, &Value::Null).await?;
    until_answered(&platform, "the app answers again", "the shop").await?;

    platform.ask("POST", "/v3/service_route_bindings", &body).await?;
    until_answered(&platform, "the toll answers again", "the toll").await?;
    platform.ask("DELETE", &format!("/v3/service_instances/{instance}"), &Value::Null).await?;
    until_answered(&platform, "nothing is in the way", "the shop").await?;
    let left = platform.ask("GET", "/v3/service_route_bindings", &Value::Null).await?;
    ensure!(left["pagination"]["total_results"] == 0, "{left}");
    Ok(())
}
