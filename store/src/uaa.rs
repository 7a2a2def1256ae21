//! Users, groups, clients, keys and tokens of the UAA.

pub mod clients;
pub mod groups;
pub mod keys;
pub mod refresh_tokens;
pub mod revoked_tokens;
pub mod users;

#[cfg(test)]
mod tests;
