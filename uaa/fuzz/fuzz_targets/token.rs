//! Access tokens, assertions and client credentials before anybody is known. Half of the inputs are a text in a token's place, the
//! other half are claims under a good signature, which a token that was stolen from another purpose would have.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};
use virga_contract::ApiError;
use virga_model::Timestamp;
use virga_serve::{
    auth::{Claims, SigningKey, Standing, Verifier},
    clock::ManualClock,
};

const ISSUER: &str = "http://uaa.virga.localhost/oauth/token";
const NOW: i64 = 1_800_000_000;

struct AlwaysStands;

#[async_trait::async_trait]
impl Standing for AlwaysStands {
    async fn stands(&self, _: &Claims) -> Result<bool, ApiError> {
        Ok(true)
    }
}

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate("key").expect("a key"));
static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let now = Timestamp::from_second(NOW).expect("a time");
    let verifier = Verifier::new(ISSUER.to_owned(), Arc::new(ManualClock::at(now)), Arc::new(AlwaysStands));
    verifier.set_keys([KEY.public()]);
    verifier
});

fuzz_target!(|input: (bool, &str)| {
    let (is_signed, text) = input;
    if !is_signed {
        virga_uaa::fuzzing::credentials(text);
        assert!(VERIFIER.claims(text).is_err(), "nobody but us signs");
        return;
    }
    let Ok(claims) = serde_json::from_str::<serde_json::Value>(text) else { return };
    let token = KEY.sign(&claims).expect("any JSON can be signed");
    virga_uaa::fuzzing::credentials(&token);
    if let Ok(accepted) = VERIFIER.claims(&token) {
        assert!(accepted.iss == ISSUER && accepted.exp > NOW, "{accepted:?}");
        // What handlers make of it.
        let _identity = accepted.identity();
    }
});
