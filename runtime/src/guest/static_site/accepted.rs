//! `Accept-Encoding` (RFC 9110, section 12.5.3).

use http::{HeaderMap, header};
use virga_model::droplet::Compression;

/// Whether the client takes this form.
pub fn takes(headers: &HeaderMap, form: Compression) -> bool {
    let named = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let is_refused = weight.trim().strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case(form.as_str()) && !is_refused
    })
}

/// How the name of such a file ends.
pub fn ending(form: Compression) -> &'static str {
    match form {
        Compression::Brotli => "br",
        Compression::Gzip => "gz",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_taken_where_it_is_named_and_not_refused() {
        let of = |value: &str| HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]);
        assert!(takes(&of("gzip, deflate, br"), Compression::Brotli) && takes(&of("x, GZIP;q=0.5"), Compression::Gzip));
        for value in ["", "identity", "gzip;q=0", "gzip;q=0.000", "*"] {
            assert!(!takes(&of(value), Compression::Gzip), "{value}");
        }
    }
}
