//! Paths inside a package: which names an entry may have, and where a symlink may lead.

use std::collections::BTreeMap;

/// The longest name of an entry, in bytes (`PATH_MAX` of Linux is 4,096; the rest is for the folder it is unpacked to).
const MAX_NAME_BYTES: usize = 3_072;
/// The longest part between two slashes, in bytes (`NAME_MAX` of Linux).
const MAX_PART_BYTES: usize = 255;
/// Symlinks followed before a path counts as a loop, as in Linux.
const MAX_HOPS: usize = 40;

/// The normal form of an entry's name: relative, `/` between parts, no `.`, no empty part, no slash at the end.
///
/// # Errors
/// What is wrong with the name, as the end of a sentence that names the entry.
pub fn normalise(name: &str) -> Result<String, &'static str> {
    if name.len() > MAX_NAME_BYTES {
        return Err("has a name of more than 3072 bytes");
    }
    if name.contains('\0') {
        return Err("has a NUL byte in its name");
    }
    if name.contains('\\') {
        return Err("has a backslash in its name; parts of a path are separated by '/'");
    }
    if name.starts_with('/') || name.as_bytes().get(1) == Some(&b':') && name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("has an absolute path");
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("leads out of the app's folder ('..')"),
            _ if part.len() > MAX_PART_BYTES => return Err("has a part of more than 255 bytes in its name"),
            _ => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Checks that the symlink at `link` stays inside the tree, whatever other symlinks it passes on its way.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that names the entry.
pub fn check_symlink(link: &str, symlinks: &BTreeMap<String, String>) -> Result<(), &'static str> {
    let mut here: Vec<&str> = link.split('/').collect();
    here.pop();
    let Some(target) = symlinks.get(link) else { return Ok(()) };
    let mut ahead: Vec<&str> = Vec::new();
    push_target(&mut ahead, target)?;
    let mut hops = 0;
    while let Some(part) = ahead.pop() {
        match part {
            "" | "." => {}
            ".." => {
                here.pop().ok_or("is a symlink that leads out of the app's folder")?;
            }
            _ => {
                here.push(part);
                if let Some(target) = symlinks.get(&here.join("/")) {
                    hops += 1;
                    if hops > MAX_HOPS {
                        return Err("is a symlink that leads to itself");
                    }
                    here.pop();
                    push_target(&mut ahead, target)?;
                }
            }
        }
    }
    Ok(())
}

/// Puts the parts of `target` before those that are still ahead (the next one stands last).
fn push_target<'a>(ahead: &mut Vec<&'a str>, target: &'a str) -> Result<(), &'static str> {
    if target.is_empty() || target.contains('\0') {
        return Err("is a symlink without a usable target");
    }
    if target.starts_with('/') {
        return Err("is a symlink to an absolute path");
    }
    ahead.extend(target.split('/').rev());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_relative_and_clean_or_refused() {
        assert_eq!(normalise("./a//b/./c/").as_deref(), Ok("a/b/c"));
        assert_eq!(normalise("a..b/...").as_deref(), Ok("a..b/..."));
        for bad in ["/etc/passwd", "../x", "a/../../x", "a/..", "C:/x", "a\\..\\b", "a\0b", &"x/".repeat(2000), &"y".repeat(256)] {
            assert!(normalise(bad).is_err(), "{bad:?}");
        }
    }

    fn links(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(link, target)| ((*link).to_owned(), (*target).to_owned())).collect()
    }

    #[test]
    fn symlinks_may_only_lead_inside() {
        let good = links(&[("a", "b/c"), ("d/e", "../a"), ("f", "."), ("g", "a/../..//h")]);
        for link in ["a", "d/e", "f", "g"] {
            assert_eq!(check_symlink(link, &good), Ok(()), "{link}");
        }
        for (link, target) in [("a", "/etc"), ("a", "../x"), ("d/e", "../../x"), ("a", ""), ("a", "b/../../..")] {
            assert!(check_symlink(link, &links(&[(link, target)])).is_err(), "{link} -> {target}");
        }
    }

    #[test]
    fn a_chain_that_looks_harmless_link_by_link_is_refused() {
        // On its own `deep/out` has depth to spare; through `deep/d/up` it has none.
        let chain = links(&[("deep/d/up", "../.."), ("deep/out", "d/up/../etc")]);
        assert!(check_symlink("deep/out", &chain).is_err());
        assert_eq!(check_symlink("deep/d/up", &chain), Ok(()));
    }

    #[test]
    fn loops_end() {
        let chain = links(&[("a", "b"), ("b", "a")]);
        assert!(check_symlink("a", &chain).is_err());
        let growing = links(&[("a", "a/a")]);
        assert!(check_symlink("a", &growing).is_err());
    }
}
