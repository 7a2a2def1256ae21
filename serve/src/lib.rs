//! Turns a route table into a draining, authenticated API server, and owns what every process of Virga needs for that:
//! its tasks and their end, its configuration, its clock, the verification of tokens and the shape of error answers.
//! Sole owner of axum and jsonwebtoken. It knows no resource of any API.

pub mod auth;
pub mod base;
pub mod clock;
pub mod config;
mod cors;
pub mod errors;
pub mod extract;
pub mod listener;
pub mod reach;
pub mod secret;
pub mod server;
pub mod tasks;
pub mod wire;

pub use auth::Caller;
pub use axum;
pub use base::{Base, Endpoints};
pub use clock::{Clock, SystemClock};
pub use errors::Failure;
pub use extract::{Json, Path, Query};
pub use secret::Secret;
pub use server::{ServerLimits, api, serve};
pub use tasks::{ExitReason, Tasks};
