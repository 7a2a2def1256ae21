//! Proof key for code exchange (RFC 7636), by SHA-256 only.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;
use virga_model::Sha256Digest;

/// Lengths of a verifier.
const VERIFIER_BYTES: std::ops::RangeInclusive<usize> = 43..=128;
/// Length of a challenge: SHA-256 in base64url.
const CHALLENGE_BYTES: usize = 43;

/// Why a challenge is refused, if it is. `plain` shows the verifier to whoever sees the request, and is refused.
pub(crate) fn check(challenge: Option<&str>, method: Option<&str>) -> Result<(), &'static str> {
    match (challenge, method) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err("code_challenge_method needs a code_challenge"),
        (Some(_), None | Some("plain")) => Err("code_challenge_method must be S256; plain is refused"),
        (Some(challenge), Some("S256")) => {
            let fits = challenge.len() == CHALLENGE_BYTES && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
            if fits { Ok(()) } else { Err("code_challenge must be a SHA-256 in base64url") }
        }
        _ => Err("code_challenge_method must be S256"),
    }
}

/// Whether the challenge was made of this verifier.
pub(crate) fn fits(verifier: &str, challenge: &str) -> bool {
    if !VERIFIER_BYTES.contains(&verifier.len()) {
        return false;
    }
    let made = BASE64_URL_SAFE_NO_PAD.encode(Sha256Digest::of(verifier.as_bytes()).as_bytes());
    made.as_bytes().ct_eq(challenge.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_fits() {
        let (verifier, challenge) = ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(check(Some(challenge), Some("S256")), Ok(()));
        assert!(fits(verifier, challenge));
        assert!(!fits(&verifier.replace('d', "e"), challenge));
        assert!(!fits("short", challenge));
    }

    #[test]
    fn only_s256_will_do() {
        for (challenge, method) in [
            (Some("x"), Some("plain")),
            (Some("x"), None),
            (None, Some("S256")),
            (Some("x"), Some("S256")),
            (Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), Some("s256")),
            (Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"), Some("S256")),
        ] {
            assert!(check(challenge, method).is_err(), "{challenge:?} {method:?}");
        }
        assert_eq!(check(None, None), Ok(()));
    }
}
