//! RSA keys for RS256: made, kept as PEM, shown as JWK.

use crate::secret::Secret;
use aws_lc_rs::{encoding::AsDer as _, rsa};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{AlgorithmParameters, Jwk},
};
use serde::Serialize;

/// A key could not be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The crypto library refused.
    #[error("the signing key '{kid}' cannot be used: {reason}")]
    Unusable {
        /// Which key.
        kid: String,
        /// What the library said.
        reason: String,
    },
    /// Signing failed.
    #[error("a token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// A private key that signs tokens.
#[derive(Clone)]
pub struct SigningKey {
    key: EncodingKey,
    pem: Secret<String>,
    public: PublicKey,
}

/// The public half, as `/token_keys` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicKey {
    /// Always `RSA`.
    pub kty: &'static str,
    /// Name of the key in a token's header.
    pub kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// Always `RS256`.
    pub alg: &'static str,
    /// PEM (SubjectPublicKeyInfo).
    pub value: String,
    /// Modulus, base64url.
    pub n: String,
    /// Exponent, base64url.
    pub e: String,
}

impl SigningKey {
    /// A new RSA key of 2048 bits. Takes up to some hundred milliseconds of CPU.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when the system has no randomness.
    pub fn generate(kid: &str) -> Result<Self, KeyError> {
        let unusable = |reason: String| KeyError::Unusable { kid: kid.to_owned(), reason };
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|error| unusable(error.to_string()))?;
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().map_err(|error| unusable(error.to_string()))?;
        Self::from_pem(kid, &pem("PRIVATE KEY", der.as_ref()))
    }

    /// The key of this PEM (PKCS #8).
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when it is none.
    pub fn from_pem(kid: &str, text: &str) -> Result<Self, KeyError> {
        let unusable = |reason: String| KeyError::Unusable { kid: kid.to_owned(), reason };
        let key = EncodingKey::from_rsa_pem(text.as_bytes()).map_err(|error| unusable(error.to_string()))?;
        let jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).map_err(|error| unusable(error.to_string()))?;
        let AlgorithmParameters::RSA(parameters) = jwk.algorithm else {
            return Err(unusable("it is no RSA key".to_owned()));
        };
        let pair = rsa::KeyPair::from_der(key.as_bytes()).map_err(|error| unusable(error.to_string()))?;
        let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
            aws_lc_rs::signature::KeyPair::public_key(&pair).as_der().map_err(|error| unusable(error.to_string()))?;
        let public = PublicKey {
            kty: "RSA",
            kid: kid.to_owned(),
            usage: "sig",
            alg: "RS256",
            value: pem("PUBLIC KEY", public.as_ref()),
            n: parameters.n,
            e: parameters.e,
        };
        Ok(Self { key, pem: Secret::new(text.to_owned()), public })
    }

    /// The private key, to be kept where only the UAA reads.
    #[must_use]
    pub fn pem(&self) -> &Secret<String> {
        &self.pem
    }

    /// What everybody may know of it.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A signed JWT with these claims.
    ///
    /// # Errors
    /// [`KeyError::Sign`].
    pub fn sign<C: Serialize>(&self, claims: &C) -> Result<String, KeyError> {
        let header = Header { kid: Some(self.public.kid.clone()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &self.key).map_err(KeyError::Sign)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.public.kid).finish_non_exhaustive()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
