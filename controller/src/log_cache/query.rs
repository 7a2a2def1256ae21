//! The query of a read, as the Go client writes it.

use crate::Result;
use url::form_urlencoded;
use virga_contract::{ApiError, ErrorCode, logs::ReadQuery};

const MAX_LIMIT: usize = 1_000;
const DEFAULT_LIMIT: usize = 100;

/// The query; names that are not known are ignored, as the log cache does.
///
/// # Errors
/// 500 for values out of bounds, which is what the log cache's gateway answers.
pub(super) fn parse(text: &str) -> Result<ReadQuery> {
    let mut query =
        ReadQuery { start_ns: 0, end_ns: None, envelope_types: Vec::new(), limit: DEFAULT_LIMIT, descending: false, name_filter: None };
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        match name.as_ref() {
            "start_time" => query.start_ns = number(&name, &value)?,
            "end_time" => query.end_ns = Some(number(&name, &value)?),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                query.limit = limit.ok_or_else(|| invalid(&format!("limit must be between 1 and {MAX_LIMIT}")))?;
            }
            "descending" => query.descending = matches!(value.as_ref(), "true" | "1"),
            // ANY among others makes them all.
            "envelope_types" if value != "ANY" => query.envelope_types.push(value.into_owned()),
            "name_filter" if !value.is_empty() => query.name_filter = Some(value.into_owned()),
            _ => {}
        }
    }
    if query.end_ns.is_some_and(|end| query.start_ns >= end) {
        return Err(invalid("start_time must be before end_time").into());
    }
    Ok(query)
}

fn number(name: &str, value: &str) -> Result<i64> {
    Ok(value.parse().map_err(|_| invalid(&format!("{name} must be a number of nanoseconds")))?)
}

/// A query that cannot be answered.
pub(super) fn invalid(detail: &str) -> ApiError {
    let mut error = ApiError::new(ErrorCode::ServerError, detail);
    error.context = Some("a query of the log cache that cannot be answered".to_owned());
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clis_queries_are_understood() {
        let recent = parse("descending=true&envelope_types=LOG&limit=1000&start_time=-6795364578871345152").unwrap();
        assert!(recent.descending && recent.start_ns < 0);
        assert_eq!((recent.limit, recent.envelope_types.as_slice()), (1000, &["LOG".to_owned()][..]));
        let unknown = parse("envelope_type=LOG").unwrap();
        assert_eq!((unknown.limit, unknown.envelope_types.len()), (100, 0));
    }

    #[test]
    fn what_cannot_be_answered_is_an_error() {
        for bad in ["limit=0", "limit=1001", "limit=x", "start_time=now", "start_time=5&end_time=5"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
