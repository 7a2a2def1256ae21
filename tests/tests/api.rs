//! The system API over raw requests: discovery at the bare address and by host name, errors, tokens.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use virga_tests::{Platform, platform::ADMIN_PASSWORD};

async fn root_at(platform: &Platform, host: &str) -> anyhow::Result<Value> {
    let answer = platform.http().get(platform.api()).header("host", host).send().await?;
    ensure!(answer.status() == 200, "GET / as {host}: {}", answer.status());
    Ok(answer.json().await?)
}

#[tokio::test]
async fn links_follow_the_address_that_was_asked() -> anyhow::Result<()> {
    let platform = Platform::start(1).await?;
    let bare = root_at(&platform, platform.listen()).await?;
    for link in ["self", "uaa", "login", "log_cache"] {
        ensure!(
            bare["links"][link]["href"].as_str().map(|href| href.trim_end_matches('/')) == Some(platform.api().as_str()),
            "{link}: {bare}"
        );
    }
    let port = platform.listen().rsplit_once(':').context("no port")?.1.to_owned();
    let named = root_at(&platform, &format!("api.virga.localhost:{port}")).await?;
    ensure!(named["links"]["uaa"]["href"] == format!("http://uaa.virga.localhost:{port}"), "{named}");
    ensure!(named["links"]["log_cache"]["href"] == format!("http://log-cache.virga.localhost:{port}"), "{named}");
    Ok(())
}

#[tokio::test]
async fn tokens_open_the_api_and_nothing_else_does() -> anyhow::Result<()> {
    let platform = Platform::start(1).await?;
    let token: Value = platform
        .http()
        .post(format!("{}/oauth/token", platform.api()))
        .basic_auth("cf", Some(""))
        .form(&[("grant_type", "password"), ("username", "admin"), ("password", ADMIN_PASSWORD)])
        .send()
        .await?
        .json()
        .await?;
    let token = token["access_token"].as_str().with_context(|| format!("{token}"))?;
    let apps = |header: Option<String>| {
        let request = platform.http().get(format!("{}/v3/apps", platform.api()));
        let request = if let Some(value) = header { request.header("authorization", value) } else { request };
        async move {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            let body: Value = answer.json().await?;
            anyhow::Ok((status, body["errors"][0]["code"].as_u64()))
        }
    };
    ensure!(apps(Some(format!("bearer {token}"))).await? == (200, None));
    ensure!(apps(None).await? == (401, Some(10002)));
    let mut forged = token.to_owned();
    forged.pop();
    ensure!(apps(Some(format!("bearer {forged}"))).await? == (401, Some(1000)));
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_path_are_said_in_the_words_of_cloud_foundry() -> anyhow::Result<()> {
    let platform = Platform::start(1).await?;
    let wrong = platform
        .http()
        .post(format!("{}/oauth/token", platform.api()))
        .basic_auth("cf", Some(""))
        .form(&[("grant_type", "password"), ("username", "admin"), ("password", "guess")])
        .send()
        .await?;
    ensure!(wrong.status() == 401);
    let wrong: Value = wrong.json().await?;
    ensure!(wrong["error"] == "unauthorized", "{wrong}");
    let unknown = platform.http().get(format!("{}/v3/nothing", platform.api())).send().await?;
    ensure!(unknown.status() == 404, "{}", unknown.status());
    let unknown: Value = unknown.json().await?;
    ensure!(unknown["errors"][0]["detail"] == "Unknown request", "{unknown}");
    Ok(())
}

#[tokio::test]
async fn after_a_logout_the_tokens_are_of_no_use() -> anyhow::Result<()> {
    let platform = Platform::start(1).await?;
    platform.login().await?;
    let token = platform.ok(&["oauth-token"]).await?.trim().to_owned();
    let session = std::fs::read(platform.home().join(".virga/config.json"))?;
    let session: Value = serde_json::from_slice(&session)?;
    let refresh = session["refresh_token"].as_str().context("no refresh token")?;
    let asked = async || {
        let answer = platform.http().get(format!("{}/v3/apps", platform.api())).header("authorization", &token).send().await?;
        anyhow::Ok(answer.status().as_u16())
    };
    ensure!(asked().await? == 200);
    platform.ok(&["logout"]).await?;
    ensure!(asked().await? == 401, "the access token still opens the API");
    let renewed = platform
        .http()
        .post(format!("{}/oauth/token", platform.api()))
        .basic_auth("cf", Some(""))
        .form(&[("grant_type", "refresh_token"), ("refresh_token", refresh)])
        .send()
        .await?;
    ensure!(renewed.status() == 401, "{}", renewed.status());
    let again = platform.virga(&["logout"]).await?;
    ensure!(again.code == Some(0), "{}", again.text);
    Ok(())
}

#[tokio::test]
async fn the_issuer_is_the_address_of_its_configuration() -> anyhow::Result<()> {
    let platform = Platform::start(1).await?;
    let port = platform.listen().rsplit_once(':').context("no port")?.1.to_owned();
    let issuer = format!("http://uaa.virga.localhost:{port}/oauth/token");
    let configuration = platform
        .http()
        .get(format!("{}/oauth/token/.well-known/openid-configuration", platform.api()))
        .header("host", format!("uaa.virga.localhost:{port}"))
        .send()
        .await?;
    let configuration: Value = configuration.json().await?;
    ensure!(configuration["issuer"] == issuer, "{configuration}");
    Ok(())
}
