//! What an app finds of its bound services in files instead of `VCAP_SERVICES` (Cloud Foundry's RFC 0030). Pure; the controller refuses with it what could not be
//! written, the scheduler puts it into the cells' snapshot.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use thiserror::Error;

/// The app feature that has `VCAP_SERVICES` in one file.
pub const VCAP_FILE_FEATURE: &str = "file-based-vcap-services";
/// The app feature that has a folder for each binding, as the Service Binding Specification for Kubernetes describes them.
pub const BINDING_FOLDERS_FEATURE: &str = "service-binding-k8s";

/// `SERVICE_BINDING_ROOT`.
const ROOT: &str = "/etc/cf-service-bindings";
/// `VCAP_SERVICES_FILE_PATH`.
const VCAP_FILE: &str = "/etc/cf-service-bindings/vcap_services";
/// Of all paths below the root and texts of an app.
const MAX_BYTES: usize = 1_000_000;
/// Of a name of a binding or of a file.
const MAX_NAME: usize = 253;
/// Members whose names have a dash as files.
const DASHED: [&str; 6] = ["binding_guid", "binding_name", "instance_guid", "instance_name", "syslog_drain_url", "volume_mounts"];

/// Why the services of an app cannot be files.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ServiceFilesError {
    /// Of a binding, or of the instance where the binding has none.
    #[error(
        "The binding name '{0}' cannot be that of a folder: with the app feature '{BINDING_FOLDERS_FEATURE}' names have 1 to {MAX_NAME} of \
         the characters a-z, 0-9, '-' and '.'; give the binding another with --binding-name"
    )]
    BindingName(String),
    /// A member of the credentials.
    #[error(
        "The credential '{1}' of the binding '{0}' cannot be a file: with the app feature '{BINDING_FOLDERS_FEATURE}' names have 1 to \
         {MAX_NAME} of the characters a-z, 0-9, '-' and '.'"
    )]
    FileName(String, String),
    /// Two of one app.
    #[error("Two bindings of the app have the name '{0}'; with the app feature '{BINDING_FOLDERS_FEATURE}' each has a folder of its own")]
    Duplicate(String),
    /// Their sum.
    #[error("The services of an app must not exceed {MAX_BYTES} bytes in files; they would have {0}")]
    TooLarge(usize),
}

/// Which way an app with these features asked for.
fn is_on(features: &BTreeMap<String, bool>, name: &str) -> bool {
    features.get(name).copied().unwrap_or(false)
}

/// The variable that an app with these features has in place of `VCAP_SERVICES`.
#[must_use]
pub fn variable(features: &BTreeMap<String, bool>) -> Option<(&'static str, &'static str)> {
    if is_on(features, BINDING_FOLDERS_FEATURE) {
        Some(("SERVICE_BINDING_ROOT", ROOT))
    } else if is_on(features, VCAP_FILE_FEATURE) {
        Some(("VCAP_SERVICES_FILE_PATH", VCAP_FILE))
    } else {
        None
    }
}

/// The files of an app with these features, texts by absolute path; none where it asked for none. `services` is the value of `VCAP_SERVICES`.
///
/// # Errors
/// [`ServiceFilesError`].
pub fn files(features: &BTreeMap<String, bool>, services: &Value) -> Result<BTreeMap<String, String>, ServiceFilesError> {
    if is_on(features, BINDING_FOLDERS_FEATURE) {
        folders(services)
    } else if is_on(features, VCAP_FILE_FEATURE) {
        Ok(BTreeMap::from([(VCAP_FILE.to_owned(), services.to_string())]))
    } else {
        Ok(BTreeMap::new())
    }
}

/// Puts services into files where the app has a feature for it, and says in its environment where they are.
///
/// # Errors
/// As [`files`]; the environment is as it was.
pub fn move_to_files(
    environment: &mut BTreeMap<String, String>,
    features: &BTreeMap<String, bool>,
    services: &Value,
) -> Result<BTreeMap<String, String>, ServiceFilesError> {
    let files = files(features, services)?;
    if let Some((name, path)) = variable(features) {
        environment.remove("VCAP_SERVICES");
        environment.insert(name.to_owned(), path.to_owned());
    }
    Ok(files)
}

fn folders(services: &Value) -> Result<BTreeMap<String, String>, ServiceFilesError> {
    let mut folders: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for binding in services.as_object().into_iter().flat_map(Map::values).filter_map(Value::as_array).flatten().filter_map(Value::as_object)
    {
        let name = binding.get("name").and_then(Value::as_str).unwrap_or_default();
        if !is_name(name) {
            return Err(ServiceFilesError::BindingName(name.to_owned()));
        }
        if folders.insert(name, folder(name, binding)?).is_some() {
            return Err(ServiceFilesError::Duplicate(name.to_owned()));
        }
    }
    let files = folders.into_iter().flat_map(|(name, files)| files.into_iter().map(move |(file, text)| (format!("{name}/{file}"), text)));
    let files: BTreeMap<String, String> = files.collect();
    let bytes = files.iter().map(|(path, text)| path.len() + text.len()).sum();
    if bytes > MAX_BYTES {
        return Err(ServiceFilesError::TooLarge(bytes));
    }
    Ok(files.into_iter().map(|(path, text)| (format!("{ROOT}/{path}"), text)).collect())
}

/// Files of one binding: its credentials, and over them what describes it.
fn folder(name: &str, binding: &Map<String, Value>) -> Result<BTreeMap<String, String>, ServiceFilesError> {
    let mut files = BTreeMap::new();
    for (key, value) in binding.get("credentials").and_then(Value::as_object).into_iter().flatten() {
        if !is_name(key) {
            return Err(ServiceFilesError::FileName(name.to_owned(), key.clone()));
        }
        files.extend(text(value).map(|text| (key.clone(), text)));
    }
    for (key, value) in binding.iter().filter(|(key, _)| *key != "credentials") {
        let file = if DASHED.contains(&key.as_str()) { key.replace('_', "-") } else { key.clone() };
        files.extend(text(value).map(|text| (file, text)));
    }
    for file in ["type", "provider"] {
        files.extend(binding.get("label").and_then(text).map(|label| (file.to_owned(), label)));
    }
    Ok(files)
}

/// A value as a file has it; what is empty has none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Array(values) if values.is_empty() => None,
        Value::Object(members) if members.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    }
}

/// Cloud Foundry's rule but for `.` and `..`, which no file can have.
fn is_name(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_known) && !matches!(name, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn on(feature: &str) -> BTreeMap<String, bool> {
        BTreeMap::from([(feature.to_owned(), true)])
    }

    fn bound(name: &str, credentials: Value) -> Value {
        json!({ "label": "postgres", "name": name, "instance_name": "db", "tags": ["sql"], "volume_mounts": [], "syslog_drain_url": null,
                "credentials": credentials })
    }

    #[test]
    fn a_binding_is_a_folder_in_which_what_describes_it_wins_over_its_credentials() {
        let credentials = json!({ "uri": "postgres://h", "port": 5432, "type": "forged", "label": "forged", "none": null, "options": {} });
        let mut environment = BTreeMap::from([("VCAP_SERVICES".to_owned(), "{}".to_owned())]);
        let services = json!({ "postgres": [bound("db.1", credentials)] });
        let files = move_to_files(&mut environment, &on(BINDING_FOLDERS_FEATURE), &services).unwrap();
        assert_eq!(environment, BTreeMap::from([("SERVICE_BINDING_ROOT".to_owned(), "/etc/cf-service-bindings".to_owned())]));
        let expected = [
            ("instance-name", "db"),
            ("label", "postgres"),
            ("name", "db.1"),
            ("port", "5432"),
            ("provider", "postgres"),
            ("tags", "[\"sql\"]"),
            ("type", "postgres"),
            ("uri", "postgres://h"),
        ];
        assert_eq!(files, expected.iter().map(|(name, text)| (format!("{ROOT}/db.1/{name}"), (*text).to_owned())).collect());
    }

    #[test]
    fn names_that_are_no_files_are_refused_and_the_environment_stays() {
        let refused = |services: Value| {
            let mut environment = BTreeMap::from([("VCAP_SERVICES".to_owned(), "{}".to_owned())]);
            let error = move_to_files(&mut environment, &on(BINDING_FOLDERS_FEATURE), &services).unwrap_err();
            assert_eq!(environment.keys().collect::<Vec<_>>(), ["VCAP_SERVICES"]);
            error
        };
        for name in ["", ".", "..", "../x", "a/b", "My-DB", "a_b", &"a".repeat(254)] {
            assert_eq!(refused(json!({ "x": [bound(name, json!({}))] })), ServiceFilesError::BindingName(name.to_owned()));
            let wrong = refused(json!({ "x": [bound("db", json!({ name: "secret" }))] }));
            assert_eq!(wrong, ServiceFilesError::FileName("db".to_owned(), name.to_owned()));
            assert!(!wrong.to_string().contains("secret"));
        }
        let twice = refused(json!({ "x": [bound("db", json!({}))], "y": [bound("db", json!({}))] }));
        assert_eq!(twice, ServiceFilesError::Duplicate("db".to_owned()));
        let large = refused(json!({ "x": [bound("db", json!({ "text": "x".repeat(MAX_BYTES) }))] }));
        assert!(matches!(large, ServiceFilesError::TooLarge(bytes) if bytes > MAX_BYTES));
    }

    #[test]
    fn one_file_has_what_the_variable_had() {
        let (mut environment, services) = (BTreeMap::from([("VCAP_SERVICES".to_owned(), "{}".to_owned())]), json!({ "x": [] }));
        assert_eq!(move_to_files(&mut environment, &BTreeMap::new(), &services), Ok(BTreeMap::new()));
        assert_eq!(environment.keys().collect::<Vec<_>>(), ["VCAP_SERVICES"]);
        let files = move_to_files(&mut environment, &on(VCAP_FILE_FEATURE), &services).unwrap();
        assert_eq!(files, BTreeMap::from([(VCAP_FILE.to_owned(), services.to_string())]));
        assert_eq!(environment, BTreeMap::from([("VCAP_SERVICES_FILE_PATH".to_owned(), VCAP_FILE.to_owned())]));
    }
}
