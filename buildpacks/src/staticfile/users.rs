//! `Staticfile.auth`: who may see the site, as in an htpasswd file.

use crate::failure;
use std::collections::BTreeMap;
use virga_contract::staging::StagingError;

/// What begins a hash that the cell can check: bcrypt, SHA-1.
const KNOWN: [&str; 4] = ["$2y$", "$2a$", "$2b$", "{SHA}"];
/// Largest work factor of bcrypt; a check then takes some 100 ms of the cell's time.
const BCRYPT_COST: u32 = 10;

/// Reads lines `name:hash`.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, StagingError> {
    let mut users = BTreeMap::new();
    for (number, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // The line itself is not quoted: it may be somebody's password.
        let wrong = |what: &str| failure::compile(format!("Staticfile.auth, line {}: {what}", number + 1));
        let Some((name, hash)) = line.split_once(':').filter(|(name, _)| !name.is_empty()) else {
            return Err(wrong("it is not 'name:hash'; make one with htpasswd"));
        };
        if !KNOWN.iter().any(|known| hash.starts_with(known)) {
            return Err(wrong("the password is not hashed in a way that is known here (bcrypt, SHA-1); make it with htpasswd -B"));
        }
        let cost = hash.strip_prefix("$2").and_then(|rest| rest.get(2..4)).map(str::parse::<u32>);
        if cost.is_some_and(|cost| cost.is_ok_and(|cost| cost > BCRYPT_COST)) {
            return Err(wrong("bcrypt's cost is above 10, which is the most here; make it with htpasswd -B -C 10"));
        }
        if !is_whole(hash) {
            return Err(wrong("the hash is not whole, nobody could log in with it; make it anew with htpasswd -B"));
        }
        users.insert(name.to_owned(), hash.to_owned());
    }
    if users.is_empty() {
        return Err(failure::compile(
            "Staticfile.auth names nobody: no one could see the site; add users (htpasswd -B) or remove the file",
        ));
    }
    Ok(users)
}

/// Whether a hash is as long as its kind is, and of its letters.
fn is_whole(hash: &str) -> bool {
    match hash.strip_prefix("{SHA}") {
        // 20 bytes in Base64.
        Some(digest) => {
            digest.len() == 28 && digest.ends_with('=') && digest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        }
        // The kind, two digits of cost, 22 letters of salt and 31 of hash.
        None => hash.get(4..).and_then(|rest| rest.split_once('$')).is_some_and(|(cost, rest)| {
            let is_cost = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
            is_cost && rest.len() == 53 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_taken_and_passwords_refused() {
        let hash = "$2y$05$abcdefghijklmnopqrstuuJQ3JZq8qV9bRkXbQnLrVY0o5d9h0m6i";
        assert_eq!(parse(&format!("# us\nbob:{hash}\n")).unwrap().get("bob").map(String::as_str), Some(hash));
        assert!(parse("eve:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n").unwrap().contains_key("eve"));
        for text in [
            "bob:secret\n",
            "bob\n",
            ":$2y$05$x\n",
            "",
            "bob:$2y$14$abcdefghijklmnopqrstuu\n",
            "bob:$2y$05$abcdef\n",
            "bob:{SHA}W6ph5Mm5\n",
        ] {
            let error = parse(text).unwrap_err().message;
            assert!(error.starts_with("Staticfile.auth") && !error.contains("secret"), "{error}");
        }
    }
}
