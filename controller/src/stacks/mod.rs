//! Stacks. There is one here, WebAssembly, under the name that Cloud Foundry's clients and manifests use.

mod change;
mod read;
mod usable;
mod view;

pub use change::{create, delete, update};
pub use read::{list, list_apps, show};
pub(crate) use usable::{check, seed, warning};

use virga_model::StackGuid;

/// Name of the stack of every app that asks for none. Cloud Foundry's, so that clients and manifests stay as they are.
pub const DEFAULT_STACK: &str = "cflinuxfs4";

/// A stack of that name, if there is one.
#[must_use]
pub fn is_stack(name: &str) -> bool {
    name == DEFAULT_STACK
}

/// The one stack is the same on every installation and so is its guid.
fn default_guid() -> StackGuid {
    StackGuid::from_u128(0x7669_7267_6100_4000_8000_0000_0000_0001)
}
