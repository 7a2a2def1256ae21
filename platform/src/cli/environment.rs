//! `virga env`, `set-env` and `unset-env`.

use super::{
    args::{SetEnv, UnsetEnv},
    target::targeted,
    ui::Ui,
};
use crate::client::Client;
use serde_json::{Map, Value, json};

/// `virga env APP_NAME`
pub async fn env(client: &Client, ui: Ui, name: &str) -> anyhow::Result<()> {
    let target = targeted(client)?;
    let app = target.app(client, name).await?;
    ui.line(format!("Getting env variables for app {name} in {}...", target.place()))?;
    let env: Value = client.get(&format!("/v3/apps/{}/env", app.guid)).await?;
    let empty = Map::new();
    let group = |key: &str| env.get(key).and_then(Value::as_object).unwrap_or(&empty);
    ui.line("System-Provided:")?;
    for (key, value) in group("system_env_json").iter().chain(group("application_env_json")) {
        ui.line(format!("{key}: {}", serde_json::to_string_pretty(value)?))?;
    }
    for (title, key, none) in [
        ("User-Provided:", "environment_variables", "No user-provided env variables have been set"),
        ("Running Environment Variable Groups:", "running_env_json", "No running env variables have been set"),
        ("Staging Environment Variable Groups:", "staging_env_json", "No staging env variables have been set"),
    ] {
        ui.blank()?;
        if group(key).is_empty() {
            ui.line(none)?;
            continue;
        }
        ui.line(title)?;
        for (name, value) in group(key) {
            ui.line(format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))?;
        }
    }
    Ok(())
}

/// `virga set-env APP_NAME NAME VALUE`
pub async fn set(client: &Client, ui: Ui, args: SetEnv) -> anyhow::Result<()> {
    let target = targeted(client)?;
    let app = target.app(client, &args.name).await?;
    ui.line(format!("Setting env variable {} for app {} in {}...", args.variable, args.name, target.place()))?;
    let body = json!({"var": {args.variable: args.value}});
    client.patch::<Value>(&format!("/v3/apps/{}/environment_variables", app.guid), &body).await?;
    ui.ok()?;
    Ok(ui.line(format!("TIP: Use 'virga restage {}' to ensure your env variable changes take effect.", args.name))?)
}

/// `virga unset-env APP_NAME NAME`
pub async fn unset(client: &Client, ui: Ui, args: UnsetEnv) -> anyhow::Result<()> {
    let target = targeted(client)?;
    let app = target.app(client, &args.name).await?;
    ui.line(format!("Removing env variable {} from app {} in {}...", args.variable, args.name, target.place()))?;
    let env: Value = client.get(&format!("/v3/apps/{}/env", app.guid)).await?;
    if env.pointer("/environment_variables").and_then(|vars| vars.get(&args.variable)).is_none() {
        ui.line(format!("Env variable {} was not set.", args.variable))?;
        return Ok(ui.ok()?);
    }
    let body = json!({"var": {args.variable: null}});
    client.patch::<Value>(&format!("/v3/apps/{}/environment_variables", app.guid), &body).await?;
    ui.ok()?;
    Ok(ui.line(format!("TIP: Use 'virga restage {}' to ensure your env variable changes take effect.", args.name))?)
}
