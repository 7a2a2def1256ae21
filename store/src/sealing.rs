//! What is secret even from those who read the database or a copy of it: texts under the key of the installation, which is never
//! in the database.
//!
//! AES-256-GCM-SIV with a random nonce per text: should a nonce ever come twice, all it tells is whether two texts are equal. Each
//! text is bound to the place it was written for, so that one cannot be put where another was.

use crate::{Result, StoreError};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use std::{fmt::Display, sync::Arc};

/// First byte of every sealed text: how the rest is to be read.
const VERSION: u8 = 1;

/// The key of an installation. Every process over the same database has the same.
#[derive(Clone)]
pub struct SealingKey(Arc<RandomizedNonceKey>);

impl SealingKey {
    /// The key of these bytes, which must be random.
    ///
    /// # Errors
    /// [`StoreError::Sealing`] where the cipher cannot be set up.
    pub fn new(bytes: &[u8; 32]) -> Result<Self> {
        let key = RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes);
        Ok(Self(Arc::new(key.map_err(|_| StoreError::Sealing("the cipher cannot be set up"))?)))
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey")
    }
}

/// A text as the database holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(String);

impl Sealed {
    /// As it was read from the database.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// As it is written to the database.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Seals and opens texts. Without a key it does neither.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sealer(pub(crate) Option<SealingKey>);

impl Sealer {
    pub(crate) fn seal(&self, place: &impl Display, text: &str) -> Result<Sealed> {
        let mut bytes = text.as_bytes().to_vec();
        let nonce = self.key()?.0.seal_in_place_append_tag(Aad::from(place.to_string()), &mut bytes);
        let nonce = nonce.map_err(|_| StoreError::Sealing("a text cannot be sealed"))?;
        let mut all = vec![VERSION];
        all.extend_from_slice(nonce.as_ref());
        all.append(&mut bytes);
        Ok(Sealed(STANDARD_NO_PAD.encode(all)))
    }

    pub(crate) fn open(&self, place: &impl Display, sealed: &Sealed) -> Result<String> {
        const DAMAGED: StoreError = StoreError::Sealing("a sealed text is damaged, or was sealed with another key or for another place");
        let mut all = STANDARD_NO_PAD.decode(&sealed.0).map_err(|_| DAMAGED)?;
        let (version, rest) = all.split_first_mut().ok_or(DAMAGED)?;
        if *version != VERSION || rest.len() < NONCE_LEN {
            return Err(DAMAGED);
        }
        let (nonce, text) = rest.split_at_mut(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| DAMAGED)?;
        let opened = self.key()?.0.open_in_place(nonce, Aad::from(place.to_string()), text).map_err(|_| DAMAGED)?;
        String::from_utf8(opened.to_vec()).map_err(|_| DAMAGED)
    }

    fn key(&self) -> Result<&SealingKey> {
        self.0.as_ref().ok_or(StoreError::Sealing("the database was opened without a sealing key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(byte: u8) -> Sealer {
        Sealer(Some(SealingKey::new(&[byte; 32]).unwrap()))
    }

    #[test]
    fn what_is_sealed_opens_only_with_its_key_at_its_place() {
        let sealed = sealer(1).seal(&"a/1", "hunter2").unwrap();
        assert!(!sealed.as_str().contains("hunter2"));
        assert_eq!(sealer(1).open(&"a/1", &sealed).unwrap(), "hunter2");
        assert_ne!(sealer(1).seal(&"a/1", "hunter2").unwrap(), sealed, "the same text never looks the same");
        for (key, place) in [(1, "a/2"), (2, "a/1")] {
            assert!(matches!(sealer(key).open(&place, &sealed), Err(StoreError::Sealing(_))));
        }
    }

    #[test]
    fn whatever_is_not_sealed_is_an_error() {
        let sealed = sealer(1).seal(&"p", "text").unwrap();
        let bytes = STANDARD_NO_PAD.decode(sealed.as_str()).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = Sealed::from_stored(STANDARD_NO_PAD.encode(&changed));
            assert!(sealer(1).open(&"p", &changed).is_err(), "byte {at}");
            let cut = Sealed::from_stored(STANDARD_NO_PAD.encode(&bytes[..at]));
            assert!(sealer(1).open(&"p", &cut).is_err(), "{at} bytes");
        }
        assert!(sealer(1).open(&"p", &Sealed::from_stored("{}".into())).is_err());
        assert!(Sealer(None).seal(&"p", "text").is_err() && Sealer(None).open(&"p", &sealed).is_err());
    }
}
