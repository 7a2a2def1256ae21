//! Who may see a site: basic authentication (RFC 7617) against the hashes of an htpasswd file.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Semaphore;

/// Credentials that were found right, remembered by their digest: checking a password costs milliseconds on purpose.
const REMEMBERED: usize = 1000;

/// The users of a site.
pub struct Users {
    hashes: Arc<BTreeMap<String, String>>,
    known: Mutex<HashSet<[u8; 32]>>,
    /// One check at a time: guessing costs the site's own visitors time, and no neighbour.
    checking: Semaphore,
}

impl Users {
    /// `None` for a site that everybody may see.
    pub fn of(users: &BTreeMap<String, String>) -> Option<Self> {
        if users.is_empty() {
            return None;
        }
        Some(Self { hashes: Arc::new(users.clone()), known: Mutex::default(), checking: Semaphore::new(1) })
    }

    /// Whether the request names one of them with the right password.
    pub async fn admit(&self, headers: &HeaderMap) -> bool {
        let Some((name, password)) = headers.get(header::AUTHORIZATION).and_then(|value| credentials(value.as_bytes())) else {
            return false;
        };
        let digest: [u8; 32] =
            Sha256::new().chain_update(name.len().to_le_bytes()).chain_update(&name).chain_update(&password).finalize().into();
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest) {
            return true;
        }
        let Ok(_turn) = self.checking.acquire().await else { return false };
        let hashes = self.hashes.clone();
        let check = tokio::task::spawn_blocking(move || hashes.get(&name).is_some_and(|hash| fits(hash, &password)));
        let is_right = check.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "checking a static site's password broke off");
            false
        });
        if is_right {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(digest);
        }
        is_right
    }
}

/// Whether a hash is that of the password: bcrypt, or SHA-1 without salt.
fn fits(hash: &str, password: &str) -> bool {
    match hash.strip_prefix("{SHA}") {
        Some(encoded) => STANDARD.decode(encoded).is_ok_and(|digest| digest == Sha1::digest(password).to_vec()),
        None => bcrypt::verify(password, hash).unwrap_or_else(|error| {
            tracing::warn!(%error, "the hash of a static site's user cannot be used");
            false
        }),
    }
}

/// Name and password of `Authorization: Basic …`.
fn credentials(value: &[u8]) -> Option<(String, String)> {
    let (scheme, encoded) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())??;
    let (name, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(text)).parse().unwrap())])
    }

    #[tokio::test]
    async fn the_right_password_of_a_user_is_let_in() {
        // From `htpasswd -nbs bob sesame` and `htpasswd -nbB -C 4 ann open`.
        let users = [("bob", "{SHA}CEo1Ae3vaEXy8eQZjsOiuBz1xrw="), ("ann", "$2y$04$mdMUAj..JZrH/JUkt2X.huyQzxv/r22Eoy1TPr3ZmROUdO3nmlHzG")];
        let users = users.into_iter().map(|(name, hash)| (name.to_owned(), hash.to_owned())).collect();
        let users = Users::of(&users).unwrap();
        assert!(users.admit(&headers("ann:open")).await);
        assert!(users.admit(&headers("bob:sesame")).await);
        assert!(users.admit(&headers("bob:sesame")).await, "remembered");
        for wrong in ["bob:Sesame", "bob:", "bo:bsesame", "ann:sesame", "eve:open", "bob"] {
            assert!(!users.admit(&headers(wrong)).await, "{wrong}");
        }
        assert!(!users.admit(&HeaderMap::new()).await);
        assert!(Users::of(&BTreeMap::new()).is_none());
    }
}
