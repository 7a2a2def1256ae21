//! Network policies, as the policy server's external API shows them: which app may reach which by internal routes.
//!
//! Tokens with `network.admin` and administrators manage all; everybody else those between apps of spaces in which they are
//! a developer.

mod change;
mod read;

pub use change::{create, delete};
pub use read::list;

use crate::Access;
use serde_json::{Value, json};
use virga_store::network_policies::NetworkPolicyRow;

/// Whether the caller manages the policies of all apps.
fn manages_all(access: &Access) -> bool {
    access.is_admin() || access.caller().has_scope("network.admin")
}

/// The policies as the API shows them.
fn view(policies: &[NetworkPolicyRow]) -> Value {
    let policies: Vec<Value> = policies
        .iter()
        .map(|policy| {
            json!({
                "source": { "id": policy.source },
                "destination": {
                    "id": policy.destination,
                    "protocol": policy.protocol,
                    "ports": { "start": policy.first_port, "end": policy.last_port },
                },
            })
        })
        .collect();
    json!({ "total_policies": policies.len(), "policies": policies })
}
