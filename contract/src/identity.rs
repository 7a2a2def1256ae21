//! Who is calling: the claims of a UAA access token, as the other rooms need them.

use serde::{Deserialize, Serialize};
use virga_model::UserGuid;

/// A verified caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The user's guid, for a user's token.
    pub user: Option<UserGuid>,
    /// The user's name, for a user's token.
    pub user_name: Option<String>,
    /// The user's email, where known.
    pub email: Option<String>,
    /// The OAuth client that got the token.
    pub client_id: String,
    /// Granted scopes (for a client's own token, its authorities).
    pub scopes: Vec<String>,
}

impl Identity {
    /// Whether the token carries this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }

    /// `cloud_controller.admin`: may do everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.has_scope("cloud_controller.admin")
    }
}
