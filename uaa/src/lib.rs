//! The UAA: who may log in, and what a token lets its bearer do. OAuth 2 and OpenID Connect grants, SCIM users and groups, clients,
//! signing keys, pages for browsers, and logins at providers of others, with the answers that the `cf` CLI, `uaac` and
//! `cloudfoundry-client` expect.
//!
//! [`bootstrap()`] makes the first user, the groups and the clients, [`Uaa::open`] loads the keys, [`router`] is mounted beside
//! the v3 API. Passwords, secrets, codes and refresh tokens are only ever kept as digests.

mod approvals;
mod authority;
mod authorize;
mod bootstrap;
mod clients;
mod extract;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod groups;
mod info;
mod keys;
mod limiter;
mod pages;
mod password_policy;
mod passwords;
mod providers;
mod refusal;
mod routes;
mod scim;
mod settings;
mod standing;
mod tokens;
mod users;

pub use authority::{OpenError, Uaa};
pub use bootstrap::{ADMIN_USERNAME, Bootstrapped, bootstrap};
pub use password_policy::PasswordPolicy;
pub use providers::ProviderSettings;
pub use routes::{Endpoint, Who, endpoints, router};
pub use settings::UaaSettings;
