//! Identifiers of a request: `X-Vcap-Request-Id`, Zipkin's B3 headers and W3C trace context, as gorouter gives them.
//!
//! All texts of one request are slices of one buffer: one allocation instead of eight.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use rand::Rng as _;

/// Always fresh; the client's is dropped.
pub(crate) const X_VCAP_REQUEST_ID: HeaderName = HeaderName::from_static("x-vcap-request-id");
const X_B3_TRACE_ID: HeaderName = HeaderName::from_static("x-b3-traceid");
const X_B3_SPAN_ID: HeaderName = HeaderName::from_static("x-b3-spanid");
const B3: HeaderName = HeaderName::from_static("b3");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Bytes of `tracestate` that must be carried on (W3C Trace Context, section 3.3.1.5).
const MAX_TRACESTATE_BYTES: usize = 512;

/// Fresh identifiers for one request.
pub(crate) struct Ids {
    /// `X-Vcap-Request-Id`.
    pub(crate) request_id: HeaderValue,
    /// `<request id><trace id>-<span id>` as hexadecimal text.
    text: Bytes,
}

const REQUEST_ID: std::ops::Range<usize> = 0..36;
const TRACE_ID: std::ops::Range<usize> = 36..68;
const B3_TEXT: std::ops::Range<usize> = 36..85;
const SPAN_ID: std::ops::Range<usize> = 69..85;
const TRACEPARENT_TEXT: std::ops::Range<usize> = 85..140;
const TRACESTATE_TEXT: std::ops::Range<usize> = 140..165;
const TEXT_BYTES: usize = 165;

impl Ids {
    /// New ones, from the thread's cryptographic generator: request ids must not be guessable.
    pub(crate) fn fresh() -> Self {
        let mut bits = [0; 24];
        rand::rng().fill_bytes(&mut bits);
        let (id, span) = bits.split_at(16);
        let id = uuid::Builder::from_random_bytes(id.try_into().unwrap_or_default()).into_uuid();
        let span = u64::from_ne_bytes(span.try_into().unwrap_or_default());
        let (mut hyphenated, mut simple, span) = ([0; 36], [0; 32], hex(span));
        id.hyphenated().encode_lower(&mut hyphenated);
        id.simple().encode_lower(&mut simple);
        let parts: [&[u8]; 11] = [&hyphenated, &simple, b"-", &span, b"00-", &simple, b"-", &span, b"-01", b"gorouter=", &span];
        let mut text = [0; TEXT_BYTES];
        let mut rest = &mut text[..];
        for part in parts {
            // Cannot fail: the parts are as long as the text.
            let _ = std::io::Write::write_all(&mut rest, part);
        }
        let text = Bytes::from_owner(text);
        Self { request_id: value(text.slice(REQUEST_ID)), text }
    }

    /// Puts the identifiers into a request. Traces that the client began (`has_trace`) go on under its ids.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap, has_trace: bool) {
        headers.insert(X_VCAP_REQUEST_ID, self.request_id.clone());
        if has_trace {
            self.continue_b3(headers);
            self.continue_w3c(headers);
        } else {
            self.begin_b3(headers);
            self.begin_w3c(headers);
        }
    }

    fn begin_b3(&self, headers: &mut HeaderMap) {
        headers.insert(X_B3_TRACE_ID, value(self.text.slice(TRACE_ID)));
        headers.insert(X_B3_SPAN_ID, value(self.text.slice(SPAN_ID)));
        headers.insert(B3, value(self.text.slice(B3_TEXT)));
    }

    fn begin_w3c(&self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, value(self.text.slice(TRACEPARENT_TEXT)));
        headers.insert(TRACESTATE, value(self.text.slice(TRACESTATE_TEXT)));
    }

    fn continue_b3(&self, headers: &mut HeaderMap) {
        let given = match (headers.get(&X_B3_TRACE_ID), headers.get(&X_B3_SPAN_ID)) {
            (Some(trace), Some(span)) => Some([trace.as_bytes(), b"-", span.as_bytes()].concat()),
            _ => None,
        };
        if let Some(given) = given {
            if !headers.contains_key(&B3) {
                headers.insert(B3, value(given.into()));
            }
        } else if !headers.contains_key(&B3) {
            self.begin_b3(headers);
        }
    }

    fn continue_w3c(&self, headers: &mut HeaderMap) {
        let span = self.text.slice(SPAN_ID);
        let continued = headers.get(&TRACEPARENT).and_then(|given| continued(given.as_bytes(), &span));
        let Some(parent) = continued else {
            self.begin_w3c(headers);
            return;
        };
        headers.insert(TRACEPARENT, parent);
        let members: Vec<_> = headers.get_all(&TRACESTATE).iter().map(|given| given.as_bytes().to_vec()).collect();
        headers.insert(TRACESTATE, tracestate(&span, &members));
    }
}

/// The client's `traceparent` with this router's span as parent; `None` for one that is not well formed.
fn continued(given: &[u8], span: &[u8]) -> Option<HeaderValue> {
    let is_hex = |range: std::ops::Range<usize>| given.get(range).is_some_and(|part| part.iter().all(|b| b"0123456789abcdef".contains(b)));
    let is_dash = |at: usize| given.get(at) == Some(&b'-');
    let is_well_formed = given.len() == 55
        && given.starts_with(b"00")
        && is_dash(2)
        && is_hex(3..35)
        && is_dash(35)
        && is_hex(36..52)
        && is_dash(52)
        && is_hex(53..55)
        && given.get(3..35)? != [b'0'; 32]
        && given.get(36..52)? != [b'0'; 16];
    if !is_well_formed {
        return None;
    }
    HeaderValue::from_bytes(&[given.get(..36)?, span, given.get(52..)?].concat()).ok()
}

/// `gorouter=<span>`, the key that Cloud Foundry's tools look for, before what was there.
fn tracestate(span: &[u8], given: &[Vec<u8>]) -> HeaderValue {
    let mut state = Vec::with_capacity(64);
    state.extend_from_slice(b"gorouter=");
    state.extend_from_slice(span);
    let members = given.iter().flat_map(|line| line.split(|b| *b == b',')).map(<[u8]>::trim_ascii);
    for member in members.filter(|member| !member.is_empty() && !member.starts_with(b"gorouter=")) {
        if state.len() + 1 + member.len() > MAX_TRACESTATE_BYTES {
            break;
        }
        state.push(b',');
        state.extend_from_slice(member);
    }
    value(state.into())
}

/// Sixteen hexadecimal digits.
fn hex(bits: u64) -> [u8; 16] {
    std::array::from_fn(|digit| {
        let nibble = (bits >> (60 - 4 * digit)) & 15;
        b"0123456789abcdef".get(usize::try_from(nibble).unwrap_or_default()).copied().unwrap_or(b'0')
    })
}

/// Texts made here, or that were header values before, are header values.
fn value(text: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
        headers.get(name).unwrap().to_str().unwrap()
    }

    #[test]
    fn a_fresh_request_gets_one_trace_in_both_forms() {
        let mut headers = HeaderMap::new();
        headers.insert(X_VCAP_REQUEST_ID, HeaderValue::from_static("forged"));
        let ids = Ids::fresh();
        ids.add_to(&mut headers, false);
        let id = text(&headers, "x-vcap-request-id");
        assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 4);
        assert_eq!(id.replace('-', ""), text(&headers, "x-b3-traceid"));
        let (trace, span) = (text(&headers, "x-b3-traceid"), text(&headers, "x-b3-spanid"));
        assert_eq!(text(&headers, "b3"), format!("{trace}-{span}"));
        assert_eq!(text(&headers, "traceparent"), format!("00-{trace}-{span}-01"));
        assert_eq!(text(&headers, "tracestate"), format!("gorouter={span}"));
        assert_ne!(Ids::fresh().request_id, ids.request_id);
    }

    #[test]
    fn a_trace_of_the_client_goes_on() {
        let mut headers = HeaderMap::new();
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert(TRACEPARENT, HeaderValue::from_static(parent));
        headers.insert(TRACESTATE, HeaderValue::from_static("vendor=1,gorouter=old"));
        headers.insert(X_B3_TRACE_ID, HeaderValue::from_static("463ac35c9f6413ad"));
        headers.insert(X_B3_SPAN_ID, HeaderValue::from_static("a2fb4a1d1a96d312"));
        Ids::fresh().add_to(&mut headers, true);
        assert_eq!(text(&headers, "b3"), "463ac35c9f6413ad-a2fb4a1d1a96d312");
        assert!(text(&headers, "traceparent").starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert_ne!(text(&headers, "traceparent"), parent);
        assert!(text(&headers, "tracestate").ends_with(",vendor=1"));

        headers.insert(TRACEPARENT, HeaderValue::from_static("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
        Ids::fresh().add_to(&mut headers, true);
        assert!(!text(&headers, "traceparent").starts_with("00-0000"), "a trace that is no trace is begun anew");
    }
}
