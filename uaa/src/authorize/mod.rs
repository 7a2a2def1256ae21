//! `/oauth/authorize`: a user lets a client act on the user's behalf.

pub(crate) mod code;
mod grant;
pub(crate) mod pkce;
pub(crate) mod redirect;
mod request;

pub(crate) use grant::{answer, show};
