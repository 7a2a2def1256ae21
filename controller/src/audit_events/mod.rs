//! Audit events: who did what. Read as a list; written by [`record()`] in the transaction of what happened.

mod read;
mod record;

pub use read::{list, show};
pub use record::{Event, actor, record, record_by, say};
