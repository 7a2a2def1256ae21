//! Desired and actual instances: what should run, what does, and the steps from one to the other.
//!
//! One task (`brain`) owns all of it. It reads the desired state from the store, on a nudge and on a timer, writes
//! `actual_instances`, and publishes whole snapshots with a growing revision; workers answer with reports. Nothing is
//! carried by a message that is not also in the store or said again by the next report, so any of them may be lost.

mod brain;
mod config;
mod handle;
mod spec;
#[cfg(test)]
mod tests;

pub use config::SchedulerConfig;
pub use handle::{SchedulerHandle, SchedulerPlane, start};
