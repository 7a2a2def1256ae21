//! The environment of an app instance: what the buildpack adds, over it what the app has, over it what the cell knows of
//! this instance.

use std::collections::BTreeMap;
use virga_contract::cell::{CellInstance, CellProcess};

/// The port in `$PORT`, on which a server listens. Nothing listens there for HTTP components; software written for Cloud Foundry
/// reads it anyway.
pub const PORT: u16 = 8080;
/// The address instances see themselves at; they have no network of their own.
const ADDRESS: &str = "127.0.0.1";

/// Names that a task has no use for: nobody calls it.
const OF_PORTS: &[&str] = &["PORT", "VCAP_APP_HOST", "VCAP_APP_PORT", "CF_INSTANCE_PORT", "CF_INSTANCE_ADDR", "CF_INSTANCE_PORTS"];

/// Environment of a task, sorted by name.
#[must_use]
pub fn of_task(process: &CellProcess, instance: &CellInstance, buildpack: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut environment = environment(process, instance, buildpack);
    environment.retain(|(name, _)| !OF_PORTS.contains(&name.as_str()));
    environment
}

/// Environment of one instance, sorted by name.
#[must_use]
pub fn environment(process: &CellProcess, instance: &CellInstance, buildpack: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut environment = buildpack.clone();
    environment.extend(process.environment.iter().map(|(name, value)| (name.clone(), value.clone())));
    let guid = instance.guid.to_string();
    let index = instance.index.to_string();
    let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
    set("PORT", PORT.to_string());
    set("VCAP_APP_HOST", "0.0.0.0".into());
    set("VCAP_APP_PORT", PORT.to_string());
    set("CF_INSTANCE_GUID", guid.clone());
    set("CF_INSTANCE_INDEX", index.clone());
    set("CF_INSTANCE_IP", ADDRESS.into());
    set("CF_INSTANCE_INTERNAL_IP", ADDRESS.into());
    set("CF_INSTANCE_PORT", PORT.to_string());
    set("CF_INSTANCE_ADDR", format!("{ADDRESS}:{PORT}"));
    set("CF_INSTANCE_PORTS", serde_json::json!([{"external": PORT, "internal": PORT}]).to_string());
    set("INSTANCE_GUID", guid.clone());
    set("INSTANCE_INDEX", index);
    set("MEMORY_LIMIT", format!("{}m", process.memory_mb));
    if let Some(application) = environment.get_mut("VCAP_APPLICATION") {
        *application = with_instance(application, &guid, instance.index);
    }
    environment.into_iter().collect()
}

/// `VCAP_APPLICATION` with the fields that differ per instance; anything but an object is left as it is.
fn with_instance(application: &str, guid: &str, index: u32) -> String {
    let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_str(application) else {
        return application.to_owned();
    };
    fields.insert("instance_id".into(), guid.into());
    fields.insert("instance_index".into(), index.into());
    fields.insert("host".into(), "0.0.0.0".into());
    fields.insert("port".into(), PORT.into());
    serde_json::Value::Object(fields).to_string()
}
