//! The routing table: which app a host and path name, and which of its instances may answer.

pub(crate) mod host;
pub(crate) mod pick;
pub(crate) mod table;

pub(crate) use pick::{Choice, Pick, Wanted};
pub(crate) use table::{Route, Table, tcp};
