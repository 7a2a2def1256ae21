//! An app as the manifest that would make it so.

use crate::Result;
use serde_json::{Map, Value, json};
use virga_model::process::{HealthCheck, HealthCheckType};
use virga_store::{
    Connection,
    apps::AppRow,
    processes::{self, ProcessRow},
    route_destinations, routes, service_credential_bindings,
};

/// One entry of `applications`.
///
/// # Errors
/// Those of the database.
pub(super) async fn app(db: &mut Connection, app: &AppRow) -> Result<Map<String, Value>> {
    let mut entry = Map::new();
    let mut put = |key: &str, value: Value| drop(entry.insert(key.to_owned(), value));
    put("name", json!(app.name));
    put("lifecycle", json!("buildpack"));
    if !app.buildpacks.is_empty() {
        put("buildpacks", json!(app.buildpacks));
    }
    put("stack", json!(app.stack));
    if !app.environment.is_empty() {
        put("env", json!(app.environment));
    }
    let mut metadata = Map::new();
    if !app.metadata.labels.is_empty() {
        metadata.insert("labels".to_owned(), json!(app.metadata.labels));
    }
    if !app.metadata.annotations.is_empty() {
        metadata.insert("annotations".to_owned(), json!(app.metadata.annotations));
    }
    if !metadata.is_empty() {
        put("metadata", Value::Object(metadata));
    }
    put("features", crate::apps::features_of(app));
    let mut shown = Vec::new();
    for destination in route_destinations::list_of_app(db, app.guid).await? {
        if let Some(route) = routes::find(db, destination.route).await? {
            let mut entry = json!({ "route": route.url(), "protocol": destination.protocol });
            if let (Some(options), Some(members)) = (route.options, entry.as_object_mut()) {
                members.insert("options".to_owned(), options);
            }
            shown.push(entry);
        }
    }
    if shown.is_empty() {
        put("no-route", json!(true));
    } else {
        put("routes", Value::Array(shown));
    }
    let services = service_credential_bindings::names_of_app(db, app.guid).await?;
    if !services.is_empty() {
        put("services", json!(services));
    }
    put("processes", Value::Array(newest_of_each_type(db, app).await?.iter().map(process).collect()));
    Ok(entry)
}

/// While a deployment runs there are two web processes; the newer one is the app's.
async fn newest_of_each_type(db: &mut Connection, app: &AppRow) -> Result<Vec<ProcessRow>> {
    let mut newest: Vec<ProcessRow> = Vec::new();
    for process in processes::list_of_app(db, app.guid).await? {
        newest.retain(|other| other.process_type != process.process_type);
        newest.push(process);
    }
    newest.sort_by_key(|process| process.process_type != "web");
    Ok(newest)
}

fn process(process: &ProcessRow) -> Value {
    let mut entry = Map::new();
    entry.insert("type".to_owned(), json!(process.process_type));
    if let Some(command) = &process.command {
        entry.insert("command".to_owned(), json!(command));
    }
    entry.insert("instances".to_owned(), json!(process.instances));
    entry.insert("memory".to_owned(), json!(format!("{}M", process.memory_in_mb)));
    entry.insert("disk_quota".to_owned(), json!(format!("{}M", process.disk_in_mb)));
    let rate = match process.log_rate_limit_in_bytes_per_second {
        -1 => json!(-1),
        rate => json!(format!("{rate}B")),
    };
    entry.insert("log-rate-limit-per-second".to_owned(), rate);
    if let Some(timeout) = process.health_check.timeout_seconds {
        entry.insert("timeout".to_owned(), json!(timeout));
    }
    health_check(&mut entry, "health-check", &process.health_check);
    health_check(&mut entry, "readiness-health-check", &process.readiness_health_check);
    Value::Object(entry)
}

fn health_check(entry: &mut Map<String, Value>, prefix: &str, check: &HealthCheck) {
    let mut put = |name: &str, value: Value| drop(entry.insert(format!("{prefix}-{name}"), value));
    put("type", json!(check.kind));
    if check.kind == HealthCheckType::Http {
        put("http-endpoint", json!(check.endpoint.as_deref().unwrap_or("/")));
    }
    if let Some(seconds) = check.invocation_timeout_seconds {
        put("invocation-timeout", json!(seconds));
    }
    if let Some(seconds) = check.interval_seconds {
        put("interval", json!(seconds));
    }
}
