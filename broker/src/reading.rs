//! Reading a stranger's JSON, and saying what is wrong with it without repeating what may be a secret.

use crate::{
    error::{BrokerError, BrokerErrorKind},
    exchange::{Answer, Body},
};
use serde_json::{Map, Value};

/// Texts of brokers that are longer than this are cut, bytes.
const LONGEST_TEXT: usize = 16 << 10;
/// And have so much left.
const CUT_TEXT: usize = 8 << 10;
/// What follows then.
const CUT: &str = "...This message has been truncated due to size. To read the full message, check the broker's logs";

/// A broker's text as people may see it: nothing that moves a terminal's cursor, and no more than they can read.
pub(crate) fn shown(text: &str) -> String {
    let cut = if text.len() > LONGEST_TEXT { text.get(..text.floor_char_boundary(CUT_TEXT)).unwrap_or_default() } else { text };
    let shown = cut.chars().map(|letter| if letter.is_control() && letter != '\n' { ' ' } else { letter });
    let end = if cut.len() < text.len() { CUT } else { "" };
    shown.chain(end.chars()).collect()
}

/// The body as a JSON object.
pub(crate) fn object(answer: &Answer) -> Result<Map<String, Value>, BrokerError> {
    match &answer.body {
        Body::Cut(reason) => Err(malformed(answer, &format!("expected valid JSON object in body, but {reason}"))),
        Body::Whole(bytes) => serde_json::from_slice(bytes).map_err(|_| malformed(answer, "expected valid JSON object in body")),
    }
}

/// A field that is a text, null or not there.
pub(crate) fn optional_text(answer: &Answer, body: &Map<String, Value>, name: &str) -> Result<Option<String>, BrokerError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(wrong_type(answer, name, other, "string")),
    }
}

/// A field that is an object, null or not there.
pub(crate) fn optional_object(answer: &Answer, body: &Map<String, Value>, name: &str) -> Result<Option<Map<String, Value>>, BrokerError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object.clone())),
        Some(other) => Err(wrong_type(answer, name, other, "object")),
    }
}

fn wrong_type(answer: &Answer, name: &str, value: &Value, wanted: &str) -> BrokerError {
    let is = type_name(value);
    malformed(answer, &format!("\nThe property '#/{name}' of type {is} did not match the following type: {wanted}"))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The right status, and a body that is not what belongs to it.
pub(crate) fn malformed(answer: &Answer, problem: &str) -> BrokerError {
    let message = format!("The service broker returned an invalid response: {problem}");
    of(answer, BrokerErrorKind::ResponseMalformed, message)
}

/// Another status than those of success. `words` are what the body's `error` may say at 422, `other` is what 409, 410, 422
/// and what is no error status mean here.
pub(crate) fn failure(answer: &Answer, words: &[(&str, BrokerErrorKind)], other: BrokerErrorKind) -> BrokerError {
    let status = answer.status.as_u16();
    let body = object(answer).unwrap_or_default();
    let word = body.get("error").and_then(Value::as_str).filter(|_| status == 422);
    let named = word.and_then(|word| words.iter().find(|(known, _)| *known == word)).map(|(_, kind)| *kind);
    let kind = named.unwrap_or(match status {
        401 => BrokerErrorKind::AuthenticationFailed,
        408 => BrokerErrorKind::Timeout,
        409 | 410 | 422 => other,
        400..=499 => BrokerErrorKind::RequestRejected,
        _ => BrokerErrorKind::BadResponse,
    });
    let description = body.get("description").and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let message = fixed_text(kind).map_or_else(|| own_text(answer, kind, description), str::to_owned);
    of(answer, kind, message)
}

fn of(answer: &Answer, kind: BrokerErrorKind, message: String) -> BrokerError {
    let status = answer.status.as_u16();
    BrokerError { status: Some(status), leaves_orphan: leaves_orphan(status), ..BrokerError::new(kind, message) }
}

/// The protocol's table of orphan mitigation, for answers that are no success.
fn leaves_orphan(status: u16) -> bool {
    // 200 says that it was there before.
    !matches!(status, 200 | 400..=499)
}

/// Cloud Controller's texts that do not depend on what the broker says.
fn fixed_text(kind: BrokerErrorKind) -> Option<&'static str> {
    match kind {
        BrokerErrorKind::AuthenticationFailed => {
            Some("Authentication with the service broker failed. Double-check that the username and password are correct.")
        }
        BrokerErrorKind::Timeout => Some("The request to the service broker timed out"),
        BrokerErrorKind::AsyncRequired => Some("This service plan requires client support for asynchronous service operations."),
        BrokerErrorKind::Concurrency => {
            Some("The service broker could not perform this operation in parallel with other running operations")
        }
        BrokerErrorKind::AppRequired => Some("This service supports generation of credentials through binding an application only."),
        _ => None,
    }
}

fn own_text(answer: &Answer, kind: BrokerErrorKind, description: Option<&str>) -> String {
    if let Some(description) = description {
        return shown(&format!("Service broker error: {description}"));
    }
    match kind {
        BrokerErrorKind::Conflict => "Resource conflict".to_owned(),
        BrokerErrorKind::MaintenanceInfoConflict => "The service broker did not provide a reason for this conflict, please ensure the \
             catalog is up to date and you are providing a version supported by this service plan"
            .to_owned(),
        BrokerErrorKind::RequestRejected => shown(&format!("The service broker rejected the request. {}", said(answer))),
        _ => shown(&format!("The service broker returned an invalid response. {}", said(answer))),
    }
}

/// Status and body. The body of a success is left out: it is where credentials are.
fn said(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    let reason = answer.status.canonical_reason().unwrap_or_default();
    let body = match &answer.body {
        Body::Whole(_) if answer.status.is_success() => return format!("Status Code: {status} {reason}"),
        Body::Whole(bytes) => String::from_utf8_lossy(bytes),
        Body::Cut(reason) => return format!("Status Code: {status}, and {reason}"),
    };
    format!("Status Code: {status} {reason}, Body: {body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_brokers_are_tamed() {
        assert_eq!(shown("a\u{1b}[2Jb\r\n\0c\u{9b}"), "a [2Jb \n c ");
        assert_eq!(shown(&"x".repeat(LONGEST_TEXT)).len(), LONGEST_TEXT);
        let cut = shown(&"ü".repeat(LONGEST_TEXT));
        assert!(cut.ends_with(CUT) && cut.len() == CUT_TEXT + CUT.len(), "{}", cut.len());
    }
}
