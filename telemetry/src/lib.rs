//! App envelopes on their way to whoever reads them (queue, log cache), and what the process tells about itself
//! (tracing, OpenTelemetry, the Prometheus page). Sole owner of the OpenTelemetry SDK.
//!
//! Nothing here blocks or fails its caller: what does not fit is dropped, counted, and the count is said in the app's own
//! stream.

pub mod log_cache;
pub mod log_queue;
pub mod metrics;
mod observe;
mod weight;

pub use log_cache::{CacheLimits, LogCacheStore};
pub use log_queue::{LogPump, LogQueue, QueueLimits};
pub use observe::{InitError, LogFormat, Observing, ObservingConfig, init};
