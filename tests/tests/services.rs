//! User-provided services: an app reads the credentials that it is bound to, and nobody else does.

use anyhow::ensure;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use virga_tests::{Platform, Push, until};

const SECRET: &str = "correct-horse-battery-staple";
const NEW_SECRET: &str = "staple-battery-horse-correct";

/// What the app itself says that it was given.
async fn given(platform: &Platform) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&platform.get_ok("shop", "/env/VCAP_SERVICES").await?)?)
}

fn password(services: &Value) -> &str {
    services.pointer("/user-provided/0/credentials/password").and_then(Value::as_str).unwrap_or_default()
}

/// Files below a folder that hold a text. What was deleted meanwhile holds nothing.
fn files_with(folder: &Path, text: &str) -> anyhow::Result<(usize, Vec<String>)> {
    let (mut looked_at, mut found) = (0, Vec::new());
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let (path, kind) = {
                let entry = entry?;
                (entry.path(), entry.file_type()?)
            };
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file()
                && let Ok(bytes) = std::fs::read(&path)
            {
                looked_at += 1;
                if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                    found.push(path.display().to_string());
                }
            }
        }
    }
    Ok((looked_at, found))
}

#[tokio::test]
async fn a_bound_app_reads_its_credentials_after_a_restart_without_a_build() -> anyhow::Result<()> {
    let mut platform = Platform::start(1).await?;
    platform.login().await?;
    platform.push("shop", "javascript-hono", Push::default()).await?;
    ensure!(given(&platform).await? == json!({}));
    let app = platform.first_guid("/v3/apps?names=shop").await?;
    let space = platform.first_guid("/v3/spaces?names=dev").await?;
    let to = |guid: &str| json!({ "data": { "guid": guid } });
    let body = json!({
        "type": "user-provided", "name": "db", "tags": ["sql"], "credentials": { "password": SECRET, "port": 5432 },
        "relationships": { "space": to(&space) },
    });
    let instance = platform.ask("POST", "/v3/service_instances", &body).await?;
    let instance = instance["guid"].as_str().unwrap_or_default().to_owned();
    let body = json!({ "type": "app", "name": "main", "relationships": { "app": to(&app), "service_instance": to(&instance) } });
    let binding = platform.ask("POST", "/v3/service_credential_bindings", &body).await?;
    ensure!(given(&platform).await? == json!({}), "a running instance keeps what it was started with");

    platform.ok(&["restart", "shop"]).await?;
    let services = given(&platform).await?;
    let expected = json!({ "user-provided": [{
        "label": "user-provided", "name": "main", "tags": ["sql"], "instance_guid": instance, "instance_name": "db",
        "binding_guid": binding["guid"], "binding_name": "main", "credentials": { "password": SECRET, "port": 5432 },
        "syslog_drain_url": null, "volume_mounts": [],
    }] });
    ensure!(services == expected, "{services}");
    let shown = platform.ask("GET", &format!("/v3/apps/{app}/env"), &Value::Null).await?;
    ensure!(shown["system_env_json"]["VCAP_SERVICES"] == expected, "{shown}");

    // Database, its log, the platform's own log: nothing of the secret is on the disk.
    let (looked_at, found) = files_with(platform.home(), SECRET)?;
    ensure!(looked_at > 3 && found.is_empty(), "{found:?} of {looked_at} files");
    ensure!(platform.stop().await? == Some(0));
    let (_, found) = files_with(platform.home(), SECRET)?;
    ensure!(found.is_empty(), "{found:?}");
    platform.start_control().await?;
    let services = until("the app answers again", Duration::from_secs(30), || given(&platform)).await?;
    ensure!(services == expected, "{services}");

    let builds = platform.ask("GET", &format!("/v3/apps/{app}/builds"), &Value::Null).await?["pagination"]["total_results"].clone();
    let path = format!("/v3/service_instances/{instance}");
    platform.ask("PATCH", &path, &json!({ "credentials": { "password": NEW_SECRET } })).await?;
    ensure!(password(&given(&platform).await?) == SECRET);
    platform.ok(&["restart", "shop"]).await?;
    ensure!(password(&given(&platform).await?) == NEW_SECRET);
    platform.ask("DELETE", &path, &Value::Null).await?;
    platform.ok(&["restart", "shop"]).await?;
    ensure!(given(&platform).await? == json!({}));
    let after = platform.ask("GET", &format!("/v3/apps/{app}/builds"), &Value::Null).await?["pagination"]["total_results"].clone();
    ensure!(builds == after && builds == 1, "{builds} builds, then {after}");
    Ok(())
}

#[tokio::test]
async fn a_database_opens_with_its_key_only() -> anyhow::Result<()> {
    let mut platform = Platform::start(0).await?;
    ensure!(platform.stop().await? == Some(0));
    let secrets = platform.home().join("secrets.json");
    let kept = std::fs::read(&secrets)?;
    std::fs::remove_file(&secrets)?;
    let Err(refused) = platform.start_control().await else { anyhow::bail!("it came up with another key") };
    let said = format!("{refused:#}");
    ensure!(said.contains("database.sealing_key") && said.contains("another key"), "{said}");
    std::fs::write(&secrets, kept)?;
    platform.start_control().await
}
