//! The head of a CGI answer (RFC 3875, section 6): header fields up to an empty line, `Status` among them.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// A parsed head.
#[derive(Debug)]
pub struct Head {
    /// From `Status`; 302 for a bare `Location`, else 200.
    pub status: StatusCode,
    /// The other fields, without those that belong to the connection.
    pub headers: HeaderMap,
    /// Bytes of the head, its empty line included.
    pub length: usize,
}

/// Reads the head if all of it is there; `Ok(None)` for more to come.
///
/// # Errors
/// A text that says what is wrong with it.
pub fn parse(read: &[u8]) -> Result<Option<Head>, String> {
    let mut head = Head { status: StatusCode::OK, headers: HeaderMap::new(), length: 0 };
    let mut has_status = false;
    for line in read.split_inclusive(|&byte| byte == b'\n') {
        let Some(text) = line.strip_suffix(b"\n") else {
            return Ok(None);
        };
        head.length += line.len();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            if head.length == line.len() {
                return Err("its answer has no head".into());
            }
            if !has_status && head.headers.contains_key(http::header::LOCATION) {
                head.status = StatusCode::FOUND;
            }
            return Ok(Some(head));
        }
        has_status |= field(text, &mut head)?;
    }
    Ok(None)
}

/// Takes one field in; tells whether it was `Status`.
fn field(text: &[u8], head: &mut Head) -> Result<bool, String> {
    let shown = || String::from_utf8_lossy(text).chars().take(80).collect::<String>();
    let malformed = || format!("a line in the head of its answer is not a header field: '{}'", shown());
    let colon = text.iter().position(|&byte| byte == b':').ok_or_else(malformed)?;
    let (name, value) = text.split_at_checked(colon).ok_or_else(malformed)?;
    let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
    let name = HeaderName::from_bytes(name).map_err(|_| malformed())?;
    if name == "status" {
        let code = value.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
        head.status = StatusCode::from_bytes(code).map_err(|_| malformed())?;
        return Ok(true);
    }
    // Framing is the cell's business; a guest that sets it could smuggle.
    if !matches!(name.as_str(), "connection" | "keep-alive" | "transfer-encoding" | "upgrade" | "proxy-connection" | "te" | "trailer") {
        head.headers.append(name, HeaderValue::from_bytes(value).map_err(|_| malformed())?);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_once_they_are_whole() {
        let text = b"Status: 404 Not Found\r\nContent-Type: text/plain\nX-A: 1\nX-A: 2\nConnection: close\n\nbody";
        for length in 0..text.len() - 4 {
            assert!(parse(&text[..length]).unwrap().is_none(), "{length}");
        }
        let head = parse(text).unwrap().unwrap();
        assert_eq!((head.status, &text[head.length..]), (StatusCode::NOT_FOUND, &b"body"[..]));
        assert_eq!(head.headers.get_all("x-a").iter().count(), 2);
        assert!(!head.headers.contains_key("connection"));
        assert_eq!(parse(b"Location: /x\n\n").unwrap().unwrap().status, StatusCode::FOUND);
        assert!(parse(b"\nbody").is_err() && parse(b"no colon\n\n").is_err() && parse(b"Status: banana\n\n").is_err());
    }
}
