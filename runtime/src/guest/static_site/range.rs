//! Byte ranges (RFC 9110, section 14): one range is served as a part; several as the whole, which the RFC allows.

use http::{HeaderMap, header};

/// What to send of a representation.
#[derive(Debug, PartialEq, Eq)]
pub enum Ranged {
    /// All of it.
    Whole,
    /// These bytes of it; never none.
    Part {
        /// First byte.
        start: u64,
        /// Number of bytes.
        length: u64,
    },
    /// The range lies behind its end: 416.
    Impossible,
}

/// Reads `Range` and `If-Range`.
pub fn parse(headers: &HeaderMap, tag: &str, size: u64) -> Ranged {
    let Some(range) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else {
        return Ranged::Whole;
    };
    // A date or another tag: what the client has a part of is not what it would get now.
    if headers.get(header::IF_RANGE).is_some_and(|value| value.as_bytes() != tag.as_bytes()) {
        return Ranged::Whole;
    }
    let Some((first, last)) = range.strip_prefix("bytes=").filter(|ranges| !ranges.contains(',')).and_then(|range| range.split_once('-'))
    else {
        return Ranged::Whole;
    };
    match (number(first), number(last)) {
        (Some(Some(first)), Some(last)) => {
            let last = last.unwrap_or(u64::MAX).min(size.saturating_sub(1));
            match last.checked_sub(first) {
                Some(distance) if first < size => Ranged::Part { start: first, length: distance + 1 },
                // `5-3` is not a range at all; `900-` of 100 bytes is one that cannot be served.
                _ if first < size => Ranged::Whole,
                _ => Ranged::Impossible,
            }
        }
        (Some(None), Some(Some(suffix))) if suffix > 0 && size > 0 => {
            let length = suffix.min(size);
            Ranged::Part { start: size - length, length }
        }
        (Some(None), Some(Some(_))) => Ranged::Impossible,
        _ => Ranged::Whole,
    }
}

/// `Some(None)` for nothing, `None` for what is not a number.
fn number(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok().map(Some) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(range: &str, size: u64) -> Ranged {
        let headers = HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]);
        parse(&headers, "\"t\"", size)
    }

    #[test]
    fn ranges_are_those_of_the_rfc() {
        assert_eq!(of("bytes=0-0", 10), Ranged::Part { start: 0, length: 1 });
        assert_eq!(of("bytes=5-", 10), Ranged::Part { start: 5, length: 5 });
        assert_eq!(of("bytes=-3", 10), Ranged::Part { start: 7, length: 3 });
        assert_eq!(of("bytes=-30", 10), Ranged::Part { start: 0, length: 10 });
        assert_eq!(of("bytes=2-99", 10), Ranged::Part { start: 2, length: 8 });
        assert_eq!(of("bytes=10-", 10), Ranged::Impossible);
        assert_eq!(of("bytes=-0", 10), Ranged::Impossible);
        for range in ["bytes=5-3", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b", "bytes=-"] {
            assert_eq!(of(range, 10), Ranged::Whole, "{range}");
        }
    }

    proptest! {
        #[test]
        fn a_part_always_lies_inside(range in "bytes=[0-9]{0,3}-[0-9]{0,3}", size in 0_u64..200) {
            if let Ranged::Part { start, length } = of(&range, size) {
                prop_assert!(length > 0 && start + length <= size);
            }
        }
    }
}
