//! `Procfile`: process types and their commands, one a line.

use std::{collections::BTreeMap, fs, path::Path};

/// The process types of an app; empty without a Procfile.
pub(crate) fn read(app: &Path) -> BTreeMap<String, String> {
    fs::read_to_string(app.join("Procfile")).map(|text| parse(&text)).unwrap_or_default()
}

fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let (kind, command) = line.split_once(':')?;
            let (kind, command) = (kind.trim(), command.trim());
            let is_name = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            (is_name && !command.is_empty()).then(|| (kind.to_owned(), command.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_may_hold_colons_and_comments_are_no_process() {
        let types = parse("# web: no\nweb: gunicorn app:app --bind 0.0.0.0:8080\n\nworker:node work.js\nbroken\n");
        assert_eq!(types.get("web").map(String::as_str), Some("gunicorn app:app --bind 0.0.0.0:8080"));
        assert_eq!(types.get("worker").map(String::as_str), Some("node work.js"));
        assert_eq!(types.len(), 2);
    }
}
