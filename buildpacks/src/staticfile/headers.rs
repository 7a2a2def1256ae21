//! `_headers`: headers for paths, in the form that other hosts of static sites read.

use crate::failure;
use virga_contract::staging::StagingError;
use virga_model::droplet::HeaderRule;

/// Rules of one site.
const RULES: usize = 100;
/// Bytes of one line.
const LINE: usize = 2000;
/// Headers that say how an answer travels, or that the platform itself decides on.
const NOT_THE_SITES: [&str; 10] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "date",
    "keep-alive",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// Reads rules: a line with a path, then indented lines `Name: value`. `#` begins a comment line.
pub(super) fn parse(text: &str) -> Result<Vec<HeaderRule>, StagingError> {
    let mut rules: Vec<HeaderRule> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: String| failure::compile(format!("_headers, line {}: {what}", number + 1));
        let words = line.trim();
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if line.len() > LINE {
            return Err(wrong(format!("it is longer than {LINE} bytes")));
        }
        if !line.starts_with([' ', '\t']) {
            if !words.starts_with('/') {
                return Err(wrong(format!("'{words}' is not a path; a path begins with '/', and its headers stand indented below it")));
            }
            if rules.len() == RULES {
                return Err(wrong(format!("a site may have {RULES} rules")));
            }
            rules.push(HeaderRule { path: words.to_owned(), headers: Vec::new() });
            continue;
        }
        let Some(rule) = rules.last_mut() else { return Err(wrong("a header without a path above it".into())) };
        let Some((name, value)) = words.split_once(':') else { return Err(wrong(format!("'{words}' is not 'Name: value'"))) };
        let name = name.trim().to_ascii_lowercase();
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if !is_name || NOT_THE_SITES.contains(&name.as_str()) {
            return Err(wrong(format!("a site cannot set the header '{name}'")));
        }
        let value = value.trim();
        if !value.bytes().all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte)) {
            return Err(wrong("the value has bytes that no header may have".into()));
        }
        rule.headers.push((name, value.to_owned()));
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_their_headers_are_read() {
        let rules =
            parse("# all\n/*\n  X-Frame-Options: DENY\n\tCache-Control: max-age=60, public\n\n/docs/:page\n  X-Page: a: b\n").unwrap();
        assert_eq!(rules.len(), 2);
        assert_eq!(rules[0].headers[1], ("cache-control".to_owned(), "max-age=60, public".to_owned()));
        assert_eq!(rules[1], HeaderRule { path: "/docs/:page".into(), headers: vec![("x-page".into(), "a: b".into())] });
    }

    #[test]
    fn lines_that_mean_nothing_are_named() {
        for (text, line) in
            [("  X: y\n", 1), ("/a\n  Content-Length: 5\n", 2), ("/a\nnope\n", 2), ("/a\n  no value\n", 2), ("/a\n  X: \u{7}\n", 2)]
        {
            assert!(parse(text).unwrap_err().message.starts_with(&format!("_headers, line {line}: ")), "{text}");
        }
    }
}
