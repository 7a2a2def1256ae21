//! What the router changes in the headers of requests and answers.

pub(crate) mod forwarding;
pub(crate) mod hops;
pub(crate) mod scan;
pub(crate) mod sticky;
pub(crate) mod trace;
