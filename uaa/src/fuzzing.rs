//! Parsers of what callers send, for the programs in `uaa/fuzz`. None of them may panic or hang, whatever they are given.

use crate::{scim::filter, tokens, users};
use virga_serve::axum::http::{HeaderMap, HeaderValue, header};

/// A SCIM filter over users. What is accepted must be accepted again in the form it was read from.
pub fn filter(text: &str) {
    let first = filter::parse(text, users::attributes::ATTRIBUTES).ok();
    assert!(first == filter::parse(text, users::attributes::ATTRIBUTES).ok(), "read twice, understood differently");
}

/// A text as the `Authorization` header of a client, and as an assertion.
pub fn credentials(text: &str) {
    tokens::assertion::claimed_issuer(text);
    for encoded in [false, true] {
        let Ok(value) = HeaderValue::from_str(text) else { return };
        let mut headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
        if encoded {
            headers.insert("x-cf-encoded-credentials", HeaderValue::from_static("true"));
        }
        drop(tokens::client::ClientCredentials::of(&headers, None, None));
    }
}
