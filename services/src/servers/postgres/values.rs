//! Values between JSON and PostgreSQL. What is sent goes as text, which every type of PostgreSQL reads; what comes is what the type is closest to in JSON.

use crate::error::DataError;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::BytesMut;
use serde_json::{Map, Value, json};
use std::{error::Error, fmt::Write as _};
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

/// A value in PostgreSQL's own spelling.
#[derive(Debug)]
pub(super) struct Text(Option<String>);

impl ToSql for Text {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A guest's value as PostgreSQL reads it for this type. Bytes are `{"$base64": "…"}`; lists become arrays; for `json` and `jsonb`, everything is itself.
///
/// # Errors
/// 400 for an object or a list where the type has none.
pub(super) fn given(value: &Value, kind: &Type) -> Result<Text, DataError> {
    let wrong = || DataError::bad(format!("this is no value for the type {kind}: {value}"));
    Ok(Text(match value {
        Value::Null => None,
        value if matches!(*kind, Type::JSON | Type::JSONB) => Some(value.to_string()),
        Value::Array(members) if matches!(kind.kind(), Kind::Array(_)) => Some(array(members).ok_or_else(wrong)?),
        Value::Object(object) => Some(bytes(object).ok_or_else(wrong)?),
        Value::Array(_) => return Err(wrong()),
        value => scalar(value),
    }))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Object(object) => bytes(object),
        Value::Null | Value::Array(_) => None,
    }
}

/// `bytea` in its hexadecimal spelling.
fn bytes(object: &Map<String, Value>) -> Option<String> {
    let encoded = object.get("$base64").filter(|_| object.len() == 1)?.as_str()?;
    let mut text = "\\x".to_owned();
    for byte in BASE64_STANDARD.decode(encoded).ok()? {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

/// An array's spelling: every member quoted, so that none is taken for a brace, a comma or NULL.
fn array(members: &[Value]) -> Option<String> {
    let mut text = "{".to_owned();
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        match member {
            Value::Null => text.push_str("NULL"),
            Value::Array(inner) => text.push_str(&array(inner)?),
            member => {
                let quoted = scalar(member)?.replace('\\', "\\\\").replace('"', "\\\"");
                text.push('"');
                text.push_str(&quoted);
                text.push('"');
            }
        }
    }
    text.push('}');
    Some(text)
}

/// A value of PostgreSQL as guests read it.
#[derive(Debug)]
pub(super) struct Shown(pub Value);

impl<'a> FromSql<'a> for Shown {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let text = || Ok::<_, Box<dyn Error + Sync + Send>>(json!(std::str::from_utf8(raw)?));
        let shown = match kind.kind() {
            Kind::Array(_) => {
                let members = Vec::<Option<Self>>::from_sql(kind, raw)?;
                members.into_iter().map(|member| member.map_or(Value::Null, |shown| shown.0)).collect()
            }
            Kind::Domain(inner) => return Self::from_sql(inner, raw),
            Kind::Enum(_) => text()?,
            _ => match *kind {
                Type::BOOL => json!(bool::from_sql(kind, raw)?),
                Type::INT2 => json!(i16::from_sql(kind, raw)?),
                Type::INT4 => json!(i32::from_sql(kind, raw)?),
                Type::INT8 => json!(i64::from_sql(kind, raw)?),
                Type::OID => json!(u32::from_sql(kind, raw)?),
                Type::FLOAT4 => real(f32::from_sql(kind, raw)?.into()),
                Type::FLOAT8 => real(f64::from_sql(kind, raw)?),
                Type::NUMERIC => json!(numeric(raw)?),
                Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => text()?,
                Type::VOID => Value::Null,
                Type::UUID => json!(uuid::Uuid::from_sql(kind, raw)?.to_string()),
                Type::JSON | Type::JSONB => Value::from_sql(kind, raw)?,
                Type::BYTEA => json!({ "$base64": BASE64_STANDARD.encode(raw) }),
                Type::DATE => json!(jiff::civil::Date::from_sql(kind, raw)?.to_string()),
                Type::TIME => json!(jiff::civil::Time::from_sql(kind, raw)?.to_string()),
                Type::TIMESTAMP => json!(jiff::civil::DateTime::from_sql(kind, raw)?.to_string()),
                Type::TIMESTAMPTZ => json!(jiff::Timestamp::from_sql(kind, raw)?.to_string()),
                _ => return Err(format!("values of the type {kind} are not shown as they are: write CAST(… AS text)").into()),
            },
        };
        Ok(Self(shown))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// JSON has no name for what is no number.
fn real(number: f64) -> Value {
    if number.is_finite() { json!(number) } else { json!(number.to_string()) }
}

/// `numeric`, whose digits a JSON number would lose: groups of four decimal digits, as PostgreSQL's `numeric_send` writes them.
fn numeric(raw: &[u8]) -> Result<String, Box<dyn Error + Sync + Send>> {
    const NEGATIVE: i16 = 0x4000;
    const SPECIAL: &[(u16, &str)] = &[(0xC000, "NaN"), (0xD000, "Infinity"), (0xF000, "-Infinity")];
    let words: Vec<i16> = raw.as_chunks::<2>().0.iter().map(|pair| i16::from_be_bytes(*pair)).collect();
    let [count, weight, sign, scale, digits @ ..] = words.as_slice() else { return Err("a numeric of no length".into()) };
    if let Some((_, name)) = SPECIAL.iter().find(|(word, _)| *word == sign.cast_unsigned()) {
        return Ok((*name).to_owned());
    }
    if usize::try_from(*count) != Ok(digits.len()) {
        return Err("a numeric of another length than it says".into());
    }
    let group = |at: i32| usize::try_from(at).ok().and_then(|at| digits.get(at)).copied().unwrap_or(0);
    let mut text = if *sign == NEGATIVE { "-".to_owned() } else { String::new() };
    let weight = i32::from(*weight);
    if weight < 0 {
        text.push('0');
    }
    for at in 0..=weight {
        // The first group has no zeros before it.
        let digits = group(at);
        let _ = if at == 0 { write!(text, "{digits}") } else { write!(text, "{digits:04}") };
    }
    let scale = usize::try_from(*scale)?;
    if scale > 0 {
        let mut fraction = String::new();
        let mut at = weight + 1;
        while fraction.len() < scale {
            // Groups before the first are zeros that are not sent.
            let _ = write!(fraction, "{:04}", group(at));
            at += 1;
        }
        fraction.truncate(scale);
        text.push('.');
        text.push_str(&fraction);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_spelt_as_postgresql_reads_them() {
        let spelt = |value: Value, kind: &Type| given(&value, kind).map(|text| text.0);
        assert_eq!(spelt(json!(1.5), &Type::FLOAT8).unwrap().as_deref(), Some("1.5"));
        assert_eq!(spelt(json!({ "$base64": "AP8=" }), &Type::BYTEA).unwrap().as_deref(), Some("\\x00ff"));
        assert_eq!(spelt(json!({ "a": [1] }), &Type::JSONB).unwrap().as_deref(), Some(r#"{"a":[1]}"#));
        assert_eq!(spelt(json!([1, null, "a\"\\,{"]), &Type::TEXT_ARRAY).unwrap().as_deref(), Some(r#"{"1",NULL,"a\"\\,{"}"#));
        assert_eq!(spelt(Value::Null, &Type::JSONB).unwrap(), None);
        assert!(spelt(json!([1]), &Type::INT4).is_err() && spelt(json!({ "a": 1 }), &Type::TEXT).is_err());
    }
}
