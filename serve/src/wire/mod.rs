//! The cell protocol: [`virga_contract::cell::ControlPlane`] over HTTP/1.1 on a Unix socket, bodies in MessagePack.
//!
//! [`server::serve`] exposes any control plane, [`client::WireClient`] is one that lives behind a socket. Neither knows
//! what the calls mean. Who may connect is decided by the socket's folder, which only its owner may enter.

pub mod client;
mod codec;
mod delta;
pub mod server;
pub mod socket;
#[cfg(test)]
mod tests;

pub use client::WireClient;
pub use socket::bind_private;

use std::time::Duration;

/// Bounds of the cell protocol; both sides have the same defaults.
#[derive(Debug, Clone)]
pub struct WireLimits {
    /// Bytes of one report or batch of envelopes; more is refused with 413.
    pub upload_bytes: usize,
    /// Envelopes of one batch; more is refused with 413.
    pub batch_envelopes: usize,
    /// Bytes of one snapshot or configuration that a worker takes.
    pub download_bytes: usize,
    /// Longest wait of one long poll, whatever the worker asks for.
    pub longest_poll: Duration,
    /// Time for one call that does not wait for anything, connecting included.
    pub call: Duration,
    /// Time until a stream begins; code may have to be compiled first.
    pub stream_start: Duration,
    /// Time between two pieces of a stream.
    pub stream_idle: Duration,
}

impl Default for WireLimits {
    fn default() -> Self {
        Self {
            upload_bytes: 16 << 20,
            batch_envelopes: 20_000,
            download_bytes: 1 << 30,
            longest_poll: Duration::from_secs(60),
            call: Duration::from_secs(10),
            stream_start: Duration::from_secs(300),
            stream_idle: Duration::from_secs(30),
        }
    }
}

/// The paths of the protocol. A change that an older worker would not understand takes a new number.
mod paths {
    pub(super) const CONFIG: &str = "/cell/v1/workers/{worker}/config";
    pub(super) const SNAPSHOT: &str = "/cell/v1/workers/{worker}/snapshot";
    pub(super) const REPORTS: &str = "/cell/v1/reports";
    pub(super) const LOGS: &str = "/cell/v1/logs";
    pub(super) const DROPLET: &str = "/cell/v1/droplets/{digest}";
    pub(super) const CODE: &str = "/cell/v1/code";
}

/// What [`paths::CODE`] is asked.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct CodeRequest {
    droplet: virga_model::Sha256Digest,
    component: virga_model::Sha256Digest,
    engine_key: String,
}
