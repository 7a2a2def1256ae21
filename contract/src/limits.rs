//! The limits that an operator may set for cells and routers; names and defaults stand in `docs/limits.md`.

use serde::{Deserialize, Serialize};

/// Limits of a cell worker on its guests. Every one is always on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CellLimits {
    /// CPU time of one request, milliseconds.
    pub request_cpu_ms: u64,
    /// Wall time of one request until its last byte, milliseconds.
    pub request_wall_ms: u64,
    /// How long a request may wait for a free wasm instance, milliseconds.
    pub queue_wait_ms: u64,
    /// Wasm instances of one app instance in one worker.
    pub wasm_instances_per_app_instance: u32,
    /// Requests after which a pooled wasm instance is retired.
    pub pooled_requests: u64,
    /// Idle time after which a pooled wasm instance is retired, milliseconds.
    pub pooled_idle_ms: u64,
    /// Bytes of one line of guest output; a longer line is cut into several.
    pub log_line_bytes: usize,
    /// Log envelopes of one app that may wait in a worker for the control process; what comes then is dropped and counted.
    pub log_queue_envelopes: usize,
    /// Outbound connections of one app instance in one worker.
    pub outbound_connections: u32,
    /// Inbound connections of one server instance, accepted or waiting to be.
    pub server_connections: u32,
    /// How long a server whose instance is taken away may go on with what is in flight, milliseconds.
    pub stop_grace_ms: u64,
    /// Host bytes held for a guest's streams, per request.
    pub host_buffer_bytes: usize,
    /// Open handles (resource table entries) of one wasm instance.
    pub handles: usize,
    /// Wasm instances in the pooling allocator of one worker.
    pub total_wasm_instances: u32,
    /// Beat at which a running guest is interrupted so that others get their turn, milliseconds.
    pub epoch_beat_ms: u64,
}

impl Default for CellLimits {
    fn default() -> Self {
        Self {
            request_cpu_ms: 10_000,
            request_wall_ms: 300_000,
            queue_wait_ms: 5_000,
            wasm_instances_per_app_instance: 16,
            pooled_requests: 10_000,
            pooled_idle_ms: 60_000,
            log_line_bytes: 61_440,
            log_queue_envelopes: 10_000,
            outbound_connections: 64,
            server_connections: 512,
            stop_grace_ms: 10_000,
            host_buffer_bytes: 1 << 20,
            handles: 4_096,
            total_wasm_instances: 1_000,
            epoch_beat_ms: 2,
        }
    }
}

/// Limits of a worker's router.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouterLimits {
    /// Bytes of a request's header block; more is 431.
    pub header_bytes: usize,
    /// Header fields of a request; more is 431.
    pub headers: usize,
    /// Bytes of a request body to an app; more is 413. 0 is unlimited.
    pub body_bytes: u64,
    /// Time a client may take to send a header block, milliseconds; then 408 and the connection closes.
    pub header_read_ms: u64,
    /// Time a client may take between two pieces of a body, milliseconds; then 408.
    pub body_idle_ms: u64,
    /// Idle time of a kept-alive connection, milliseconds.
    pub keep_alive_ms: u64,
    /// Time a client may take nothing of an answer that waits for it, milliseconds; then the connection is cut.
    pub write_stall_ms: u64,
    /// Connections of one worker; more wait in the accept queue.
    pub connections: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub http2_streams: u32,
    /// Time without a byte in either direction after which an upgraded connection (WebSocket), a TCP route's connection or a
    /// body to an HTTP/2 app is given up, milliseconds.
    pub stream_idle_ms: u64,
    /// Connections over TCP routes of one worker; more wait in the accept queues.
    pub tcp_connections: usize,
    /// Time that requests in flight are given when the router stops, milliseconds.
    pub drain_ms: u64,
}

impl Default for RouterLimits {
    fn default() -> Self {
        Self {
            header_bytes: 64 * 1024,
            headers: 100,
            body_bytes: 1 << 30,
            header_read_ms: 10_000,
            body_idle_ms: 30_000,
            keep_alive_ms: 90_000,
            write_stall_ms: 30_000,
            connections: 20_000,
            http2_streams: 100,
            stream_idle_ms: 900_000,
            tcp_connections: 10_000,
            drain_ms: 15_000,
        }
    }
}
