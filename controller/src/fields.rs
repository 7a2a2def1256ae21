//! `fields[…]`: pieces of other resources, beside a resource or a page of them.

use crate::Result;
use serde_json::{Map, Value};
use virga_contract::{ApiError, ErrorCode};

/// The fields that a parameter asked for, where it was given.
///
/// # Errors
/// 400 for a field that is none.
pub(crate) fn checked(parameter: &str, asked: Option<Vec<String>>, valid: &[&str]) -> Result<Option<Vec<String>>> {
    if asked.iter().flatten().any(|field| !valid.contains(&field.as_str())) {
        let valid: Vec<String> = valid.iter().map(|field| format!("'{field}'")).collect();
        let detail = format!("The query parameter is invalid: Fields valid values for '{parameter}' are: {}", valid.join(", "));
        return Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into());
    }
    Ok(asked)
}

/// The value of a parameter of a single resource as its fields.
pub(crate) fn split(value: Option<&String>) -> Option<Vec<String>> {
    value.map(|value| value.split(',').map(str::to_owned).collect())
}

/// The members that were asked for, such as `name` or `relationships.space`.
pub(crate) fn cut(wanted: &[String], resource: &Value) -> Value {
    let mut piece = Map::new();
    for field in wanted {
        match field.split_once('.') {
            None => drop(piece.insert(field.clone(), resource.get(field).cloned().unwrap_or_default())),
            Some((outer, inner)) => {
                let found = resource.get(outer).and_then(|outer| outer.get(inner)).cloned().unwrap_or_default();
                if let Value::Object(outer) = piece.entry(outer).or_insert_with(|| Value::Object(Map::new())) {
                    outer.insert(inner.to_owned(), found);
                }
            }
        }
    }
    Value::Object(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_piece_has_what_was_asked_for_and_nothing_else() {
        let whole = json!({ "guid": "g", "name": "n", "relationships": { "a": 1, "b": 2 } });
        assert_eq!(cut(&["name".to_owned(), "relationships.b".to_owned()], &whole), json!({ "name": "n", "relationships": { "b": 2 } }));
        assert!(
            checked("fields[x]", Some(vec!["secret".to_owned()]), &["guid", "name"]).unwrap_err().to_string().contains("'guid', 'name'")
        );
    }
}
