//! As much of Go's syntax as it takes to find the programs of a module: package clauses and the comments before them.

/// The package clause of a file: where its name lies in the text, unless the file is one that `go build` leaves out.
pub(super) struct Clause<'a> {
    pub(super) name: &'a str,
    pub(super) at: usize,
    /// The file is built only with tags that are not given, as those are that `go run` is meant for.
    pub(super) is_ignored: bool,
}

/// Reads a file's package clause.
pub(super) fn clause(text: &str) -> Option<Clause<'_>> {
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut is_ignored = false;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            let (line, after) = comment.split_once('\n')?;
            let constraint = line.strip_prefix("go:build").unwrap_or_default();
            is_ignored |=
                constraint.split(|sign: char| !(sign.is_alphanumeric() || sign == '_' || sign == '!')).any(|word| word == "ignore");
            rest = after;
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/")?.1;
        } else {
            break;
        }
    }
    let after = rest.strip_prefix("package")?;
    let name = after.trim_start_matches([' ', '\t']);
    let end = name.find(|sign: char| !(sign.is_alphanumeric() || sign == '_')).unwrap_or(name.len());
    let at = text.len() - name.len();
    let name = name.get(..end).filter(|name| !name.is_empty() && after.starts_with([' ', '\t']))?;
    Some(Clause { name, at, is_ignored })
}

/// The path that a go.mod gives its module.
pub(super) fn module_path(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut words = line.split("//").next()?.split_whitespace();
        (words.next()? == "module").then(|| words.next())?.map(|path| path.trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clause_is_found_behind_comments() {
        let text =
            "\u{feff}// Copyright: package wrong\n/* package\nwrong2 */\n\n//go:build linux || wasip1\n\npackage main // not other\n";
        let found = clause(text).unwrap();
        assert_eq!((found.name, &text[found.at..found.at + 4], found.is_ignored), ("main", "main", false));
        assert!(clause("//go:build ignore\n\npackage main\n").unwrap().is_ignored);
        assert!(!clause("// ignore\n\npackage main\n").unwrap().is_ignored);
        assert!(clause("packages main").is_none() && clause("// only a comment").is_none() && clause("").is_none());
        assert_eq!(clause("package\tmain;import \"fmt\"").unwrap().name, "main");
    }

    #[test]
    fn the_module_has_a_path() {
        assert_eq!(module_path("// the app\nmodule \"example.com/shop/v2\" // here\ngo 1.25\n"), Some("example.com/shop/v2"));
        assert_eq!(module_path("go 1.25\n"), None);
    }
}
