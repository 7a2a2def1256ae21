//! The client against brokers over real sockets: what is sent, what answers mean, and what the worst of them cannot do.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail by panicking")]

mod catalog;
mod hostile;
mod protocol;
mod support;
