//! The scheduler over a real database, with simulated workers and a clock that stands still until it is moved.

mod deployments;
mod instances;
mod restarts;
mod routing;
mod rules;
mod services;
mod tasks;
mod world;
