//! What is asked of a JSON schema that a broker gives: small, of a known kind, complete in itself. Whether parameters fit a
//! schema is for clients and brokers to see; Cloud Controller does not look either.

use serde_json::{Map, Value};

const LONGEST_SCHEMA: usize = 64 << 10;

/// Everything that is wrong with a schema.
pub(super) fn problems(schema: &Map<String, Value>) -> Vec<String> {
    if Value::Object(schema.clone()).to_string().len() > LONGEST_SCHEMA {
        return vec!["Must not be larger than 64KB".to_owned()];
    }
    match schema.get("$schema") {
        None | Some(Value::Null) => vec!["Schema must have $schema key but was not present".to_owned()],
        Some(Value::String(kind)) if is_known(kind) => external(&Value::Object(schema.clone())),
        Some(_) => vec!["Custom meta schemas are not supported.".to_owned()],
    }
}

/// A draft of json-schema.org.
fn is_known(kind: &str) -> bool {
    let rest = kind.strip_prefix("http://").or_else(|| kind.strip_prefix("https://")).unwrap_or_default();
    let name = rest.strip_prefix("json-schema.org/").map(|name| name.trim_end_matches('#'));
    name.is_some_and(|name| name == "schema" || name.ends_with("/schema"))
}

/// References that lead out of the schema.
fn external(value: &Value) -> Vec<String> {
    match value {
        Value::Object(object) => {
            let own = object.get("$ref").and_then(Value::as_str).filter(|to| !to.starts_with('#'));
            let own = own.map(|to| format!("No external references are allowed: {to}"));
            own.into_iter().chain(object.values().flat_map(external)).collect()
        }
        Value::Array(values) => values.iter().flat_map(external).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(schema: &Value) -> Vec<String> {
        problems(schema.as_object().unwrap())
    }

    #[test]
    fn schemas_are_small_known_and_complete() {
        let draft = "http://json-schema.org/draft-04/schema#";
        assert!(of(&json!({"$schema": draft, "properties": {"a": {"$ref": "#/definitions/x"}}})).is_empty());
        assert!(of(&json!({"$schema": "https://json-schema.org/draft/2020-12/schema"})).is_empty());
        assert_eq!(of(&json!({"type": "object"})), ["Schema must have $schema key but was not present"]);
        assert_eq!(of(&json!({"$schema": "http://evil.example.com/schema"})), ["Custom meta schemas are not supported."]);
        let outside = of(&json!({"$schema": draft, "items": [{"$ref": "file:///etc/passwd"}]}));
        assert_eq!(outside, ["No external references are allowed: file:///etc/passwd"]);
        assert_eq!(of(&json!({"$schema": draft, "title": "x".repeat(LONGEST_SCHEMA)})), ["Must not be larger than 64KB"]);
    }
}
