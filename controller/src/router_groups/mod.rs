//! Router groups, as the routing API shows them: which ports the routes of TCP domains may have.

mod change;
mod ports;
mod read;

pub use change::{create, delete, update};
pub(crate) use ports::Ports;
pub use read::{list, show};

use crate::{Access, Result};
use serde_json::{Value, json};
use virga_contract::{ApiError, ErrorCode};
use virga_store::router_groups::RouterGroupRow;

const READ: &str = "routing.router_groups.read";
const WRITE: &str = "routing.router_groups.write";

/// The group as the routing API shows it.
fn view(group: &RouterGroupRow) -> Value {
    json!({ "guid": group.guid, "name": group.name, "type": group.kind, "reservable_ports": group.reservable_ports })
}

/// Passes for administrators and for tokens with one of these scopes.
fn require(access: &Access, scopes: &[&str]) -> Result<()> {
    if access.is_admin() || scopes.iter().any(|scope| access.caller().has_scope(scope)) {
        return Ok(());
    }
    let detail = format!("Token does not have '{}' scope", scopes.first().copied().unwrap_or_default());
    Err(ApiError::new(ErrorCode::InsufficientScope, detail).into())
}

fn missing(what: &str) -> ApiError {
    ApiError::new(ErrorCode::ResourceNotFound, format!("Router Group '{what}' does not exist"))
}
