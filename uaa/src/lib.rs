//! The UAA: who may log in, and what a token lets its bearer do. OAuth 2 token grants, SCIM users and signing keys, thin
//! but with the answers that the `cf` CLI and `cloudfoundry-client` expect.
//!
//! [`bootstrap()`] makes the first user and the clients, [`Uaa::open`] loads the keys, [`router`] is mounted beside the v3
//! API. Passwords, secrets and refresh tokens are only ever kept as digests.

mod authority;
mod bootstrap;
mod client_view;
mod info;
mod passwords;
mod refusal;
mod routes;
mod standing;
mod tokens;
mod users;

pub use authority::{OpenError, Uaa, UaaSettings};
pub use bootstrap::{ADMIN_USERNAME, Bootstrapped, bootstrap};
pub use routes::{Endpoint, Who, endpoints, router};
