//! The log cache's HTTP API (log-cache 3: `/api/v1/info`, `/api/v1/read/:source`, `/api/v1/meta`), over the log cache that
//! [`crate::Parts`] holds. Who may not see an app is told that there is no such source.

mod query;
mod read;
mod view;

pub use read::{info, meta, read};
