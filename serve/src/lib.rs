//! Turns a route table into a draining, authenticated API server.

pub mod wire;
