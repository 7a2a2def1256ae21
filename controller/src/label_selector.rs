//! `label_selector`: requirements on labels, all of which must hold.

use crate::metadata::is_key;
use virga_store::select::LabelRequirement;

/// Most requirements of one selector.
const MAX_REQUIREMENTS: usize = 50;

/// The requirements of `k`, `!k`, `k=v`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`, separated by commas.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse(selector: &str) -> Result<Vec<LabelRequirement>, String> {
    let requirements: Vec<LabelRequirement> = split(selector).into_iter().map(requirement).collect::<Result<_, _>>()?;
    match requirements.len() {
        0 => Err("Missing label_selector value".to_owned()),
        1..=MAX_REQUIREMENTS => Ok(requirements),
        _ => Err(format!("Too many label_selector requirements (maximum is {MAX_REQUIREMENTS})")),
    }
}

/// At commas outside parentheses.
fn split(selector: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let parts = selector.split(move |character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn requirement(text: &str) -> Result<LabelRequirement, String> {
    let invalid = || format!("Invalid label_selector value: '{text}'");
    let key = |key: &str| is_key(key.trim()).then(|| key.trim().to_owned()).ok_or_else(invalid);
    let value = |value: &str| value.trim().to_owned();
    if let Some(absent) = text.strip_prefix('!') {
        return Ok(LabelRequirement::Absent(key(absent)?));
    }
    if let Some((left, right)) = text.split_once("!=") {
        return Ok(LabelRequirement::NotIn(key(left)?, vec![value(right)]));
    }
    if let Some((left, right)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(LabelRequirement::In(key(left)?, vec![value(right)]));
    }
    match text.split_once(char::is_whitespace) {
        None => Ok(LabelRequirement::Exists(key(text)?)),
        Some((left, rest)) => {
            let rest = rest.trim();
            let set = |rest: &str| {
                let inner = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
                Some(inner.split(',').map(value).collect::<Vec<_>>())
            };
            if let Some(values) = rest.strip_prefix("notin").and_then(set) {
                Ok(LabelRequirement::NotIn(key(left)?, values))
            } else if let Some(values) = rest.strip_prefix("in").and_then(set) {
                Ok(LabelRequirement::In(key(left)?, values))
            } else {
                Err(invalid())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LabelRequirement::{Absent, Exists, In, NotIn};

    #[test]
    fn every_form_is_read() {
        let parsed = parse("a,!b,c=d,e==f,g!=h, x.y/i in (j, k) ,l notin (m)").unwrap();
        let text = str::to_owned;
        let expected = vec![
            Exists(text("a")),
            Absent(text("b")),
            In(text("c"), vec![text("d")]),
            In(text("e"), vec![text("f")]),
            NotIn(text("g"), vec![text("h")]),
            In(text("x.y/i"), vec![text("j"), text("k")]),
            NotIn(text("l"), vec![text("m")]),
        ];
        assert_eq!(parsed, expected);
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", ",", "=x", "a in b", "a b c", "a in (b", "-a", "a'; DROP TABLE apps"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&vec!["a"; 51].join(",")).is_err());
    }
}
