//! Headers that a site sets for paths of its own.

use http::{HeaderMap, HeaderName, HeaderValue};
use virga_model::droplet::HeaderRule;

/// The rules of a site, read once.
pub struct Rules(Vec<(Vec<String>, Headers)>);

type Headers = Vec<(HeaderName, HeaderValue)>;

impl Rules {
    /// Headers that HTTP does not know are left out; staging has refused them.
    pub fn of(rules: &[HeaderRule]) -> Self {
        let headers = |rule: &HeaderRule| {
            rule.headers.iter().filter_map(|(name, value)| Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?))).collect()
        };
        Self(rules.iter().map(|rule| (parts(&rule.path).map(str::to_owned).collect(), headers(rule))).collect())
    }

    /// Sets what the rules say for a path.
    pub fn apply(&self, path: &str, answer: &mut HeaderMap) {
        for (pattern, headers) in &self.0 {
            let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
            if fits(&pattern, &parts(path).collect::<Vec<_>>()) {
                for (name, _) in headers {
                    answer.remove(name);
                }
                for (name, value) in headers {
                    answer.append(name.clone(), value.clone());
                }
            }
        }
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// A part `*` at the end fits all that follows, also nothing; `:name` any one part; `*` within a part any letters of it.
fn fits(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) | (["*"], _) => true,
        ([first, pattern @ ..], [part, path @ ..]) => (first.starts_with(':') || part_fits(first, part)) && fits(pattern, path),
        _ => false,
    }
}

fn part_fits(pattern: &str, part: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == part };
    let Some(rest) = part.strip_prefix(before) else { return false };
    // One star in a part is enough for names (`*.js`, `app.*.css`); another one stands for itself.
    rest.len() >= after.len() && rest.ends_with(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn does_fit(pattern: &str, path: &str) -> bool {
        fits(&parts(pattern).collect::<Vec<_>>(), &parts(path).collect::<Vec<_>>())
    }

    #[test]
    fn patterns_fit_paths() {
        for (pattern, path) in [
            ("/*", "/"),
            ("/*", "/a/b"),
            ("/a", "/a"),
            ("/a/*", "/a/b/c"),
            ("/:x/b", "/a/b"),
            ("/*.js", "/app.js"),
            ("/app.*.css", "/app.1f.css"),
        ] {
            assert!(does_fit(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [("/a", "/a/b"), ("/a/*", "/b/c"), ("/:x", "/a/b"), ("/*.js", "/a/app.js"), ("/", "/a"), ("/ab*ba", "/aba")]
        {
            assert!(!does_fit(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn the_last_rule_that_fits_decides() {
        let rule = |path: &str, value: &str| HeaderRule { path: path.into(), headers: vec![("cache-control".into(), value.into())] };
        let rules = Rules::of(&[rule("/*", "no-cache"), rule("/assets/*", "immutable")]);
        let mut headers = HeaderMap::new();
        rules.apply("/assets/a.js", &mut headers);
        assert_eq!(headers["cache-control"], "immutable");
        assert_eq!(headers.get_all("cache-control").iter().count(), 1);
    }
}
