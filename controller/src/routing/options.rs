//! Options of a route: how requests are spread over its instances.

use crate::{Result, request::is_enabled};
use serde_json::{Map, Value};
use virga_contract::ApiError;
use virga_store::Connection;

/// Most characters of the name of a header to hash by.
const MAX_HEADER_CHARS: usize = 128;
/// Most characters of a balance factor.
const MAX_BALANCE_CHARS: usize = 16;

/// Passes for options that a route may be asked to have; `null` stands for one that is to go.
///
/// # Errors
/// 422 with Cloud Foundry's sentences.
pub(crate) async fn check_options(db: &mut Connection, options: Option<Value>) -> Result<Map<String, Value>> {
    let options = match options {
        None | Some(Value::Null) => return Ok(Map::new()),
        Some(Value::Object(options)) => options,
        Some(_) => return Err(ApiError::unprocessable("'options' is not a valid object").into()),
    };
    let can_hash = is_enabled(db, "hash_based_routing").await?;
    let wrong = wrong_with(&options, can_hash);
    if wrong.is_empty() {
        return Ok(options);
    }
    Err(ApiError::unprocessable_all(wrong.into_iter().map(|what| format!("Options {what}")).collect()).into())
}

fn wrong_with(options: &Map<String, Value>, can_hash: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let known: &[&str] = if can_hash { &["loadbalancing", "hash_header", "hash_balance"] } else { &["loadbalancing"] };
    let unknown: Vec<&str> = options.keys().map(String::as_str).filter(|name| !known.contains(name)).collect();
    if !unknown.is_empty() {
        wrong.push(format!("Unknown field(s): '{}'", unknown.join("', '")));
    }
    let algorithms: &[&str] = if can_hash { &["round-robin", "least-connection", "hash"] } else { &["round-robin", "least-connection"] };
    let algorithm = given(options, "loadbalancing");
    if algorithm.is_some_and(|value| !value.as_str().is_some_and(|value| algorithms.contains(&value))) {
        wrong.push(format!("Loadbalancing must be one of '{}' if present", algorithms.join(", ")));
    }
    if !can_hash {
        return wrong;
    }
    let (header, balance) = (given(options, "hash_header"), given(options, "hash_balance"));
    match header.map(Value::as_str) {
        Some(Some(name)) if name.chars().count() > MAX_HEADER_CHARS => {
            wrong.push(format!("Hash header must be at most {MAX_HEADER_CHARS} characters"));
        }
        Some(Some(name)) if http::HeaderName::try_from(name).is_err() => wrong.push("Hash header must be the name of a header".to_owned()),
        Some(None) => wrong.push("Hash header must be a string".to_owned()),
        _ => {}
    }
    wrong.extend(balance.and_then(|value| balance_of(value).err()).map(|what| format!("Hash balance {what}")));
    if algorithm.is_some_and(|value| value != "hash") {
        wrong.extend(header.map(|_| "Hash header can only be set when loadbalancing is hash".to_owned()));
        wrong.extend(balance.map(|_| "Hash balance can only be set when loadbalancing is hash".to_owned()));
    }
    wrong
}

/// What an option says, where it says anything.
fn given<'a>(options: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    options.get(name).filter(|value| !value.is_null() && value.as_str() != Some(""))
}

/// A balance factor, or what is wrong with it.
fn balance_of(value: &Value) -> Result<f64, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err("must be a numeric value".to_owned()),
    };
    if text.chars().count() > MAX_BALANCE_CHARS {
        return Err(format!("must be at most {MAX_BALANCE_CHARS} characters"));
    }
    let factor: f64 = text.trim().parse().map_err(|_| "must be a numeric value".to_owned())?;
    if factor == 0.0 || (1.1..=10.0).contains(&factor) {
        return Ok(factor);
    }
    Err("must be either 0 or between 1.1 and 10.0".to_owned())
}

/// The options a route has after a change by checked ones, as they are kept: nothing for what was `null`, the balance as a
/// text with one decimal, and none of hashing's options without hashing.
///
/// # Errors
/// 422 for hashing without a header.
pub(crate) fn changed_options(present: Option<Value>, change: Map<String, Value>) -> Result<Option<Value>> {
    let mut options = match present {
        Some(Value::Object(options)) => options,
        _ => Map::new(),
    };
    options.extend(change);
    let names: Vec<String> = options.keys().cloned().collect();
    for name in names {
        if given(&options, &name).is_none() {
            options.shift_remove(&name);
        }
    }
    if options.get("loadbalancing").is_some_and(|value| value == "hash") {
        if !options.contains_key("hash_header") {
            return Err(ApiError::unprocessable("Hash header must be present when loadbalancing is set to hash.").into());
        }
    } else {
        options.shift_remove("hash_header");
        options.shift_remove("hash_balance");
    }
    if let Some(factor) = options.get("hash_balance").and_then(|value| balance_of(value).ok()) {
        options.insert("hash_balance".to_owned(), Value::String(format!("{factor:.1}")));
    }
    Ok((!options.is_empty()).then_some(Value::Object(options)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong(options: &Value, can_hash: bool) -> Vec<String> {
        wrong_with(options.as_object().unwrap(), can_hash)
    }

    #[test]
    fn hashing_is_an_option_only_where_its_flag_is_on() {
        let hash = json!({ "loadbalancing": "hash", "hash_header": "X-User", "hash_balance": "1.25" });
        assert_eq!(wrong(&hash, true), Vec::<String>::new());
        assert_eq!(
            wrong(&hash, false),
            ["Unknown field(s): 'hash_header', 'hash_balance'", "Loadbalancing must be one of 'round-robin, least-connection' if present"]
        );
        assert_eq!(wrong(&json!({ "loadbalancing": null }), false), Vec::<String>::new());
        for (options, what) in [
            (json!({ "hash_header": "a".repeat(129) }), "Hash header must be at most 128 characters"),
            (json!({ "hash_header": "a b" }), "Hash header must be the name of a header"),
            (json!({ "hash_balance": "many" }), "Hash balance must be a numeric value"),
            (json!({ "hash_balance": 1.05 }), "Hash balance must be either 0 or between 1.1 and 10.0"),
            (json!({ "hash_balance": "NaN" }), "Hash balance must be either 0 or between 1.1 and 10.0"),
            (json!({ "loadbalancing": "round-robin", "hash_header": "a" }), "Hash header can only be set when loadbalancing is hash"),
        ] {
            assert_eq!(wrong(&options, true), [what]);
        }
    }

    #[test]
    fn what_is_kept_is_what_has_an_effect() {
        let changed = |present: Value, change: Value| changed_options(Some(present), change.as_object().unwrap().clone()).unwrap();
        let hash = json!({ "loadbalancing": "hash", "hash_header": "X-User", "hash_balance": "2.0" });
        let made = changed(Value::Null, json!({ "loadbalancing": "hash", "hash_header": "X-User", "hash_balance": 1.96 }));
        assert_eq!(made, Some(hash.clone()));
        assert_eq!(
            changed(hash.clone(), json!({ "hash_balance": null })),
            Some(json!({ "loadbalancing": "hash", "hash_header": "X-User" }))
        );
        assert_eq!(changed(hash.clone(), json!({ "loadbalancing": "round-robin" })), Some(json!({ "loadbalancing": "round-robin" })));
        assert_eq!(changed(hash.clone(), json!({ "loadbalancing": null })), None);
        assert!(changed_options(Some(hash), json!({ "hash_header": null }).as_object().unwrap().clone()).is_err());
    }
}
