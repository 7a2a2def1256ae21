//! Isolation segments: who may use which, and what is assigned where. One box is the cells of one segment, `shared`; apps of
//! every segment run there.

mod assign;
mod change;
mod read;
mod view;

pub use assign::{of_organization, of_space, set_for_organization, set_for_space};
pub use change::{create, delete, entitle, revoke, update};
pub use read::{list, organizations, related_organizations, related_spaces, show};

use virga_model::IsolationSegmentGuid;

/// The segment that every installation has; its guid is Cloud Foundry's own.
pub(crate) fn shared() -> IsolationSegmentGuid {
    IsolationSegmentGuid::from_u128(0x933b_4c58_120b_499a_b85d_4b6f_c9e2_903b)
}
/// Its name.
pub(crate) const SHARED_NAME: &str = "shared";
