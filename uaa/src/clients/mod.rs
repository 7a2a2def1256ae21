//! Administration of OAuth clients.

mod body;
pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod find;
pub(crate) mod secret;
mod view;

pub(crate) use body::GRANTS;

use crate::{
    refusal::{Refusal, Result},
    scim::filter::Attributes,
};
use virga_serve::{auth::Claims, axum::http::StatusCode};
use virga_store::{
    Connection,
    uaa::{
        clients::{self, UaaClientRow},
        scim::{Column, Kind},
    },
};

const ATTRIBUTES: Attributes = &[
    ("client_id", Column { name: "client_id", kind: Kind::Text }),
    ("name", Column { name: "name", kind: Kind::Text }),
    ("lastmodified", Column { name: "updated_at", kind: Kind::Time }),
    // Lists are kept as JSON: `scope co "openid"` fits.
    ("scope", Column { name: "scopes", kind: Kind::Text }),
    ("authorities", Column { name: "authorities", kind: Kind::Text }),
    ("authorized_grant_types", Column { name: "grant_types", kind: Kind::Text }),
    ("access_token_validity", Column { name: "access_token_seconds", kind: Kind::Number }),
    ("refresh_token_validity", Column { name: "refresh_token_seconds", kind: Kind::Number }),
];

/// 400 `invalid_client`.
fn invalid(description: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_client", description)
}

async fn client_of(db: &mut Connection, id: &str) -> Result<UaaClientRow> {
    let client = clients::find(db, id).await?;
    client.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "not_found", format!("No client with requested id: {id}")))
}

fn holds(claims: &Claims, scopes: &[&str]) -> bool {
    claims.scope.iter().any(|held| scopes.contains(&held.as_str()))
}
