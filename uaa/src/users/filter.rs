//! The part of SCIM's filter language that clients use: `attribute eq "value"`, joined by `and` and `or`.

use crate::refusal::{Refusal, Result};
use virga_serve::axum::http::StatusCode;
use virga_store::uaa::users::{Attribute, UserFilter};

/// Longest filter and most comparisons in it.
const MAX_BYTES: usize = 16 * 1024;
const MAX_COMPARISONS: usize = 200;

fn invalid(reason: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_filter", format!("Invalid filter expression: {reason}"))
}

/// Reads a filter; `and` binds closer than `or`, words in any case.
pub(super) fn parse(text: &str) -> Result<UserFilter> {
    if text.len() > MAX_BYTES {
        return Err(invalid("it is too long"));
    }
    let mut rest = text.trim();
    let mut filter = vec![vec![]];
    for _ in 0..MAX_COMPARISONS {
        let (attribute, after) = word(rest)?;
        let (operator, after) = word(after)?;
        if !operator.eq_ignore_ascii_case("eq") {
            return Err(invalid("the only operator is eq"));
        }
        let (value, after) = quoted(after)?;
        if let Some(alternative) = filter.last_mut() {
            alternative.push((attribute_named(attribute)?, value));
        }
        if after.is_empty() {
            return Ok(filter);
        }
        let (joint, after) = word(after)?;
        match joint.to_ascii_lowercase().as_str() {
            "and" => {}
            "or" => filter.push(vec![]),
            _ => return Err(invalid("comparisons are joined by and, or")),
        }
        rest = after;
    }
    Err(invalid("it has too many comparisons"))
}

fn attribute_named(name: &str) -> Result<Attribute> {
    match name.to_ascii_lowercase().as_str() {
        "id" => Ok(Attribute::Id),
        "username" => Ok(Attribute::Username),
        "origin" => Ok(Attribute::Origin),
        "email" | "emails" | "emails.value" => Ok(Attribute::Email),
        _ => Err(invalid("the attributes are id, userName, origin, emails.value")),
    }
}

fn word(text: &str) -> Result<(&str, &str)> {
    let (word, rest) = text.split_once(char::is_whitespace).ok_or_else(|| invalid("it ends too early"))?;
    Ok((word, rest.trim_start()))
}

fn quoted(text: &str) -> Result<(String, &str)> {
    let text = text.strip_prefix('"').ok_or_else(|| invalid("a value must stand in double quotes"))?;
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let rest = text.get(at + 1..).unwrap_or_default();
                if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
                    return Err(invalid("a quote inside a value must be escaped"));
                }
                return Ok((value, rest.trim()));
            }
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    Err(invalid("a value has no closing quote"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_of_clients_are_read() {
        let name = |name: &str| (Attribute::Username, name.to_owned());
        assert_eq!(parse("userName eq \"a b\"").unwrap(), [vec![name("a b")]]);
        assert_eq!(
            parse("UserName EQ \"x and y\" AND origin eq \"uaa\" or id eq \"1\"").unwrap(),
            [vec![name("x and y"), (Attribute::Origin, "uaa".to_owned())], vec![(Attribute::Id, "1".to_owned())]]
        );
        assert_eq!(parse(r#"userName eq "a\"b\\c""#).unwrap(), [vec![name(r#"a"b\c"#)]]);
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let many = ["id eq \"x\""; 201].join(" or ");
        let long = "x".repeat(MAX_BYTES + 1);
        for text in [
            "",
            "userName",
            "userName eq",
            "userName eq x",
            "userName eq \"x",
            "userName pr \"x\"",
            "password eq \"x\"",
            many.as_str(),
            long.as_str(),
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["userName eq \"a\"b\"", "userName eq \"a\" xor id eq \"b\"", "userName eq \"a\" and", "userName eq \"a\\"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
