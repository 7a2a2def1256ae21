//! What a droplet asks of the cell, compared with the one before it: who pushes sees when a dependency has begun to ask for more.

use std::collections::BTreeSet;

/// Interfaces that a line names at most.
const NAMED: usize = 30;

/// Lines for the app's log; none where nothing changed. A new version of the same interface is no change.
pub(crate) fn changes(before: &[String], now: &[String]) -> Vec<String> {
    let (before, now) = (interfaces(before), interfaces(now));
    let line = |words: &str, names: BTreeSet<&String>| {
        let shown: Vec<&str> = names.iter().take(NAMED).map(|name| name.as_str()).collect();
        let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
        (!names.is_empty()).then(|| format!("{words} {}{more}", shown.join(", ")))
    };
    let more = line("Asks for more than the last droplet:", now.difference(&before).collect());
    let less = line("Asks no longer for:", before.difference(&now).collect());
    more.into_iter().chain(less).collect()
}

fn interfaces(imports: &[String]) -> BTreeSet<String> {
    let name =
        |import: &String| import.split('@').next().unwrap_or_default().chars().filter(|letter| !letter.is_control()).take(200).collect();
    imports.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &[&str], now: &[&str]) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        changes(&owned(before), &owned(now))
    }

    #[test]
    fn only_what_changed_is_told() {
        let before = ["wasi:cli/environment@0.2.3", "wasi:random/random@0.2.3"];
        assert_eq!(told(&before, &["wasi:random/random@0.2.6", "wasi:cli/environment@0.2.6"]), Vec::<String>::new());
        assert_eq!(
            told(&before, &["wasi:cli/environment@0.2.3", "wasi:sockets/tcp@0.2.3"]),
            ["Asks for more than the last droplet: wasi:sockets/tcp", "Asks no longer for: wasi:random/random"]
        );
    }
}
