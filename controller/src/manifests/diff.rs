//! What a manifest would change, as the list of operations that `cf push` prints.

use serde_json::{Map, Value, json};
use virga_model::size::parse_megabytes;

/// Keys that say how to push, not what the app should be.
const NOT_COMPARED: [&str; 6] = ["name", "path", "default-route", "random-route", "no-route", "services"];
/// Keys of an app that belong to its `web` process.
const WEB_KEYS: [&str; 14] = [
    "command",
    "disk_quota",
    "log-rate-limit-per-second",
    "health-check-type",
    "health-check-http-endpoint",
    "health-check-invocation-timeout",
    "health-check-interval",
    "readiness-health-check-type",
    "readiness-health-check-http-endpoint",
    "readiness-health-check-invocation-timeout",
    "readiness-health-check-interval",
    "instances",
    "memory",
    "timeout",
];

/// The operations that lead from `current` (the app's own manifest; `None` for a new app) to `wanted`.
#[must_use]
pub fn of_app(index: usize, wanted: &Map<String, Value>, current: Option<&Map<String, Value>>) -> Vec<Value> {
    let path = format!("/applications/{index}");
    let Some(current) = current else {
        return vec![json!({"op": "add", "path": path, "value": wanted})];
    };
    let current = with_web_keys(current);
    let mut operations = Vec::new();
    for (key, value) in wanted {
        let key = if key == "disk-quota" { "disk_quota" } else { key.as_str() };
        if !NOT_COMPARED.contains(&key) {
            compare(&format!("{path}/{}", escape(key)), key, current.get(key), value, &mut operations);
        }
    }
    operations
}

fn with_web_keys(current: &Map<String, Value>) -> Map<String, Value> {
    let mut all = current.clone();
    let processes = current.get("processes").and_then(Value::as_array).into_iter().flatten();
    let web = processes.filter_map(Value::as_object).find(|process| process.get("type") == Some(&json!("web")));
    for key in WEB_KEYS {
        if let Some(value) = web.and_then(|web| web.get(key)) {
            all.insert(key.to_owned(), value.clone());
        }
    }
    all
}

fn compare(path: &str, key: &str, current: Option<&Value>, wanted: &Value, operations: &mut Vec<Value>) {
    match (current, wanted) {
        (None, Value::Null) => {}
        (None, _) => operations.push(json!({"op": "add", "path": path, "value": wanted})),
        (Some(was), Value::Null) if matches!(key, "command" | "buildpack" | "stack") => {
            operations.push(json!({"op": "remove", "path": path, "was": was}));
        }
        (Some(Value::Object(was)), Value::Object(wanted)) => {
            for (name, value) in wanted {
                compare(&format!("{path}/{}", escape(name)), name, was.get(name), value, operations);
            }
        }
        (Some(Value::Array(was)), Value::Array(wanted)) => compare_lists(path, was, wanted, operations),
        (Some(was), _) if alike(key, was, wanted) => {}
        (Some(was), _) => operations.push(json!({"op": "replace", "path": path, "was": was, "value": wanted})),
    }
}

/// Entries are matched by what names them (type of a process, route, name), not by their place.
fn compare_lists(path: &str, was: &[Value], wanted: &[Value], operations: &mut Vec<Value>) {
    let name = |value: &Value| ["type", "route", "name"].iter().find_map(|key| value.get(key).cloned()).unwrap_or_else(|| value.clone());
    for (index, value) in wanted.iter().enumerate() {
        let path = format!("{path}/{index}");
        match was.iter().find(|old| name(old) == name(value)) {
            None => operations.push(json!({"op": "add", "path": path, "value": value})),
            Some(old) if old.is_object() => compare(&path, "", Some(old), value, operations),
            Some(_) => {}
        }
    }
}

fn alike(key: &str, was: &Value, wanted: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (was, wanted) = (text(was), text(wanted));
    if matches!(key, "memory" | "disk_quota") {
        return parse_megabytes(&was).is_ok_and(|size| parse_megabytes(&wanted) == Ok(size));
    }
    was == wanted || (key.ends_with("health-check-type") && was == "process" && wanted == "none")
}

/// A key as a part of a JSON pointer (RFC 6901).
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_new_app_is_added_whole() {
        let wanted = object(json!({"name": "a", "memory": "64M"}));
        assert_eq!(of_app(1, &wanted, None), [json!({"op": "add", "path": "/applications/1", "value": wanted})]);
    }

    #[test]
    fn only_what_differs_is_listed() {
        let current = object(json!({
            "name": "a", "env": {"A": "1", "B": "2"},
            "routes": [{"route": "a.x", "protocol": "http1"}],
            "processes": [{"type": "web", "instances": 1, "memory": "1024M", "health-check-type": "process"}],
        }));
        let wanted = object(json!({
            "name": "a", "default-route": true, "memory": "1G", "instances": 2, "health-check-type": "none", "env": {"A": 1, "C/D": "3"},
            "routes": [{"route": "b.x"}, {"route": "a.x"}],
            "processes": [{"type": "worker"}, {"type": "web", "instances": 1}],
        }));
        assert_eq!(
            of_app(0, &wanted, Some(&current)),
            [
                json!({"op": "replace", "path": "/applications/0/instances", "was": 1, "value": 2}),
                json!({"op": "add", "path": "/applications/0/env/C~1D", "value": "3"}),
                json!({"op": "add", "path": "/applications/0/routes/0", "value": {"route": "b.x"}}),
                json!({"op": "add", "path": "/applications/0/processes/0", "value": {"type": "worker"}}),
            ]
        );
    }
}
