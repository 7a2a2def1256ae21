//! `config`: the values that the instance was given, as they are now.

use super::{Bound, Whole};
use crate::{catalog::Kind, error::DataError};
use serde_json::{Value, json};
use virga_serve::axum::{Json, extract::Path};

/// `GET /v1/values`: all of them, as one object.
pub(crate) async fn list(bound: Bound, _: Whole) -> Result<Json<Value>, DataError> {
    let bound = bound.of(Kind::Config)?;
    Ok(Json(bound.instance.parameters.get("values").cloned().unwrap_or_else(|| json!({}))))
}

/// `GET /v1/values/{name}`: one of them, as text.
pub(crate) async fn get(bound: Bound, Path((_, name)): Path<(String, String)>, _: Whole) -> Result<String, DataError> {
    let bound = bound.of(Kind::Config)?;
    let value = bound.instance.parameters.get("values").and_then(|values| values.get(&name)).and_then(Value::as_str);
    Ok(value.ok_or_else(|| DataError::not_found(format!("there is no value \"{name}\"")))?.to_owned())
}
