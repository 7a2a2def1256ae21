//! Parameters of paths, lists and queries.

use crate::list::ListSpec;
use serde_json::{Value, json};

/// Those of a path: guids by their names, an index, else text.
pub(super) fn of_path(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let schema = match name {
            "index" | "version" => json!({ "type": "integer", "minimum": 0 }),
            "name" | "type" => json!({ "type": "string", "minLength": 1, "maxLength": 255 }),
            _ => json!({ "type": "string", "format": "uuid" }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    };
    names.map(parameter).collect()
}

/// Those of a list.
pub(super) fn of_list(spec: &ListSpec) -> Vec<Value> {
    let columns: Vec<String> = spec.columns().flat_map(|column| [column.to_owned(), format!("-{column}"), format!("+{column}")]).collect();
    let mut parameters = vec![
        query("page", &json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX, "default": 1 })),
        query("per_page", &json!({ "type": "integer", "minimum": 1, "maximum": crate::list::MAX_PER_PAGE, "default": 50 })),
        query("order_by", &json!({ "type": "string", "enum": columns })),
        texts("guids"),
    ];
    for times in ["created_ats", "updated_ats"] {
        parameters.push(list(times, &json!({ "type": "string", "format": "date-time", "pattern": TIME })));
        let bounds = ["lt", "lte", "gt", "gte"].map(|bound| format!("{times}[{bound}]"));
        parameters.extend(bounds.map(|name| query(&name, &json!({ "type": "string", "format": "date-time", "pattern": TIME }))));
    }
    parameters.extend(spec.labels.then(|| query("label_selector", &json!({ "type": "string" }))));
    parameters.extend(chosen("include", spec.includes));
    parameters.extend(chosen("embed", spec.embeds));
    parameters.extend(spec.filters.iter().filter(|name| **name != "guids").map(|name| texts(name)));
    parameters
}

/// Whole seconds of UTC.
const TIME: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$";

fn chosen(name: &str, words: &[&str]) -> Option<Value> {
    (!words.is_empty()).then(|| list(name, &json!({ "type": "string", "enum": words })))
}

/// Those of a query that is read as one struct.
pub(super) fn of_query(schema: &Value) -> Vec<Value> {
    let Some(members) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let required = |name: &str| schema.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|n| n == name));
    members
        .iter()
        .map(|(name, schema)| {
            // A query has no null: what may be null may be left out.
            let schema = schema.pointer("/anyOf/0").unwrap_or(schema);
            json!({ "name": name, "in": "query", "required": required(name), "schema": schema })
        })
        .collect()
}

fn query(name: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "query", "schema": schema })
}

fn texts(name: &str) -> Value {
    list(name, &json!({ "type": "string" }))
}

/// Values with commas between them.
fn list(name: &str, item: &Value) -> Value {
    json!({ "name": name, "in": "query", "style": "form", "explode": false, "schema": { "type": "array", "items": item } })
}
