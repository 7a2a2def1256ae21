//! Users, groups, clients, keys, codes, sessions and tokens of the UAA.

pub mod approvals;
pub mod clients;
pub mod codes;
pub mod failed_logins;
pub mod groups;
pub mod keys;
pub mod refresh_tokens;
pub mod revoked_tokens;
pub mod scim;
pub mod sessions;
pub mod users;

#[cfg(test)]
mod tests;
