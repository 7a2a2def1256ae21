//! Router groups, as the routing API shows them: which ports the routes of TCP domains may have. The scopes it asks for are in
//! [`crate::dialect`].

mod change;
mod ports;
mod read;

pub use change::{create, delete, update};
pub(crate) use ports::Ports;
pub use read::{list, show};

use serde_json::{Value, json};
use virga_contract::{ApiError, ErrorCode};
use virga_store::router_groups::RouterGroupRow;

/// The group as the routing API shows it.
fn view(group: &RouterGroupRow) -> Value {
    json!({ "guid": group.guid, "name": group.name, "type": group.kind, "reservable_ports": group.reservable_ports })
}

fn missing(what: &str) -> ApiError {
    ApiError::new(ErrorCode::ResourceNotFound, format!("Router Group '{what}' does not exist"))
}
