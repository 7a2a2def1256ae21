//! Who is calling: access tokens of the UAA (JWT, RS256), signed and verified here, and the extractor that handlers take.

mod caller;
mod claims;
mod keys;
mod verifier;

pub use caller::{Caller, MaybeCaller, bearer_token};
pub use claims::Claims;
pub use keys::{KeyError, PublicKey, SigningKey};
pub use verifier::{Standing, TokenError, Verifier};
