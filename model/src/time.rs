//! Time as the API writes it.

use jiff::Timestamp;

/// `YYYY-MM-DDThh:mm:ssZ`, the one form in which the v3 API writes times (whole seconds, UTC).
#[must_use]
pub fn api_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time a caller wrote in exactly the API's form; `None` for any other.
#[must_use]
pub fn parse_api_time(text: &str) -> Option<Timestamp> {
    let time: Timestamp = text.parse().ok()?;
    (api_time(time) == text).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_apis_own_form_is_a_time() {
        let time = parse_api_time("2026-01-02T03:04:05Z");
        assert_eq!(time.map(api_time).as_deref(), Some("2026-01-02T03:04:05Z"));
        assert_eq!(parse_api_time("2026-01-02T03:04:05.5Z"), None);
        assert_eq!(parse_api_time("2026-01-02"), None);
    }
}
