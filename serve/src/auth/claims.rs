//! The claims of an access token.

use serde::{Deserialize, Serialize};
use virga_contract::identity::Identity;

/// The claims of a UAA access token. A user's token has the `user_*` claims, a client's own token has `authorities`.
/// The `cf` CLI reads `exp`, `user_name`, `user_id`, `origin` and `client_id` without looking at anything else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Id of the token.
    pub jti: String,
    /// User guid, or client id for a client's own token.
    pub sub: String,
    /// Authorities of a client, in a client's own token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<Vec<String>>,
    /// What was granted.
    pub scope: Vec<String>,
    /// The client that got the token.
    pub client_id: String,
    /// As `client_id`.
    pub cid: String,
    /// As `client_id`.
    pub azp: String,
    /// How the token was got.
    pub grant_type: String,
    /// The user's guid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Identity provider of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// The user's email.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When the user gave the password, seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// Changes when the user's password or the client's secret does; a token with another one is void.
    pub rev_sig: String,
    /// Issued at, seconds since the epoch.
    pub iat: i64,
    /// Void from this moment, seconds since the epoch.
    pub exp: i64,
    /// Issuer.
    pub iss: String,
    /// Identity zone, always `uaa`.
    pub zid: String,
    /// Who may rely on it: the first parts of the scopes, and the client.
    pub aud: Vec<String>,
}

impl Claims {
    /// The caller as the other rooms know it. A user id that is no guid gives no user.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            user: self.user_id.as_deref().and_then(|id| id.parse().ok()),
            user_name: self.user_name.clone(),
            email: self.email.clone(),
            client_id: self.client_id.clone(),
            scopes: self.scope.clone(),
        }
    }
}
