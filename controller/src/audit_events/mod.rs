//! Audit events: who did what. Read as a list; written by [`record`] in the transaction of what happened.

mod record;

pub use record::{Event, actor, record, record_by, say};
